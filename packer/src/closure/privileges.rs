//! Programs that are more than their caller where they are installed, and are not when packed.

use super::error::ClosureError;
use super::follow::Follow;
use crate::plan::WarningKind;
use crate::rootfs::{RootfsError, errno_of};

/// `capabilities(7)`, File capabilities.
const CAPABILITIES: &str = "security.capability";
/// S_ISUID and S_ISGID: `inode(7)`.
const SET_ID: u32 = 0o6000;

/// Warns of the programs that were asked for, and of what they start.
pub(super) fn check(follow: &mut Follow<'_>) -> Result<(), ClosureError> {
    use xattr::FileExt as _;
    for run in follow
        .runs()
        .to_vec()
        .iter()
        .filter(|run| run.depth <= 1 && !run.script)
    {
        let metadata = follow.rootfs().lstat(&run.path)?;
        let file = follow.rootfs().open_file(&run.path)?;
        let capabilities = match file.get_xattr(CAPABILITIES) {
            Ok(value) => value.is_some(),
            // A file system without extended attributes has none.
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => false,
            Err(error) => {
                return Err(RootfsError::Read {
                    path: run.path.clone(),
                    errno: errno_of(&error),
                }
                .into());
            }
        };
        let what = match (metadata.mode & SET_ID != 0, capabilities) {
            (true, _) => "is set-user-ID or set-group-ID",
            (_, true) => "has file capabilities",
            _ => continue,
        };
        let message = format!("{what}: packed, it runs with its caller's rights and no more");
        follow.entries.warn(WarningKind::Condition, &run.path, message);
    }
    Ok(())
}
