//! What the image holds where the host's things want to be. Looked up before anything is planned, so that planning
//! stays pure.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;

use super::contract::NSSWITCH;
use crate::host;

/// What is at a path of the image. Links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, and every component before it is a directory or is missing too.
    Missing,
    /// An empty directory.
    Empty,
    /// A directory with something in it.
    Full,
    /// A directory; nobody asked what is in it.
    Directory,
    /// Something else, or something else stands in the way.
    Other,
}

/// What is to be looked up. Paths are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Is there a directory?
    pub directories: Vec<PathBuf>,
    /// Is there one, and is it empty?
    pub contents: Vec<PathBuf>,
    /// Where do the symbolic links on the way lead to, and what is there?
    pub targets: Vec<PathBuf>,
    /// What is in `/etc/passwd` and `/etc/group`?
    pub names: bool,
    /// What is in `/etc/nsswitch.conf`, behind all links? [`Survey::modules`] is wanted, too.
    pub nsswitch: bool,
}

/// Answers about one image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What was asked for, and what is there.
    pub standings: Vec<(PathBuf, Standing)>,
    /// Targets behind all links.
    pub resolved: Vec<(PathBuf, PathBuf)>,
    /// `/etc/passwd`, if it was asked for and is a file.
    pub passwd: Option<Vec<u8>>,
    /// `/etc/group`, if it was asked for and is a file.
    pub group: Option<Vec<u8>>,
    /// `/etc/nsswitch.conf`, likewise.
    pub nsswitch: Option<Vec<u8>>,
    /// Services that there is a module for, `libnss_SERVICE.so.2`: whoever knows where loaders look adds them.
    pub modules: Vec<Vec<u8>>,
}

impl Survey {
    /// Answers `questions` about the tree below `root`.
    ///
    /// # Errors
    /// See [`SurveyError`].
    pub fn take(root: &Path, questions: Questions) -> Result<Self, SurveyError> {
        let mut standings = Vec::new();
        let mut missing = Vec::new();
        let mut resolved = Vec::new();
        for path in questions.targets {
            let behind = resolve(root, &path)?;
            let standing = stand(root, &behind, &mut missing)?;
            if let (Standing::Other, Some(parent)) = (standing, behind.parent()) {
                standings.push((parent.to_owned(), stand(root, parent, &mut missing)?));
            }
            standings.push((behind.clone(), standing));
            resolved.push((path, behind));
        }
        for path in questions.directories {
            let standing = stand(root, &path, &mut missing)?;
            standings.push((path, standing));
        }
        for path in questions.contents {
            let standing = match stand(root, &path, &mut missing)? {
                Standing::Directory => look_into(root, &path)?,
                other => other,
            };
            standings.push((path, standing));
        }
        let etc = standing_of(&standings, Path::new("/etc")) == Standing::Directory;
        let read = |name: &str| {
            if etc && questions.names {
                read_file(&root.join("etc").join(name))
            } else {
                Ok(None)
            }
        };
        let (passwd, group) = (read("passwd")?, read("group")?);
        let mut survey = Self {
            standings,
            resolved,
            passwd,
            group,
            nsswitch: None,
            modules: Vec::new(),
        };
        if questions.nsswitch {
            survey.nsswitch = read_file(&inside(root, &resolve(root, Path::new(NSSWITCH))?))?;
        }
        Ok(survey)
    }

    /// Directories of the tree below `root` that are the very directories of `host`: sharing them hides nothing, so they
    /// count as empty.
    pub fn forgive_the_hosts_own(&mut self, root: &Path, host: &Path) {
        for (path, standing) in &mut self.standings {
            if *standing == Standing::Full && is_same(&inside(root, path), &inside(host, path)) {
                *standing = Standing::Empty;
            }
        }
    }

