//! Landlock: where there is no root of its own, the app at least sees no more files than it is given. landlock(7),
//! `Documentation/userspace-api/landlock.rst`.
//!
//! Best effort, by the crate of that name, by the version of the kernel's interface: what an old kernel cannot refuse stays allowed, and
//! is said.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AddRuleError, AddRulesError, BitFlags, CreateRulesetError, LandlockStatus, PathBeneath,
    RestrictSelfError, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
};
use nix::errno::Errno;

use super::status::Degree;
use crate::error::errno;

/// The newest that is known here: what an older kernel does not know is left out.
const NEWEST: ABI = ABI::V5;

/// How far rules of this version hold.
fn degree(abi: ABI) -> Degree {
    let open = match abi {
        ABI::V3 | ABI::V4 => "ioctl(2) on devices is not refused",
        ABI::V2 => "neither truncate(2) nor ioctl(2) on devices is refused",
        ABI::V1 => {
            "truncate(2) and ioctl(2) on devices are not refused, and links and renaming between directories always are"
        }
        _ => return Degree::Full(format!("rules of files, ABI {abi}").into()),
    };
    Degree::Partial(format!("ABI {abi} of this kernel: {open}").into())
}

/// Keeps this process and all that it starts to these paths and what is below them: `read_execute` may be read, listed and
/// executed, `write` also be written, made and removed. One to write that this process cannot open is left out, and so is one to read
/// that is not there. What is open already stays open.
///
/// This thread must have set `no_new_privs` or have `CAP_SYS_ADMIN`. Nobody may call this in a process with several threads: the
/// others would stay free. Without Landlock in the kernel nothing is done, which [`Degree::None`] says.
///
/// # Errors
/// [`LandlockError`]: a path to read cannot be opened, or a call failed though the kernel has Landlock. Nothing is restricted then.
pub fn restrict(read_execute: &[&Path], write: &[&Path]) -> Result<Degree, LandlockError> {
    let (read, all) = (AccessFs::from_read(NEWEST), AccessFs::from_all(NEWEST));
    let rules = Ruleset::default().handle_access(all).and_then(Ruleset::create);
    let mut rules = rules.map_err(|error| LandlockError::call("create a ruleset", &error))?;
    for (paths, accesses) in [(read_execute, read), (write, all)] {
        for path in paths {
            let opened = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path);
            let failed = |errno| LandlockError::Path {
                path: path.to_path_buf(),
                errno,
            };
            match opened.map_err(|error| errno(&error)) {
                Ok(place) => {
                    let possible = possible(&place, accesses).map_err(failed)?;
                    rules = rules
                        .add_rule(PathBeneath::new(place, possible))
                        .map_err(|error| LandlockError::call("allow a path", &error))?;
                }
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                // It is not this process's to write to.
                Err(_) if accesses == all => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }
    let status = rules.no_new_privs(false).restrict_self();
    let status = status.map_err(|error| LandlockError::call("restrict this process", &error))?;
    Ok(match status.landlock {
        LandlockStatus::NotEnabled => Degree::None("Landlock is not among the lsm= of this kernel".into()),
        // The crate does not tell a kernel without it from a container engine's filter that does not know the call.
        LandlockStatus::NotImplemented => {
            Degree::None("this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK), or it is forbidden here".into())
        }
        LandlockStatus::Available { effective_abi, .. } => degree(effective_abi),
    })
}

fn possible(place: &File, accesses: BitFlags<AccessFs>) -> Result<BitFlags<AccessFs>, Errno> {
    let is_directory = place.metadata().map_err(|error| errno(&error))?.is_dir();
    Ok(if is_directory {
        accesses
    } else {
        accesses & AccessFs::from_file(NEWEST)
    })
}

/// The rules are not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LandlockError {
    /// What is allowed cannot be said.
    Path {
        /// Of which path.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// A system call failed.
    Call {
        /// What for, as a verb.
        step: &'static str,
        /// What it said.
        errno: Errno,
    },
}

impl LandlockError {
    fn call(step: &'static str, error: &RulesetError) -> Self {
        let errno = match error {
            RulesetError::CreateRuleset(CreateRulesetError::CreateRulesetCall { source, .. })
            | RulesetError::AddRules(AddRulesError::Fs(AddRuleError::AddRuleCall { source, .. }))
            | RulesetError::RestrictSelf(RestrictSelfError::RestrictSelfCall { source, .. }) => errno(source),
            // What the crate says by itself is a fault of these rules.
            _ => Errno::EINVAL,
        };
        Self::Call { step, errno }
    }
}

impl fmt::Display for LandlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path, errno } => write!(f, "landlock: allow {}: {}", path.display(), errno.desc()),
            Self::Call { step, errno } => write!(f, "landlock: {step}: {}", errno.desc()),
        }
    }
}

impl std::error::Error for LandlockError {}

#[cfg(test)]
mod tests {
    use landlock::{CompatLevel, Compatible};

    use super::*;
    use crate::sys::process::{self, Change, Fork};
    use std::fs;

    #[test]
    fn how_far_each_version_holds() {
        for (abi, full, open) in [
            (ABI::V1, false, "links"),
            (ABI::V2, false, "neither truncate"),
            (ABI::V3, false, "ioctl"),
            (ABI::V4, false, "ioctl"),
            (NEWEST, true, "ABI 5"),
            (ABI::V6, true, "ABI 6"),
        ] {
            let degree = degree(abi);
            assert_eq!(matches!(degree, Degree::Full(_)), full, "{abi}");
            assert!(degree.reason().contains(open), "{abi}: {}", degree.reason());
        }
    }

    /// In a child with a single thread, which is what the app's process has.
    fn restricted(read: &[&Path], write: &[&Path], attempt: impl FnOnce() -> u8) -> Option<u8> {
        match process::fork().unwrap() {
            Fork::Child => {
                let ready = nix::sys::prctl::set_no_new_privs();
                process::exit(match ready.map(|()| restrict(read, write)) {
                    Ok(Ok(Degree::None(_))) => 77,
                    Ok(Ok(_)) => attempt(),
                    _ => 99,
                })
            }
            Fork::Parent(child) => match process::wait(child).unwrap() {
                Change::Exited(77) => None,
                Change::Exited(status) => Some(status),
                change => panic!("{change:?}"),
            },
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let [read, write, other] = ["read", "write", "other"].map(|name| {
            let directory = scratch.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("file"), "x").unwrap();
            directory
        });
        let file = other.join("one");
        fs::write(&file, "y").unwrap();
        let missing = scratch.path().join("missing/below");
        let status = restricted(&[&read, &file, &missing], &[&write], || {
            let checks = [
                fs::read(read.join("file")).is_ok(),
                fs::read_dir(&read).is_ok(),
                fs::write(read.join("file"), "z").is_err(),
                fs::write(read.join("new"), "z").is_err(),
                fs::remove_file(read.join("file")).is_err(),
                fs::read(write.join("file")).is_ok(),
                fs::write(write.join("new"), "z").is_ok(),
                fs::remove_file(write.join("new")).is_ok(),
                fs::read(&file).is_ok(),
                fs::read(other.join("file")).is_err(),
                fs::read_dir(scratch.path()).is_err(),
            ];
            let failed = checks.iter().position(|&held| !held);
            failed.map_or(0, |number| u8::try_from(number + 1).unwrap_or(98))
        });
        // A kernel without Landlock refuses nothing and says so.
        assert!(matches!(status, None | Some(0)), "check {status:?} does not hold");
        let strictly = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let there = strictly.handle_access(AccessFs::Execute).and_then(Ruleset::create);
        assert_eq!(status.is_none(), there.is_err());
    }
}
