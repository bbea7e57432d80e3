//! Commands, looked up as a shell inside the root file system would.

use std::collections::BTreeSet;

use nix::errno::Errno;

use super::error::{ClosureError, ProgramFault};
use crate::elf::is_absence;
use crate::rootfs::{Kind, Last, RootPath, Rootfs, RootfsError, printable};

/// Where nothing in the root file system says otherwise.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Most bytes of a configuration file that are read.
const MAX_CONFIGURATION: u64 = 1024 * 1024;
/// Most suggestions in a hint.
pub(super) const MAX_NEAR: usize = 4;

/// PATH of the root file system: from `/etc/environment` (pam_env), else ENV_SUPATH of `/etc/login.defs`, else the usual one.
/// Parts that are not absolute are left out.
pub(super) fn search_path(rootfs: &Rootfs) -> Result<String, RootfsError> {
    for (file, parse) in [
        ("/etc/environment", path_of_environment as fn(&str) -> Option<&str>),
        ("/etc/login.defs", path_of_login_defs),
    ] {
        let contents = match rootfs.read_file(&RootPath::new(file), MAX_CONFIGURATION) {
            Ok(contents) => contents,
            Err(error) if is_absence(error.errno()) || !matches!(error.errno(), Errno::EACCES | Errno::EIO) => continue,
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&contents);
        let path = parse(&text).unwrap_or_default();
        let parts: Vec<_> = path.split(':').filter(|part| part.starts_with('/')).collect();
        if !parts.is_empty() {
            return Ok(parts.join(":"));
        }
    }
    Ok(DEFAULT_PATH.to_owned())
}

/// `PATH="…"`, the last one.
fn path_of_environment(text: &str) -> Option<&str> {
    let mut assignments = text.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("export ")
            .unwrap_or(line)
            .trim_start()
            .strip_prefix("PATH=")
    });
    assignments
        .next_back()
        .map(|value| value.trim_matches(|quote| matches!(quote, '"' | '\'')))
}

/// `ENV_SUPATH PATH=…`.
fn path_of_login_defs(text: &str) -> Option<&str> {
    let value = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("ENV_SUPATH"))?;
    let value = value.strip_prefix(char::is_whitespace)?.trim();
    Some(value.strip_prefix("PATH=").unwrap_or(value))
}

/// Where the command is: the path it was found at, before links at its end. A name with a slash is a path inside the root.
///
/// # Errors
/// [`ClosureError::CommandNotFound`], [`ClosureError::NotExecutable`], [`ClosureError::NotAProgram`] and what a look-up can say.
pub(super) fn find(rootfs: &Rootfs, command: &[u8], search_path: &str) -> Result<RootPath, ClosureError> {
    if command.contains(&b'/') {
        let path = RootPath::new(command);
        return match look(rootfs, command)? {
            Look::Executable => Ok(path),
            Look::NotExecutable => Err(ClosureError::NotExecutable { path }),
            Look::NotAFile => Err(ClosureError::NotAProgram {
                path,
                fault: ProgramFault::NotAFile,
            }),
            Look::Dangling { missing } => Err(ClosureError::Dangling { path, missing }),
            Look::Nothing => Err(ClosureError::CommandNotFound {
                command: command.to_vec(),
                search_path: None,
                near: Vec::new(),
            }),
        };
    }
    let (mut not_executable, mut dangling) = (None, None);
    for directory in search_path.split(':').filter(|_| !command.is_empty()) {
        let path = [directory.as_bytes(), b"/", command].concat();
        match look(rootfs, &path)? {
            Look::Executable => return Ok(RootPath::new(path)),
            Look::NotExecutable => not_executable = not_executable.or(Some(RootPath::new(path))),
            Look::Dangling { missing } => dangling = dangling.or(Some((RootPath::new(path), missing))),
            Look::NotAFile | Look::Nothing => {}
        }
    }
    if let Some(path) = not_executable {
        return Err(ClosureError::NotExecutable { path });
    }
    if let Some((path, missing)) = dangling {
        return Err(ClosureError::Dangling { path, missing });
    }
    let near = near(rootfs, command, search_path)?;
    Err(ClosureError::CommandNotFound {
        command: command.to_vec(),
        search_path: Some(search_path.to_owned()),
        near,
    })
}

