//! Entry points as they are typed: `NAME=PATH`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use bundle::manifest::EntryPoint;

use super::OptionsError;
use crate::closure::EntryRequest;

/// What `--as` asks for, sorted by name.
pub(super) fn requests(asked: &[OsString]) -> Result<Vec<EntryRequest>, OptionsError> {
    let mut requests: Vec<EntryRequest> = asked.iter().map(|value| request(value)).collect::<Result<_, _>>()?;
    requests.sort_by(|one, other| one.name.cmp(&other.name));
    let twice = requests.windows(2).find(|pair| pair[0].name == pair[1].name);
    match twice {
        Some(pair) => Err(OptionsError::EntryPointTwice {
            name: pair[0].name.clone(),
        }),
        None => Ok(requests),
    }
}

fn request(value: &OsStr) -> Result<EntryRequest, OptionsError> {
    let fault = || OptionsError::EntryPoint {
        value: value.to_string_lossy().into_owned(),
    };
    let bytes = value.as_bytes();
    let equals = bytes.iter().position(|byte| *byte == b'=').ok_or_else(fault)?;
    let (name, program) = (&bytes[..equals], &bytes[equals + 1..]);
    let name = std::str::from_utf8(name).ok().filter(|name| EntryPoint::is_name(name));
    match (name, program) {
        (None, _) | (_, []) => Err(fault()),
        (Some(name), program) => Ok(EntryRequest {
            name: name.to_owned(),
            program: OsStr::from_bytes(program).to_owned(),
        }),
    }
}
