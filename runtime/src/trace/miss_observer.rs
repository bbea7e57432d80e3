//! The observer of a bundle's run that is asked what the bundle lacks: which files the app looks for in vain although the
//! root file system that it was packed from had them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, PathBuf};

use bundle::path_set::{Member, PathSet};
use nix::errno::Errno;

use super::calls::Act;
use super::interpreter::{self, Interpreter};
use super::listener::{DEPTH_MAX, Listener, NamedFile};
use super::missed::{Log, Note};
use super::place::{Absence, Found, Mounts, Presence};
use crate::error::errno;
use crate::process::observer::Observer;

/// The first Linux where a call that was announced can go on, seccomp_unotify(2).
const FIRST_LINUX: (u32, u32) = (5, 5);

#[derive(Debug)]
pub(crate) struct MissObserver {
    listener: Listener,
    search: Search,
    /// Why nothing can be noted.
    unavailable: Option<Errno>,
}

#[derive(Debug)]
struct Search {
    mounts: Mounts,
    paths: PathSet,
    log: Log,
}

impl MissObserver {
    pub(super) fn new(log: File, paths: PathSet) -> Result<Self, Errno> {
        Ok(Self {
            listener: Listener::new()?,
            search: Search {
                mounts: Mounts::default(),
                paths,
                log: Log::new(log),
            },
            unavailable: None,
        })
    }
}

/// Where the kernel cannot announce calls the app runs unobserved: what it is asked to do matters more than a report.
impl Observer for MissObserver {
    fn prepare(&mut self) -> Result<(), Errno> {
        self.search.mounts = Mounts::read()?;
        let release = fs::read("/proc/sys/kernel/osrelease").map_err(|error| errno(&error))?;
        self.unavailable = (version(&release) < Some(FIRST_LINUX)).then_some(Errno::ENOSYS);
        Ok(())
    }

