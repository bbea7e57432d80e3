//! Whose configuration files are the program's: [`crate::root::contract`].

use std::ffi::OsStr;

use super::flag::Expected;
use crate::root::contract::Contract;

/// `ITEM=ORIGIN`, over what was chosen before.
pub(super) fn choose(contract: &mut Contract, text: &OsStr) -> Result<(), Expected> {
    text.to_str()
        .and_then(|text| contract.choose(text))
        .ok_or(
            "one of resolv.conf, hosts, nsswitch, passwd, localtime, ca, terminfo, locale and machine-id, with =host, =bundled or \
             =merged as far as that has a meaning",
        )
}
