//! The guard: what holds a secret stays out of the plan, whatever asks for it, unless a person let it in by name.
//!
//! Two things tell a secret: its name (`names`) and, for private keys and password hashes, its contents (`keys`, `hashes`). What a
//! distribution gives to everybody is no secret: keys of test suites and examples, and those in the code of packages.

mod hashes;
mod keys;
mod names;

use std::cell::{Cell, OnceCell};

use nix::errno::Errno;

use crate::packages::Packages;
use crate::plan::Secret;
use crate::rootfs::{Kind, Last, Metadata, Pattern, RootPath, Rootfs, RootfsError, errno_of};

/// Most bytes of a file with password hashes.
const MAX_LOCKED: u64 = 4 << 20;

/// Directories of what is there to be read or to test with.
const PUBLIC: [&[u8]; 11] = [
    b"test",
    b"tests",
    b"testing",
    b"testdata",
    b"test-data",
    b"testsuite",
    b"doc",
    b"example",
    b"examples",
    b"sample",
    b"samples",
];

/// What names of files end with that hold code.
const CODE: [&[u8]; 12] = [
    b".py", b".pyc", b".pl", b".pm", b".rb", b".js", b".mjs", b".cjs", b".lua", b".php", b".tcl", b".scm",
];

/// What the guard says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may come.
    Free,
    /// It may come with these contents in the place of its own.
    Locked(Vec<u8>, Secret),
    /// It stays where it is.
    Refused(Secret),
}

/// Judges what is about to be packed.
#[derive(Debug)]
pub(super) struct Guard<'a> {
    rootfs: &'a Rootfs,
    /// What a person lets in, and whether that was ever needed.
    allowed: Vec<(Pattern, Cell<bool>)>,
    packages: OnceCell<Option<Packages>>,
}

impl<'a> Guard<'a> {
    pub(super) fn new(rootfs: &'a Rootfs, allowed: Vec<Pattern>) -> Self {
        Self {
            rootfs,
            allowed: allowed.into_iter().map(|pattern| (pattern, Cell::new(false))).collect(),
            packages: OnceCell::new(),
        }
    }

    /// Judges what is at `path`, which has no links on the way to it; `asked` is how that was asked for.
    pub(super) fn judge(&self, path: &RootPath, asked: &RootPath, metadata: &Metadata) -> Result<Verdict, RootfsError> {
        let verdict = match names::secret(path).or_else(|| names::secret(asked)) {
            _ if metadata.kind == Kind::Directory => Verdict::Free,
            Some(Secret::PasswordHashes) if names::is_lockable(path) => self.lock(path)?,
            Some(_) if metadata.kind == Kind::File && metadata.size == 0 => Verdict::Free,
            Some(secret) => Verdict::Refused(secret),
            None if metadata.kind == Kind::File => match self.held(path, metadata)? {
                Some(secret) => Verdict::Refused(secret),
                None => Verdict::Free,
            },
            None => Verdict::Free,
        };
        match verdict {
            Verdict::Locked(..) | Verdict::Refused(_) if self.allows(path) => Ok(Verdict::Free),
            verdict => Ok(verdict),
        }
    }

    /// Does a person let this in, by a pattern for it or for a directory above it?
    pub(super) fn allows(&self, path: &RootPath) -> bool {
        let matches =
            |pattern: &Pattern| pattern.matches(path) || path.ancestors().any(|above| pattern.matches(&above));
        let mut allowed = false;
        for (_, used) in self.allowed.iter().filter(|(pattern, _)| matches(pattern)) {
            used.set(true);
            allowed = true;
        }
        allowed
    }

    /// The patterns that let nothing in.
    pub(super) fn unused(&self) -> impl Iterator<Item = &Pattern> {
        self.allowed
            .iter()
            .filter(|(_, used)| !used.get())
            .map(|(pattern, _)| pattern)
    }

    /// A file of password hashes, with every password locked.
    fn lock(&self, path: &RootPath) -> Result<Verdict, RootfsError> {
        match self.rootfs.read_file(path, MAX_LOCKED) {
            Ok(contents) => Ok(match without_hashes(&contents, b"*") {
                Some(locked) => Verdict::Locked(locked, Secret::PasswordHashes),
                None => Verdict::Free,
            }),
            Err(error) if crate::elf::is_absence(error.errno()) => Ok(Verdict::Free),
            Err(_) => Ok(Verdict::Refused(Secret::PasswordHashes)),
        }
    }