    /// The target `path` behind all links. One that was not asked for is taken as it is.
    #[must_use]
    pub fn resolved<'a>(&'a self, path: &'a Path) -> &'a Path {
        self.resolved
            .iter()
            .find(|(asked, _)| asked == path)
            .map_or(path, |(_, behind)| behind)
    }

    /// What is at `path`. A path that was not asked for counts as taken.
    #[must_use]
    pub fn standing(&self, path: &Path) -> Standing {
        standing_of(&self.standings, path)
    }
}

/// What was found at `path` last: what is in a directory is asked after whether there is one. They are a few dozen.
fn standing_of(standings: &[(PathBuf, Standing)], path: &Path) -> Standing {
    let found = standings.iter().rfind(|(known, _)| known == path);
    found.map_or(Standing::Other, |(_, standing)| *standing)
}

/// `missing`: places where nothing is, as far as they are known. An image server is asked for each of them but once.
fn stand(root: &Path, path: &Path, missing: &mut Vec<PathBuf>) -> Result<Standing, SurveyError> {
    let mut place = root.to_owned();
    let whole = inside(root, path);
    if missing.iter().any(|known| whole.starts_with(known)) && path.components().all(is_plain) {
        return Ok(Standing::Missing);
    }
    for component in path.components() {
        match component {
            Component::RootDir => continue,
            Component::Normal(name) => place.push(name),
            _ => return Ok(Standing::Other),
        }
        match fs::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Ok(Standing::Other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing.push(place);
                return Ok(Standing::Missing);
            }
            // A directory that is somebody else's may be closed to the caller.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Standing::Other),
            Err(error) => return Err(SurveyError::new(&place, &error)),
        }
    }
    Ok(Standing::Directory)
}

fn is_plain(component: Component<'_>) -> bool {
    matches!(component, Component::RootDir | Component::Normal(_))
}

/// Most links on the way to something, as for the kernel: path_resolution(7).
const MOST_LINKS: usize = 40;

/// `path` behind all symbolic links of the tree below `root`, to which `..` and absolute links lead at most: what chroot(2) would
/// make of it. What is missing has no links.
pub(crate) fn resolve(root: &Path, path: &Path) -> Result<PathBuf, SurveyError> {
    let (mut place, mut links) = (PathBuf::from("/"), 0);
    let mut left = path.to_owned();
    loop {
        let mut parts = left.components();
        let Some(part) = parts.next() else { return Ok(place) };
        let mut rest = parts.as_path().to_owned();
        match part {
            Component::ParentDir => _ = place.pop(),
            Component::Normal(name) => {
                place.push(name);
                let here = inside(root, &place);
                // An error: no link, not there, or not to be seen. Whoever mounts there will find out.
                if let Ok(target) = fs::read_link(&here) {
                    links += 1;
                    if links > MOST_LINKS {
                        let errno = Errno::ELOOP;
                        return Err(SurveyError { path: here, errno });
                    }
                    place.pop();
                    rest = target.join(rest);
                }
            }
            Component::RootDir => place = "/".into(),
            Component::CurDir | Component::Prefix(_) => {}
        }
        left = rest;
    }
}

pub(crate) fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

fn look_into(root: &Path, path: &Path) -> Result<Standing, SurveyError> {
    let place = inside(root, path);
    let mut entries = match fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Standing::Full),
        Err(error) => return Err(SurveyError::new(&place, &error)),
    };
    Ok(if entries.next().is_none() {
        Standing::Empty
    } else {
        Standing::Full
    })
}

/// The contents of `path`, if it is a regular file and no link to one.
fn read_file(path: &Path) -> Result<Option<Vec<u8>>, SurveyError> {
    match host::read_regular(path, libc::O_NOFOLLOW) {
        Err(Errno::ENOENT | Errno::ELOOP) => Ok(None),
        read => read.map_err(|errno| SurveyError {
            path: path.to_owned(),
            errno,
        }),
    }
}

