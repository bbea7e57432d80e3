//! `no_new_privs`: nothing that is executed from here on gains rights by it, neither by set-user-id bits nor by file
//! capabilities. `Documentation/userspace-api/no_new_privs.rst`.

use nix::sys::prctl;

use super::ConfineError;

/// Sets the bit; it cannot be taken back and is inherited.
pub(super) fn set() -> Result<(), ConfineError> {
    prctl::set_no_new_privs().map_err(ConfineError::NoNewPrivs)
}
