//! How a program is started whose files are somewhere in the host's root: through its own dynamic loader, which is told where the
//! libraries are, ld.so(8). No environment variable says it, so nothing that the program starts is led astray.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::elf;
use crate::error::{contains, errno};
use crate::host::{read_short, read_start};
use crate::root::survey::{inside, resolve};

/// An interpreter of a script may be a script, execve(2).
const MOST_SCRIPTS: usize = 5;

/// What the kernel reads of a script, bytes.
const LONGEST_LINE: usize = 256;

/// Where programs are if nobody says it.
const BIN: [&str; 6] = ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"];

/// The arguments of execve(2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    /// What is executed, in the host's root.
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

/// Why a program cannot be started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LaunchError {
    /// In the image.
    path: PathBuf,
    pub(crate) errno: Errno,
}

impl LaunchError {
    #[inline(never)]
    fn new(path: &Path, errno: Errno) -> Self {
        Self {
            path: path.to_owned(),
            errno,
        }
    }
}

/// A tree of files in the host's root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageTree<'a>(pub(crate) &'a Path);

impl ImageTree<'_> {
    /// How `program`, a path of the tree, is started with `arguments`, the first of which is its name.
    pub(crate) fn launch(self, program: &str, arguments: Vec<OsString>) -> Result<Launch, LaunchError> {
        self.start(Path::new(program), arguments, 0)
    }

    fn start(self, program: &Path, mut arguments: Vec<OsString>, scripts: usize) -> Result<Launch, LaunchError> {
        let (path, file) = self.open(program)?;
        // Executed as it is, it would be the host's loader that the kernel takes.
        let facts = elf::read(&file).map_err(|errno| LaunchError::new(program, errno))?;
        if let Some(facts) = facts {
            if let Some(first) = arguments.first_mut() {
                *first = self.called(program, first);
            }
            return match &facts.interpreter {
                Some(loader) => {
                    let loader = PathBuf::from(OsStr::from_bytes(loader));
                    self.through(&loader, facts, path, arguments)
                }
                None => Ok(Launch { path, arguments }),
            };
        }
        let text = read_start(file, LONGEST_LINE).map_err(|error| LaunchError::new(program, errno(&error)))?;
        match shebang(&text) {
            Some((interpreter, argument)) if scripts < MOST_SCRIPTS => {
                let (interpreter, argument) = self.by_env(interpreter, argument);
                name(&mut arguments, path.into_os_string());
                if let Some(argument) = argument {
                    arguments.insert(0, argument);
                }
                arguments.insert(0, interpreter.clone().into_os_string());
                self.start(&interpreter, arguments, scripts + 1)
            }
            // The kernel says what it thinks of it.
            _ => Ok(Launch { path, arguments }),
        }
    }

    fn open(self, path: &Path) -> Result<(PathBuf, File), LaunchError> {
        let opened = self.find(path).and_then(|found| Ok((File::open(&found)?, found)));
        let (file, found) = opened.map_err(|error| LaunchError::new(path, errno(&error)))?;
        Ok((found, file))
    }

    /// Many a program finds its own files by its name, so the name says where it is.
    fn called(self, program: &Path, name: &OsStr) -> OsString {
        // A shell for a login begins with a hyphen.
        if name.is_empty() || name.as_bytes().starts_with(b"-") {
            return name.to_owned();
        }
        let last = Path::new(name).file_name().unwrap_or(name);
        let directory = program.parent().unwrap_or(program);
        let directory = self.0.join(directory.strip_prefix("/").unwrap_or(directory));
        directory.join(last).into_os_string()
    }

    /// Through the loader that the executable names.
    fn through(
        self,
        loader: &Path,
        facts: elf::ElfFacts,
        path: PathBuf,
        mut arguments: Vec<OsString>,
    ) -> Result<Launch, LaunchError> {
        let failed = |error| LaunchError::new(loader, errno(&error));
        let found = self.find(loader).map_err(failed)?;
        let text = read_short(&found).map_err(failed)?;
        let mut words: Vec<OsString> = vec![found.clone().into_os_string()];
        // Older ones know neither.
        if contains(&text, "--inhibit-cache") {
            words.push("--inhibit-cache".into());
        }
        let search = self.search(loader, &found, &path, facts);
        // musl's looks last at what objects name.
        if let Some(inhibited) = search.inhibited.filter(|_| contains(&text, "--inhibit-rpath")) {
            words.push("--inhibit-rpath".into());
            words.push(inhibited);
        }
        words.push("--library-path".into());
        words.push(search.path);
        let called = name(&mut arguments, path.into_os_string());
        // What musl's looks for is in its text without the hyphens.
        if contains(&text, "argv0") {
            words.push("--argv0".into());
            words.push(called);
        }
        words.append(&mut arguments);
        Ok(Launch {
            path: found,
            arguments: words,
        })
    }

    /// What `#!/usr/bin/env NAME` would look for is looked for in the tree, not in the caller's `PATH`, which is the host's.
    fn by_env(self, interpreter: PathBuf, argument: Option<OsString>) -> (PathBuf, Option<OsString>) {
        let name = argument
            .as_ref()
            .filter(|_| interpreter.file_name() == Some(OsStr::new("env")));
        let name = name.filter(|name| {
            let odd = |byte: &u8| matches!(byte, b'=' | b'/' | b' ' | b'\t');
            !name.as_bytes().iter().any(odd) && !name.as_bytes().starts_with(b"-")
        });
        let mut found = None;
        for directory in BIN {
            let program = name.map(|name| Path::new("/").join(directory).join(name));
            found = found.or(program.filter(|program| self.find(program).is_ok()));
        }
        match found {
            Some(program) => (program, None),
            None => (interpreter, argument),
        }
    }

    /// Where `path` of the tree really is, as chroot(2) would have it: every link is followed, and none out of the tree.
    pub(crate) fn find(self, path: &Path) -> io::Result<PathBuf> {
        let behind = resolve(self.0, path).map_err(|error| error.errno)?;
        let found = inside(self.0, &behind);
        fs::symlink_metadata(&found)?;
        Ok(found)
    }
}

