//! Restricting every mount below a path, one by one: what mount_setattr(2) does at once since Linux 5.12.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::MsFlags;

use super::mounting;
use crate::error::errno;
use crate::sys::mount_attribute::{NO_DEVICES, NO_EXEC, NO_SET_ID, READ_ONLY};
use crate::text::parts;

/// A line of `/proc/PID/mountinfo`, proc_pid_mountinfo(5): where, and the flags that a remount must not lose.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    path: PathBuf,
    flags: MsFlags,
}

/// Options of a mount (not of its file system), as flags of mount(2).
const OPTIONS: [(&str, MsFlags); 8] = [
    ("ro", MsFlags::MS_RDONLY),
    ("nosuid", MsFlags::MS_NOSUID),
    ("nodev", MsFlags::MS_NODEV),
    ("noexec", MsFlags::MS_NOEXEC),
    ("noatime", MsFlags::MS_NOATIME),
    ("nodiratime", MsFlags::MS_NODIRATIME),
    ("relatime", MsFlags::MS_RELATIME),
    ("nosymfollow", MsFlags::from_bits_retain(256)),
];

/// Adds `attributes` (of mount_setattr(2)) to the mount at `path` and to all below it. `table` is this process's
/// mountinfo.
pub(super) fn restrict_each(table: &Path, path: &Path, attributes: u64) -> Result<(), Errno> {
    let table = fs::read(table).map_err(|error| errno(&error))?;
    let wanted = flags(attributes);
    for mounted in parse(&table) {
        if !mounted.path.starts_with(path) {
            continue;
        }
        let flags = MsFlags::MS_BIND | mounted.flags | wanted;
        match mounting::change(&mounted.path, flags, None) {
            // Covered by another mount, or below a directory that may not be searched: nobody can reach it.
            Ok(()) | Err(Errno::EACCES | Errno::EINVAL | Errno::ENOENT) if mounted.path != path => {}
            result => result?,
        }
    }
    Ok(())
}

fn flags(attributes: u64) -> MsFlags {
    let pairs = [
        (READ_ONLY, MsFlags::MS_RDONLY),
        (NO_SET_ID, MsFlags::MS_NOSUID),
        (NO_DEVICES, MsFlags::MS_NODEV),
        (NO_EXEC, MsFlags::MS_NOEXEC),
    ];
    let mut flags = MsFlags::empty();
    for (bit, flag) in pairs {
        flags.set(flag, attributes & bit != 0);
    }
    flags
}

fn parse(table: &[u8]) -> Vec<Mount> {
    let mut mounts = Vec::new();
    for line in parts(table, b'\n') {
        mounts.extend(parse_line(line));
    }
    mounts
}

/// The places of all mounts in a table, proc_pid_mountinfo(5), the root's among them.
pub(crate) fn points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    parts(table, b'\n').into_iter().filter_map(point)
}

fn point(line: &[u8]) -> Option<PathBuf> {
    let field = *parts(line, b' ').get(4)?;
    Some(PathBuf::from(OsString::from_vec(unescape(field))))
}

/// `36 35 98:0 /root /mount/point rw,noatime …`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let path = point(line)?;
    let options = parts(parts(line, b' ').get(5)?, b',');
    let mut flags = MsFlags::empty();
    for (name, flag) in OPTIONS {
        flags.set(flag, options.contains(&name.as_bytes()));
    }
    Some(Mount { path, flags })
}

/// Space, tab, newline and backslash are written as three octal digits behind a backslash.
pub(crate) fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_table() {
        let cases: [(&str, &str, MsFlags); 4] = [
            (
                "25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
                "/",
                MsFlags::MS_RELATIME,
            ),
            (
                "26 25 0:22 / /new/sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs rw",
                "/new/sys",
                MsFlags::MS_RDONLY
                    .union(MsFlags::MS_NOSUID)
                    .union(MsFlags::MS_NODEV)
                    .union(MsFlags::MS_NOEXEC)
                    .union(MsFlags::MS_RELATIME),
            ),
            (
                "27 25 0:23 / /a\\040b\\134c rw - tmpfs tmpfs rw",
                "/a b\\c",
                MsFlags::empty(),
            ),
            (
                "28 25 0:24 /x /y\\04 rw,noatime master:3 - tmpfs none rw",
                "/y\\04",
                MsFlags::MS_NOATIME,
            ),
        ];
        for (line, path, flags) in cases {
            assert_eq!(
                parse(line.as_bytes()),
                [Mount {
                    path: path.into(),
                    flags
                }],
                "{line}"
            );
        }
        assert_eq!(parse(b"\ngarbage\n1 2 3 4"), []);
    }

    #[test]
    fn attributes_become_flags() {
        assert_eq!(flags(READ_ONLY | NO_EXEC), MsFlags::MS_RDONLY | MsFlags::MS_NOEXEC);
        assert_eq!(flags(0), MsFlags::empty());
    }
}