/// What is at a path that may be a command.
enum Look {
    Executable,
    NotExecutable,
    NotAFile,
    /// A symbolic link that leads to nothing.
    Dangling {
        /// What is missing.
        missing: RootPath,
    },
    Nothing,
}

fn look(rootfs: &Rootfs, path: &[u8]) -> Result<Look, RootfsError> {
    match rootfs.resolve(path, Last::Follow) {
        Ok(place) if place.metadata.kind != Kind::File => Ok(Look::NotAFile),
        Ok(place) if place.metadata.mode & 0o111 == 0 => Ok(Look::NotExecutable),
        Ok(_) => Ok(Look::Executable),
        Err(RootfsError::Lookup { path: missing, errno }) if is_absence(errno) => {
            let is_there = rootfs.resolve(path, Last::Keep).is_ok();
            Ok(if is_there {
                Look::Dangling { missing }
            } else {
                Look::Nothing
            })
        }
        Err(error) => Err(error),
    }
}

/// Commands in PATH whose names differ little from `command`, the nearest first.
fn near(rootfs: &Rootfs, command: &[u8], search_path: &str) -> Result<Vec<String>, RootfsError> {
    let mut found = BTreeSet::new();
    for directory in search_path.split(':') {
        let entries = match rootfs.read_dir(&RootPath::new(directory)) {
            Ok(entries) => entries,
            Err(error) if is_absence(error.errno()) || error.errno() == Errno::EACCES => continue,
            Err(error) => return Err(error),
        };
        for name in entries.into_iter().map(|entry| entry.name) {
            let Some(distance) = near_distance(command, &name) else {
                continue;
            };
            let path = [directory.as_bytes(), b"/", &name].concat();
            // What cannot be looked at is no suggestion.
            if matches!(look(rootfs, &path), Ok(Look::Executable)) {
                found.insert((distance, printable(&name)));
            }
        }
    }
    Ok(found.into_iter().map(|(_, name)| name).take(MAX_NEAR).collect())
}

/// Edits that make one name of the other (insertions, deletions, replacements and swapped neighbours); none where they are too many
/// for a slip, or where the names are the same.
pub(super) fn near_distance(command: &[u8], name: &[u8]) -> Option<usize> {
    let allowed = 1 + command.len() / 5;
    // The distance is at least the difference in length: most names are done with.
    if command == name || command.len().abs_diff(name.len()) > allowed {
        return None;
    }
    let distance = strsim::osa_distance(&String::from_utf8_lossy(command), &String::from_utf8_lossy(name));
    (distance <= allowed && distance < command.len()).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_near() {
        for (command, name, expected) in [
            ("top", "top", None),
            ("topp", "top", Some(1)),
            ("otp", "top", Some(1)),
            ("pyhton3", "python3", Some(1)),
            ("ptyhon", "python3", Some(2)),
            ("ls", "ps", Some(1)),
            ("l", "s", None),
            ("", "a", None),
            ("ls", "lsblk", None),
        ] {
            let found = near_distance(command.as_bytes(), name.as_bytes());
            assert_eq!(found, expected, "{command} {name}");
        }
    }

    #[test]
    fn path_of_files() {
        for (text, expected) in [
            ("PATH=\"/a:/b\"\n", Some("/a:/b")),
            ("LANG=C\nexport PATH='/c'\n", Some("/c")),
            ("# PATH=/no\nXPATH=/no\n", None),
        ] {
            assert_eq!(path_of_environment(text), expected, "{text}");
        }
        for (text, expected) in [
            ("ENV_SUPATH\tPATH=/sbin:/bin\nENV_PATH PATH=/bin\n", Some("/sbin:/bin")),
            ("ENV_SUPATH /sbin\n", Some("/sbin")),
            ("#ENV_SUPATH PATH=/no\nENV_SUPATHS x\n", None),
        ] {
            assert_eq!(path_of_login_defs(text), expected, "{text}");
        }
    }
}
