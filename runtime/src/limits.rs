//! The caller's limits, setrlimit(2): what to say where one of them is in the way, and the one that is lifted for a while.

use std::fmt;
use std::io;

use nix::errno::Errno;
use nix::sys::resource::{self, Resource, rlim_t};

/// What to try where a limit is in the way; none where `errno` speaks of something else.
#[must_use]
pub fn hint(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::EMFILE => Some("raise the limit of open files (ulimit -n)"),
        Errno::ENFILE => Some("raise fs.file-max: as many files are open as the system allows"),
        Errno::EFBIG => Some("raise the hard limit of the size of files (ulimit -H -f)"),
        _ => None,
    }
}

/// The same for an error of the standard library.
#[must_use]
pub fn hint_of_io(error: &io::Error) -> Option<&'static str> {
    hint(Errno::from_raw(error.raw_os_error()?))
}

/// The same for an `errno` of fork(2), clone(2), or the start of a thread.
#[must_use]
pub fn hint_of_fork(errno: Errno) -> Option<&'static str> {
    match errno {
        // The start of a thread says so, too, where there is no memory for its stack.
        Errno::EAGAIN => Some(hint_of_memory().unwrap_or("raise the limit of processes (ulimit -u)")),
        _ => hint(errno),
    }
}

/// Less memory than this, in bytes, may be too little for a process of ours: the image server takes 17 MB at its start.
const SCARCE: rlim_t = 64 << 20;

/// What to try where a process of ours was killed, as it is where it gets no memory: none where no limit of the caller's can be why.
#[must_use]
pub fn hint_of_memory() -> Option<&'static str> {
    limited(SCARCE)
}

/// The same where memory was asked for and refused: any limit can be why.
#[must_use]
pub fn hint_of_refusal() -> &'static str {
    limited(resource::RLIM_INFINITY).unwrap_or("free memory")
}

fn limited(below: rlim_t) -> Option<&'static str> {
    let soft = |resource| resource::getrlimit(resource).map_or(resource::RLIM_INFINITY, |(soft, _)| soft);
    scarce(soft(Resource::RLIMIT_DATA), soft(Resource::RLIMIT_AS), below)
}

fn scarce(data: rlim_t, address_space: rlim_t, below: rlim_t) -> Option<&'static str> {
    match (data < below, address_space < below) {
        (true, _) => Some("raise the limit of data (ulimit -d)"),
        (_, true) => Some("raise the limit of memory (ulimit -v)"),
        _ => None,
    }
}

/// The caller's limit of the size of files. It is meant for the app; what the runtime writes itself, into file systems in memory
/// that nobody else sees, would be cut off by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallersLimit {
    soft: rlim_t,
    hard: rlim_t,
}

impl CallersLimit {
    /// Raises this process's limit as far as anybody may: to the hard one.
    pub(crate) fn suspend() -> Result<Self, LimitError> {
        let (soft, hard) = resource::getrlimit(Resource::RLIMIT_FSIZE).map_err(LimitError)?;
        if soft != hard {
            set(hard, hard)?;
        }
        Ok(Self { soft, hard })
    }

    /// Sets what the caller had set, in the app's process.
    pub(crate) fn give_back(self) -> Result<(), LimitError> {
        if self.soft == self.hard {
            return Ok(());
        }
        set(self.soft, self.hard)
    }
}

fn set(soft: rlim_t, hard: rlim_t) -> Result<(), LimitError> {
    resource::setrlimit(Resource::RLIMIT_FSIZE, soft, hard).map_err(LimitError)
}

/// The limit could not be read or set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitError(Errno);

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set the limit of the size of files: {}", self.0.desc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_standard_library_have_an_errno() {
        let file_limit = io::Error::from_raw_os_error(libc::EMFILE);
        assert_eq!(hint_of_io(&file_limit), hint(Errno::EMFILE));
        assert_eq!(hint_of_io(&io::ErrorKind::UnexpectedEof.into()), None);
    }

    #[test]
    fn memory_may_be_scarce_by_two_limits() {
        let (none, low) = (resource::RLIM_INFINITY, 1 << 20);
        for (data, space, expected) in [
            (none, none, None),
            (SCARCE, SCARCE, None),
            (low, none, Some("ulimit -d")),
            (none, low, Some("ulimit -v")),
            (low, low, Some("ulimit -d")),
        ] {
            let found = scarce(data, space, SCARCE);
            assert_eq!(found.is_some(), expected.is_some(), "{data} {space}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
        assert!(scarce(SCARCE, none, none).is_some_and(|found| found.contains("ulimit -d")));
        assert_eq!(scarce(none, none, none), None);
    }

    #[test]
    fn each_limit_is_called_by_its_name() {
        for (errno, plain, of_fork) in [
            (Errno::EMFILE, Some("ulimit -n"), Some("ulimit -n")),
            (Errno::ENFILE, Some("fs.file-max"), Some("fs.file-max")),
            (Errno::EFBIG, Some("ulimit -H -f"), Some("ulimit -H -f")),
            (Errno::EAGAIN, None, Some("ulimit -u")),
            (Errno::EPERM, None, None),
        ] {
            for (found, expected) in [(hint(errno), plain), (hint_of_fork(errno), of_fork)] {
                assert_eq!(found.is_some(), expected.is_some(), "{errno}");
                assert!(
                    found.unwrap_or_default().contains(expected.unwrap_or_default()),
                    "{errno}"
                );
            }
        }
    }
}