    fn attach(&self) -> Result<(), Errno> {
        match self.unavailable.map_or_else(|| self.listener.attach(), Err) {
            Ok(()) => Ok(()),
            Err(errno) => self.search.log.write(&Note::Unavailable(errno)),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.listener.descriptor()
    }

    fn serve(&mut self) -> Result<(), Errno> {
        self.listener.serve(|file| self.search.look(file))
    }

    fn stays(&self) -> bool {
        false
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

/// The first two numbers of a kernel's release.
fn version(release: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = std::str::from_utf8(release)
        .ok()?
        .split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

impl Search {
    /// Looks what is at the path now, right before the call.
    fn look(&mut self, file: NamedFile) -> Result<(), Errno> {
        let NamedFile { path, act, flags } = file;
        let makes = match act {
            Act::Make => true,
            Act::Open(_) => flags & libc::O_CREAT != 0,
            Act::Execute | Act::Look | Act::List => false,
        };
        match (act, self.mounts.look(&path)) {
            (_, Presence::Missing(absence)) => self.missing(absence, makes),
            (Act::Execute, Presence::Found(found)) if found.is_regular() => self.program(path, &found, true, 0),
            (Act::Execute, Presence::Elsewhere(Some(found))) => self.program(path, &found, false, 0),
            (Act::Execute | Act::Open(_), Presence::Found(found)) if found.is_link() => self.dangling(&found),
            _ => Ok(()),
        }
    }

    /// Nothing is there. What is to be made there is not missed, but the directory for it may be.
    fn missing(&mut self, absence: Absence, makes: bool) -> Result<(), Errno> {
        match judge(absence, makes, |member| self.paths.contains(member)) {
            Judgement::NeverWas => Ok(()),
            Judgement::Made(path) => {
                self.log.settle(&Note::Missing(path));
                Ok(())
            }
            Judgement::Was(path) => self.log.tell(&Note::Missing(path)),
            Judgement::Behind { link, path } => {
                self.log.tell(&Note::Missing(link))?;
                self.log.tell(&Note::Uncertain(path))
            }
        }
    }

    /// A link is there and leads to nothing.
    fn dangling(&mut self, link: &Found) -> Result<(), Errno> {
        let path = link.path().map_err(|error| errno(&error))?;
        match self.paths.contains(Member::Link(path.as_os_str().as_bytes())) {
            true => self.log.tell(&Note::Dangling(path)),
            false => Ok(()),
        }
    }

    /// The kernel opens what a program names as its loader or interpreter. A program of the host's is none of the bundle's,
    /// but its interpreter may be.
    fn program(&mut self, path: PathBuf, found: &Found, is_own: bool, depth: usize) -> Result<(), Errno> {
        if !found.is_regular() {
            return Ok(());
        }
        let Ok(executable) = found.open().and_then(|file| interpreter::examine(&file)) else {
            return Ok(());
        };
        if is_own && executable.foreign {
            self.log.tell(&Note::Unseen(path))?;
        }
        let (next, is_script) = match executable.interpreter {
            Interpreter::Loader(loader) => (loader, false),
            Interpreter::OfScript(interpreter) => (interpreter, true),
            Interpreter::None => return Ok(()),
        };
        if !next.is_absolute() {
            return Ok(());
        }
        match self.mounts.look(&next) {
            Presence::Missing(absence) => self.missing(absence, false),
            Presence::Found(found) if is_script && depth < DEPTH_MAX => self.program(next, &found, true, depth + 1),
            _ => Ok(()),
        }
    }
}

/// What is known of a path where nothing is.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// The root file system had nothing there either.
    NeverWas,
    /// It had, and the app makes it anew.
    Made(PathBuf),
    /// It had.
    Was(PathBuf),
    /// It had this link on the way, and what lay behind that is not known.
    Behind { link: PathBuf, path: PathBuf },
}

/// Judges by what was there, going down from what is there. Pure.
fn judge(absence: Absence, makes: bool, was: impl Fn(Member<'_>) -> bool) -> Judgement {
    let Absence { above, rest } = absence;
    let mut names: Vec<&[u8]> = Vec::new();
    let mut is_whole = true;
    for component in rest.components() {
        match component {
            Component::Normal(name) => names.push(name.as_bytes()),
            // What is above a directory that is not there cannot be found by way of it: the directory is missed.
            _ => {
                is_whole = false;
                break;
            }
        }
    }
    let made = if makes && is_whole { names.pop() } else { None };
    let mut path = above.into_os_string().into_vec();
    let mut link = None;
    for (index, name) in names.iter().enumerate() {
        join(&mut path, name);
        if link.is_none() && index + 1 < names.len() && was(Member::Link(&path)) {
            link = Some(path.clone());
        }
    }
    let is_made = names.is_empty();
    if let Some(name) = made.filter(|_| is_made) {
        join(&mut path, name);
    }
    let known = was(Member::Path(&path));
    let path = PathBuf::from(OsString::from_vec(path));
    match link {
        Some(link) => Judgement::Behind {
            link: PathBuf::from(OsString::from_vec(link)),
            path,
        },
        None if !known => Judgement::NeverWas,
        None if is_made => Judgement::Made(path),
        None => Judgement::Was(path),
    }
}

fn join(path: &mut Vec<u8>, name: &[u8]) {
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_and_what_never_was() {
        let was = |member: Member<'_>| {
            matches!(
                member,
                Member::Path(b"/etc/x" | b"/usr/lib" | b"/usr/lib/java" | b"/usr/lib/java-17" | b"/root")
                    | Member::Link(b"/usr/lib/java")
            )
        };
        let missed = |path: &str, link: Option<&str>| match link {
            None => Judgement::Was(path.into()),
            Some(link) => Judgement::Behind {
                link: link.into(),
                path: path.into(),
            },
        };
        for (above, rest, makes, expected) in [
            ("/etc", "x", false, missed("/etc/x", None)),
            ("/etc", "y", false, Judgement::NeverWas),
            ("/", "root", false, missed("/root", None)),
            ("/etc", "x/below", false, Judgement::NeverWas),
            ("/etc", "x/../y", false, missed("/etc/x", None)),
            ("/etc", "y/../x", false, Judgement::NeverWas),
            // Made, or would be if its directory were there.
            ("/etc", "x", true, Judgement::Made("/etc/x".into())),
            ("/etc", "y", true, Judgement::NeverWas),
            ("/usr", "lib/new", true, missed("/usr/lib", None)),
            ("/usr", "share/new", true, Judgement::NeverWas),
            ("/usr", "lib/../new", true, missed("/usr/lib", None)),
            // What lay behind a link is not known.
            ("/usr/lib", "java", false, missed("/usr/lib/java", None)),
            (
                "/usr/lib",
                "java/bin/java",
                false,
                missed("/usr/lib/java/bin/java", Some("/usr/lib/java")),
            ),
            (
                "/usr",
                "lib/java/bin",
                false,
                missed("/usr/lib/java/bin", Some("/usr/lib/java")),
            ),
            ("/usr/lib", "java/new", true, missed("/usr/lib/java", None)),
        ] {
            let absence = Absence {
                above: above.into(),
                rest: rest.into(),
            };
            assert_eq!(judge(absence, makes, was), expected, "{above} {rest} {makes}");
        }
    }

    #[test]
    fn releases_of_linux() {
        for (release, expected) in [
            ("5.4.0-150-generic\n", Some((5, 4))),
            ("6.1.0", Some((6, 1))),
            ("5.10-rc1", Some((5, 10))),
            ("4", None),
            ("", None),
        ] {
            assert_eq!(version(release.as_bytes()), expected, "{release}");
        }
        assert!(version(b"6.18.44") >= Some(FIRST_LINUX) && version(b"5.4.9") < Some(FIRST_LINUX));
    }
}
