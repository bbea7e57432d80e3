//! The directory that the program is to be started in. It brings nothing in: what it names may be the caller's.

use super::entries::Entries;
use crate::elf::is_absence;
use crate::plan::WarningKind;
use crate::rootfs::{KERNEL_DIRECTORIES, Kind, Last, RootPath, RootfsError};

/// Warns where the image has no such directory: the program is started in `/` then.
pub(super) fn check(entries: &mut Entries<'_>, directory: &RootPath) -> Result<(), RootfsError> {
    if KERNEL_DIRECTORIES
        .iter()
        .any(|kernels| directory.is_within(&RootPath::new(kernels)))
    {
        return Ok(());
    }
    let fault = match entries.rootfs().resolve(directory.as_bytes(), Last::Follow) {
        Ok(end) if end.metadata.kind != Kind::Directory => "is no directory",
        Ok(end) if entries.is_seen(&end) => return Ok(()),
        Ok(_) => "is not packed",
        Err(error) if is_absence(error.errno()) && entries.contains(directory) => return Ok(()),
        Err(error) if is_absence(error.errno()) => "is not in the root file system",
        Err(error) => return Err(error),
    };
    let message = format!(
        "{fault}, but is given as --workdir: the program starts in / wherever the caller shares no such directory"
    );
    entries.warn(WarningKind::Condition, directory, message);
    Ok(())
}