    /// What the contents are.
    fn held(&self, path: &RootPath, metadata: &Metadata) -> Result<Option<Secret>, RootfsError> {
        if is_public(path) {
            return Ok(None);
        }
        let file = match self.rootfs.open_file(path) {
            Ok(file) => file,
            // What cannot be read cannot be packed either: that is told when it is tried.
            Err(error) if matches!(error.errno(), Errno::EACCES | Errno::EPERM) => return Ok(None),
            Err(error) => return Err(error),
        };
        let fault = |error| RootfsError::Read {
            path: path.clone(),
            errno: errno_of(&error),
        };
        let is_key = match keys::find(&file, metadata.size).map_err(fault)? {
            None => false,
            Some(keys::Place::File) => true,
            Some(keys::Place::Within { code: true }) if self.is_distributions(path) => false,
            Some(keys::Place::Within { code }) => !((code || is_code(path)) && self.is_packaged(path)),
        };
        if is_key {
            return Ok(Some(Secret::PrivateKey));
        }
        let has_hashes = hashes::are_in(&file, metadata.size).map_err(fault)?;
        Ok((has_hashes && !self.is_locked_later(path) && !self.is_packaged(path)).then_some(Secret::PasswordHashes))
    }

    /// Is it passwd(5) or group(5), wherever they lead? The base set hides the hashes in those, since nothing goes without them.
    fn is_locked_later(&self, path: &RootPath) -> bool {
        ["/etc/passwd", "/etc/group"].iter().any(|name| {
            let place = self.rootfs.resolve(name.as_bytes(), Last::Follow);
            place.is_ok_and(|place| place.path == *path)
        })
    }

    /// Is it a file of a package? Whoever has the package has the file.
    fn is_packaged(&self, path: &RootPath) -> bool {
        if !path.is_within(&RootPath::new("/usr")) {
            return false;
        }
        self.packages().is_some_and(|packages| packages.owner(path).is_some())
    }

    /// Is it a library of a root file system whose packages nobody knows, as images of boards are? GnuTLS, for one, tests itself with
    /// keys that it brings.
    fn is_distributions(&self, path: &RootPath) -> bool {
        is_library(path) && self.packages().is_none()
    }

    /// A damaged database says nothing, and the closure tells of it.
    fn packages(&self) -> Option<&Packages> {
        let read = || Packages::read(self.rootfs).ok().flatten();
        self.packages.get_or_init(read).as_ref()
    }
}

/// Is it a shared library where systems have theirs?
fn is_library(path: &RootPath) -> bool {
    let mut above = path.components().skip_while(|name| *name == b"usr");
    let name = path.file_name();
    above.next().is_some_and(|name| name.starts_with(b"lib"))
        && (name.ends_with(b".so") || name.windows(4).any(|part| part == b".so."))
}

fn is_public(path: &RootPath) -> bool {
    path.is_within(&RootPath::new("/usr")) && path.components().any(|name| PUBLIC.contains(&name))
}

fn is_code(path: &RootPath) -> bool {
    CODE.iter().any(|end| path.file_name().ends_with(end))
}

/// The lines of a file such as shadow(5) with `locked` in place of each hash; none where there is no hash. `*`, `!` and the empty
/// field are no hashes.
pub(super) fn without_hashes(contents: &[u8], locked: &[u8]) -> Option<Vec<u8>> {
    let mut hidden = false;
    let lines: Vec<Vec<u8>> = contents
        .split(|&byte| byte == b'\n')
        .map(|line| {
            let mut fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
            if let Some(password) = fields.get_mut(1).filter(|password| password.len() > 2) {
                *password = locked;
                hidden = true;
            }
            fields.join(&b':')
        })
        .collect();
    hidden.then(|| lines.join(&b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_hidden() {
        for (contents, expected) in [
            ("root:x:0:0::/root:/bin/sh\nbin:*:1:1:::\n+::::::\n", None),
            (
                "root:$6$abc$def:0:0::/root:/bin/sh\nann:x:1:\n",
                Some("root:x:0:0::/root:/bin/sh\nann:x:1:\n"),
            ),
            ("wheel:aB3dEf:10:ann\n", Some("wheel:x:10:ann\n")),
            ("locked:!!:1:\n", None),
            ("", None),
        ] {
            assert_eq!(
                without_hashes(contents.as_bytes(), b"x").as_deref(),
                expected.map(str::as_bytes),
                "{contents}"
            );
        }
    }

    #[test]
    fn what_is_there_for_everybody() {
        for (path, expected) in [
            ("/usr/lib/python3.11/test/keycert.pem", true),
            ("/usr/share/doc/openvpn/keys/server.key", true),
            ("/usr/share/ovmf/snakeoil.key", false),
            ("/opt/app/test/server.key", false),
            ("/usr/lib/contest/server.key", false),
        ] {
            assert_eq!(is_public(&RootPath::new(path)), expected, "{path}");
        }
    }
}