/// A place of the image that could not be looked at.
#[derive(Debug)]
pub struct SurveyError {
    /// As the builder of the root sees it.
    pub path: PathBuf,
    /// Why.
    pub errno: Errno,
}

impl SurveyError {
    fn new(path: &Path, error: &io::Error) -> Self {
        Self {
            path: path.to_owned(),
            errno: Errno::from_raw(error.raw_os_error().unwrap_or_default()),
        }
    }
}

impl fmt::Display for SurveyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "look up {}: {}", self.path.display(), self.errno.desc())
    }
}

impl std::error::Error for SurveyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn standings() {
        let root = std::env::temp_dir().join(format!("polecat-survey-{}", std::process::id()));
        for directory in ["etc", "home", "var/lib"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0::/:\n").unwrap();
        symlink("passwd", root.join("etc/group")).unwrap();
        symlink("/home", root.join("users")).unwrap();
        // What is told of the directory alone, and of what is in it.
        let cases = [
            ("/", Standing::Directory, Standing::Full),
            ("/etc", Standing::Directory, Standing::Full),
            ("/home", Standing::Directory, Standing::Empty),
            ("/home/ada", Standing::Missing, Standing::Missing),
            ("/home/ada/work", Standing::Missing, Standing::Missing),
            ("/var", Standing::Directory, Standing::Full),
            ("/users", Standing::Other, Standing::Other),
            ("/users/ada", Standing::Other, Standing::Other),
            ("/etc/passwd", Standing::Other, Standing::Other),
            ("/etc/passwd/x", Standing::Other, Standing::Other),
            ("/home/../etc", Standing::Other, Standing::Other),
        ];
        let paths: Vec<PathBuf> = cases.iter().map(|(path, ..)| PathBuf::from(path)).collect();
        let asked = |directories, contents| {
            let names = true;
            Survey::take(
                &root,
                Questions {
                    directories,
                    contents,
                    names,
                    ..Questions::default()
                },
            )
            .unwrap()
        };
        let outside = asked(paths.clone(), Vec::new());
        let inside = asked(Vec::new(), paths);
        for (path, directory, contents) in cases {
            assert_eq!(outside.standing(Path::new(path)), directory, "{path}");
            assert_eq!(inside.standing(Path::new(path)), contents, "{path}");
        }
        let survey = outside;
        assert_eq!(survey.standing(Path::new("/srv")), Standing::Other, "not asked for");
        let other = std::env::temp_dir();
        for (host, expected) in [(&root, Standing::Empty), (&other, Standing::Full)] {
            let mut survey = inside.clone();
            survey.forgive_the_hosts_own(&root, host);
            assert_eq!(survey.standing(Path::new("/etc")), expected);
            assert_eq!(survey.standing(Path::new("/users")), Standing::Other);
        }
        assert_eq!(survey.passwd.as_deref(), Some(&b"root:x:0:0::/:\n"[..]));
        assert_eq!(survey.group, None, "a link is not followed");
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn links_lead_nowhere_but_into_the_tree() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        fs::create_dir_all(root.join("run")).unwrap();
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        for (target, link) in [
            ("/run", "var"),
            ("usr/lib", "lib"),
            ("../../../../run", "usr/up"),
            ("/etc/passwd", "absolute"),
            ("loop", "loop"),
            ("/absolute", "usr/twice"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        for (path, expected) in [
            ("/run/x", Some("/run/x")),
            ("/var/x/y", Some("/run/x/y")),
            ("/lib/a", Some("/usr/lib/a")),
            ("/usr/up/x", Some("/run/x")),
            ("/lib/../up", Some("/run")),
            ("/absolute", Some("/etc/passwd")),
            ("/usr/twice", Some("/etc/passwd")),
            ("/missing/../run", Some("/run")),
            ("/", Some("/")),
            ("/loop/x", None),
        ] {
            let found = resolve(&root, Path::new(path)).ok();
            assert_eq!(found.as_deref(), expected.map(Path::new), "{path}");
        }
    }
}
