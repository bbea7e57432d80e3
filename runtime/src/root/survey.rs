//! What the image holds where the host's things want to be. Looked up before anything is planned, so that planning
//! stays pure.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;

/// What is at a path of the image. Links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, and every component before it is a directory or is missing too.
    Missing,
    /// An empty directory.
    Empty,
    /// A directory with something in it.
    Full,
    /// Something else, or something else stands in the way.
    Other,
}

/// Answers about one image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What was asked for, and what is there.
    pub standings: BTreeMap<PathBuf, Standing>,
    /// `/etc/passwd`, if it is a file.
    pub passwd: Option<Vec<u8>>,
    /// `/etc/group`, if it is a file.
    pub group: Option<Vec<u8>>,
}

impl Survey {
    /// Looks up `paths`, which are absolute, below `root`.
    ///
    /// # Errors
    /// See [`SurveyError`].
    pub fn take(root: &Path, paths: impl IntoIterator<Item = PathBuf>) -> Result<Self, SurveyError> {
        let mut standings = BTreeMap::new();
        for path in paths {
            let standing = stand(root, &path)?;
            standings.insert(path, standing);
        }
        let etc = matches!(standings.get(Path::new("/etc")), Some(Standing::Full));
        let read = |name: &str| {
            if etc {
                read_file(&root.join("etc").join(name))
            } else {
                Ok(None)
            }
        };
        Ok(Self {
            standings,
            passwd: read("passwd")?,
            group: read("group")?,
        })
    }

    /// What is at `path`. A path that was not asked for counts as taken.
    #[must_use]
    pub fn standing(&self, path: &Path) -> Standing {
        self.standings.get(path).copied().unwrap_or(Standing::Other)
    }
}

fn stand(root: &Path, path: &Path) -> Result<Standing, SurveyError> {
    let mut place = root.to_owned();
    for component in path.components() {
        match component {
            Component::RootDir => continue,
            Component::Normal(name) => place.push(name),
            _ => return Ok(Standing::Other),
        }
        match fs::symlink_metadata(&place) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Ok(Standing::Other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Missing),
            Err(error) => return Err(SurveyError::new(&place, &error)),
        }
    }
    let mut entries = fs::read_dir(&place).map_err(|error| SurveyError::new(&place, &error))?;
    Ok(if entries.next().is_none() {
        Standing::Empty
    } else {
        Standing::Full
    })
}

fn read_file(path: &Path) -> Result<Option<Vec<u8>>, SurveyError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::read(path).map(Some).map_err(|error| SurveyError::new(path, &error)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SurveyError::new(path, &error)),
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
        let cases = [
            ("/", Standing::Full),
            ("/etc", Standing::Full),
            ("/home", Standing::Empty),
            ("/home/ada", Standing::Missing),
            ("/home/ada/work", Standing::Missing),
            ("/var", Standing::Full),
            ("/users", Standing::Other),
            ("/users/ada", Standing::Other),
            ("/etc/passwd", Standing::Other),
            ("/etc/passwd/x", Standing::Other),
            ("/home/../etc", Standing::Other),
        ];
        let survey = Survey::take(&root, cases.iter().map(|(path, _)| PathBuf::from(path))).unwrap();
        for (path, standing) in cases {
            assert_eq!(survey.standing(Path::new(path)), standing, "{path}");
        }
        assert_eq!(survey.standing(Path::new("/srv")), Standing::Other, "not asked for");
        assert_eq!(survey.passwd.as_deref(), Some(&b"root:x:0:0::/:\n"[..]));
        assert_eq!(survey.group, None, "a link is not followed");
        fs::remove_dir_all(&root).unwrap();
    }
}
