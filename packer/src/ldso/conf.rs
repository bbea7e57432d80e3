//! `/etc/ld.so.conf` with its includes: `parse_conf` of glibc's `elf/ldconfig.c`.
//!
//! No loader reads these files, only `ldconfig` does when it writes the cache. They tell what somebody meant to be found: a library
//! that lies in one of these directories but not in the cache is worth a word to the person packing.

use crate::rootfs::{RootPath, Rootfs, RootfsError};

use super::glibc::read_if_there;

/// Includes within includes; `ldconfig` has no limit, but a circle of them is a mistake.
const MAX_DEPTH: usize = 16;

/// Directories that `/etc/ld.so.conf` names, in order.
pub type ConfiguredDirectories = Vec<Vec<u8>>;

/// Reads `/etc/ld.so.conf`; nothing where there is none.
///
/// # Errors
/// [`RootfsError`] where one of the files cannot be read.
pub fn configured_directories(rootfs: &Rootfs) -> Result<ConfiguredDirectories, RootfsError> {
    let mut directories = Vec::new();
    read(rootfs, &RootPath::new("/etc/ld.so.conf"), 0, &mut directories)?;
    Ok(directories)
}

fn read(
    rootfs: &Rootfs,
    file: &RootPath,
    depth: usize,
    directories: &mut ConfiguredDirectories,
) -> Result<(), RootfsError> {
    let Some(contents) = read_if_there(rootfs, file.as_bytes())? else {
        return Ok(());
    };
    for line in contents.split(|&byte| byte == b'\n') {
        match parse(line) {
            Line::Nothing => {}
            Line::Directory(directory) => {
                if !directories.contains(&directory) {
                    directories.push(directory);
                }
            }
            Line::Include(_) if depth == MAX_DEPTH => {}
            Line::Include(patterns) => {
                for pattern in patterns {
                    let pattern = if pattern.starts_with(b"/") {
                        pattern
                    } else {
                        [file.parent().unwrap_or_else(RootPath::root).as_bytes(), b"/", &pattern].concat()
                    };
                    for included in rootfs.glob_bytes(&pattern)? {
                        read(rootfs, &included, depth + 1, directories)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    Directory(Vec<u8>),
    Include(Vec<Vec<u8>>),
}

fn parse(line: &[u8]) -> Line {
    let line = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    match words.next() {
        None | Some(b"hwcap") => Line::Nothing,
        Some(b"include") => Line::Include(words.map(<[u8]>::to_vec).collect()),
        Some(_) => {
            // A type behind an equals sign is an old way to name the libc the libraries are for.
            let directory = line
                .split(|&byte| byte == b'=')
                .next()
                .unwrap_or_default()
                .trim_ascii_end();
            let length = directory
                .iter()
                .rposition(|&byte| byte != b'/')
                .map_or(1, |last| last + 1);
            match directory.first() {
                Some(b'/') => Line::Directory(directory[..length].to_vec()),
                _ => Line::Nothing,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let directory = |path: &str| Line::Directory(path.as_bytes().to_vec());
        for (line, expected) in [
            ("", Line::Nothing),
            ("  # comment", Line::Nothing),
            ("hwcap 1 nosegneg", Line::Nothing),
            ("relative/lib", Line::Nothing),
            ("/opt/c/lib  # comment", directory("/opt/c/lib")),
            ("\t/opt/with space/lib//", directory("/opt/with space/lib")),
            ("/", directory("/")),
            ("/usr/lib=libc5", directory("/usr/lib")),
            (
                "include /etc/a/*.conf b.conf",
                Line::Include(vec![b"/etc/a/*.conf".to_vec(), b"b.conf".to_vec()]),
            ),
            ("includes", Line::Nothing),
        ] {
            assert_eq!(parse(line.as_bytes()), expected, "{line}");
        }
    }
}