/// Gives the program another name, and back the one that it had.
fn name(arguments: &mut Vec<OsString>, name: OsString) -> OsString {
    match arguments.first_mut() {
        Some(first) => mem::replace(first, name),
        None => {
            arguments.push(name);
            OsString::new()
        }
    }
}

/// The interpreter of a script and the one argument that it gets, as the kernel reads them.
fn shebang(text: &[u8]) -> Option<(PathBuf, Option<OsString>)> {
    let text = text.strip_prefix(b"#!")?;
    let line = text.split(|&byte| byte == b'\n' || byte == 0).next()?.trim_ascii();
    let end = line
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t'))
        .unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(end);
    let argument = argument.trim_ascii();
    let owned = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let interpreter = (!interpreter.is_empty()).then(|| PathBuf::from(owned(interpreter)))?;
    Some((interpreter, (!argument.is_empty()).then(|| owned(argument))))
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {} in the image: {}", self.path.display(), self.errno.desc())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn first_lines() {
        for (text, expected) in [
            (&b"#!/bin/sh\n"[..], Some(("/bin/sh", None))),
            (b"#! /bin/sh -e -x \nx", Some(("/bin/sh", Some("-e -x")))),
            (b"#!\t/bin/sh\0x", Some(("/bin/sh", None))),
            (b"#!\n/bin/sh", None),
            (b"#/bin/sh", None),
            (b"", None),
        ] {
            let expected = expected.map(|(path, argument)| (PathBuf::from(path), argument.map(OsString::from)));
            assert_eq!(shebang(text), expected);
        }
    }

    /// The kernel gives the interpreter what is in the first 256 bytes.
    const LONG: &str = "#!/bin/real                                                                                                   \
        123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\
        123456789012345678901234567890123456789012345678901234567890\n";

    /// A tree with programs that are no ELF files, which is enough to find them.
    pub(in crate::hosts_root) fn tree() -> tempfile::TempDir {
        let scratch = tempfile::tempdir().unwrap();
        for directory in ["usr/bin", "usr/lib/x", "etc", "opt/app/lib"] {
            fs::create_dir_all(scratch.path().join(directory)).unwrap();
        }
        for (file, text) in [
            ("usr/bin/real", "odd"),
            ("usr/bin/script", "#!/bin/real -x\n"),
            ("usr/bin/by-env", "#!/usr/bin/env real\n"),
            ("usr/bin/endless", "#!/bin/endless\n"),
            ("usr/bin/long", LONG),
            ("etc/ld-musl.path", "/opt/app/lib:relative\n/nowhere\n"),
            (
                "etc/ld.so.cache",
                "glibc-ld.so.cache1.1\0libx.so\0/usr/lib/x/libx.so\0/usr/bin/liby.so\0",
            ),
        ] {
            fs::write(scratch.path().join(file), text).unwrap();
        }
        for (link, target) in [
            ("bin", "/usr/bin"),
            ("usr/bin/up", "../../../../etc/ld.so.cache"),
            ("usr/bin/round", "/bin/round"),
            ("usr/bin/gone", "/nowhere"),
        ] {
            symlink(target, scratch.path().join(link)).unwrap();
        }
        scratch
    }

    #[test]
    fn links_stay_in_the_tree() {
        let scratch = tree();
        let tree = ImageTree(scratch.path());
        let found = |path: &str| tree.find(Path::new(path));
        let inside = |path: &str| scratch.path().join(path);
        assert_eq!(found("/bin/real").unwrap(), inside("usr/bin/real"));
        assert_eq!(found("/../bin/../bin/real").unwrap(), inside("usr/bin/real"));
        assert_eq!(found("bin/up").unwrap(), inside("etc/ld.so.cache"));
        assert_eq!(found("/bin/round").unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert_eq!(found("/bin/gone").unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert_eq!(found("/bin/real/x").unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
    }

    #[test]
    fn scripts_through_their_interpreters() {
        let scratch = tree();
        let tree = ImageTree(scratch.path());
        let inside = |path: &str| scratch.path().join(path).into_os_string();
        let launched = |path: &str| tree.launch(path, vec!["name".into(), "a".into()]);
        let launch = launched("/bin/script").unwrap();
        assert_eq!(launch.path, inside("usr/bin/real"));
        assert_eq!(
            launch.arguments,
            ["/bin/real".into(), "-x".into(), inside("usr/bin/script"), "a".into()]
        );
        let launch = launched("/bin/by-env").unwrap();
        assert_eq!(
            launch.arguments,
            ["/usr/bin/real".into(), inside("usr/bin/by-env"), "a".into()]
        );
        let launch = launched("/bin/long").unwrap();
        assert_eq!(launch.arguments[1], LONG[LONG.rfind(' ').unwrap() + 1..256]);
        assert_eq!(launched("/bin/endless").unwrap().path, inside("usr/bin/endless"));
        let missing = launched("/bin/gone").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "read /bin/gone in the image: No such file or directory"
        );
    }

    #[test]
    fn what_names_a_loader_is_not_left_to_the_hosts() {
        let scratch = tree();
        let bytes = elf::tests::with_loader_cut_off();
        fs::write(scratch.path().join("usr/bin/cut-off"), bytes).unwrap();
        let refused = ImageTree(scratch.path()).launch("/bin/cut-off", vec!["name".into()]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "read /bin/cut-off in the image: Exec format error"
        );
    }

    #[test]
    fn names_say_where_the_program_is() {
        let tree = ImageTree(Path::new("/t"));
        for (program, name, expected) in [
            ("/usr/bin/python3", "python3", "/t/usr/bin/python3"),
            ("/bin/busybox", "sh", "/t/bin/sh"),
            ("/bin/busybox", "/sbin/sh", "/t/bin/sh"),
            ("/bin/sh", "-sh", "-sh"),
            ("/bin/sh", "", ""),
        ] {
            assert_eq!(tree.called(Path::new(program), OsStr::new(name)), expected, "{name}");
        }
    }
}
