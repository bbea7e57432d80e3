//! Libraries that no loader will find.

use nix::errno::Errno;

use super::Follow;
use crate::elf::is_absence;
use crate::ldso::configured_directories;
use crate::plan::WarningKind;
use crate::rootfs::{Last, RootfsError, printable};

impl Follow<'_> {
    /// Warns of the libraries that are missing. One that is packed under that name may be found after all: a library that is opened
    /// comes into a process that has it already, a program may be started with LD_LIBRARY_PATH.
    pub(in crate::closure) fn report_missing(&mut self) -> Result<(), RootfsError> {
        let configured = if self.missing.is_empty() {
            Vec::new()
        } else {
            configured_directories(self.rootfs())?
        };
        for (by, name) in std::mem::take(&mut self.missing) {
            let packed = self
                .mapped
                .iter()
                .find(|(_, facts)| facts.soname.as_deref() == Some(&name))
                .map(|(path, _)| path.clone());
            let wanted = printable(&name);
            match (packed, self.programs.contains_key(&by)) {
                (Some(_), false) => {}
                (Some(place), true) => {
                    let message = format!(
                        "needs {wanted}, which is packed as {place}, but found only with LD_LIBRARY_PATH or the like"
                    );
                    self.entries.warn(WarningKind::Condition, &by, message);
                }
                (None, _) => {
                    let message = match self.configured_place(&configured, &name)? {
                        Some(place) => format!(
                            "needs {wanted}, which the loader will not find: it is in {}, which /etc/ld.so.conf names, but not in the cache (try: ldconfig -r {})",
                            printable(&place),
                            self.rootfs().path().display()
                        ),
                        None => format!("needs {wanted}, which is not found in the root file system"),
                    };
                    self.entries.warn(WarningKind::MissingLibrary, &by, message);
                }
            }
        }
        Ok(())
    }

    /// The directory of `/etc/ld.so.conf` that has the library.
    fn configured_place(&self, configured: &[Vec<u8>], name: &[u8]) -> Result<Option<Vec<u8>>, RootfsError> {
        if name.contains(&b'/') {
            return Ok(None);
        }
        for directory in configured {
            match self
                .rootfs()
                .resolve([directory.as_slice(), b"/", name].concat(), Last::Follow)
            {
                Ok(_) => return Ok(Some(directory.clone())),
                Err(error) if is_absence(error.errno()) || error.errno() == Errno::EACCES => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
