//! Which directories of the host the app sees: the caller's home and working directory, at their own paths.

use std::fmt;
use std::path::{Path, PathBuf};

use super::survey::{Standing, Survey};
use crate::host::{Facts, Shared};
use crate::options::{Share, Shares};

/// Never shared, nor anything below: what is there inside is the app's own.
const OWN: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binds {
    /// Outer directories before those inside them.
    pub shared: Vec<Shared>,
    /// Working directory of the app, if the caller's is shared.
    pub cwd: Option<PathBuf>,
    /// What is not shared, and why.
    pub refused: Vec<(PathBuf, Refusal)>,
}

/// Why a directory is not shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is `/`, or in `/proc`, `/sys` or `/dev`.
    Own,
    /// The image holds something there, or on the way.
    Taken,
    /// It lies inside another directory that is shared and shows something else there: nothing may be made in that one.
    Inside,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "it is the app's own",
            Self::Taken => "the image holds something there",
            Self::Inside => "another directory that is shared has something else there",
        })
    }
}

/// Places that [`choose`] wants to know about.
#[must_use]
pub fn questions(host: &Facts, shares: Shares) -> Vec<PathBuf> {
    candidates(host, shares).into_iter().map(|shared| shared.path).collect()
}

/// Shares the caller's home and working directory as far as nothing of the image is hidden by them.
#[must_use]
pub fn choose(host: &Facts, shares: Shares, survey: &Survey) -> Binds {
    let mut binds = Binds {
        shared: Vec::new(),
        cwd: None,
        refused: Vec::new(),
    };
    for candidate in candidates(host, shares) {
        match refusal(&candidate, survey) {
            Some(refusal) => binds.refused.push((candidate.path, refusal)),
            None if binds.shared.iter().any(|outer| shows(outer, &candidate)) => {}
            None if binds.shared.iter().any(|outer| candidate.path.starts_with(&outer.path)) => {
                binds.refused.push((candidate.path, Refusal::Inside));
            }
            None => binds.shared.push(candidate),
        }
    }
    binds.cwd = host.cwd.clone().filter(|cwd| {
        let cwd = Shared {
            path: cwd.clone(),
            source: cwd.clone(),
        };
        binds.shared.iter().any(|outer| shows(outer, &cwd))
    });
    binds
}

/// Outer directories first, so that one can show the other.
fn candidates(host: &Facts, shares: Shares) -> Vec<Shared> {
    let home = host.home.iter().filter(|_| shares.has(Share::Home));
    let cwd = host.cwd.iter().filter(|_| shares.has(Share::Cwd)).map(|cwd| Shared {
        path: cwd.clone(),
        source: cwd.clone(),
    });
    let called: Vec<Shared> = home.cloned().chain(cwd).collect();
    let depth = |shared: &Shared| shared.path.components().count();
    let mut candidates: Vec<Shared> = Vec::with_capacity(called.len());
    for shared in &called {
        let candidate = behind_links(shared, &called);
        if !candidates.contains(&candidate) {
            // They are two: the library's sort would take kilobytes of the stub.
            let at = candidates.partition_point(|known| depth(known) <= depth(&candidate));
            candidates.insert(at, candidate);
        }
    }
    candidates
}

/// A directory that a link inside another shared one leads to is shared where it really is: the link will lead there,
/// and a mount point in its place would have to be made in the host's directory.
fn behind_links(shared: &Shared, all: &[Shared]) -> Shared {
    let linked =
        |outer: &Shared| outer.path != shared.path && shared.path.starts_with(&outer.path) && !shows(outer, shared);
    Shared {
        path: if all.iter().any(linked) {
            &shared.source
        } else {
            &shared.path
        }
        .clone(),
        source: shared.source.clone(),
    }
}

fn refusal(shared: &Shared, survey: &Survey) -> Option<Refusal> {
    let own = |path: &Path| path == Path::new("/") || OWN.iter().any(|own| path.starts_with(own));
    if own(&shared.path) || own(&shared.source) {
        return Some(Refusal::Own);
    }
    match survey.standing(&shared.path) {
        Standing::Missing | Standing::Empty => None,
        Standing::Full | Standing::Directory | Standing::Other => Some(Refusal::Taken),
    }
}

/// Whether `outer` shows `inner` at its path already.
pub(super) fn shows(outer: &Shared, inner: &Shared) -> bool {
    match (
        inner.path.strip_prefix(&outer.path),
        inner.source.strip_prefix(&outer.source),
    ) {
        (Ok(path), Ok(source)) => path == source,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, survey};
    use super::*;

    fn shared(path: &str, source: &str) -> Shared {
        Shared {
            path: path.into(),
            source: source.into(),
        }
    }

    fn same(path: &str) -> Shared {
        shared(path, path)
    }

    fn chosen(home: Option<Shared>, cwd: Option<&str>, held: &[(&str, Standing)]) -> Binds {
        let host = Facts {
            home,
            cwd: cwd.map(PathBuf::from),
            ..facts()
        };
        let shares = Shares::default();
        choose(&host, shares, &survey(&questions(&host, shares), held))
    }

    #[test]
    fn what_is_shared() {
        /// Home, working directory, what is shared, the app's working directory.
        type Case<'a> = (Option<Shared>, Option<&'a str>, &'a [Shared], Option<&'a str>);
        let cases: [Case<'_>; 13] = [
            (
                Some(same("/home/ada")),
                Some("/home/ada/work"),
                &[same("/home/ada")],
                Some("/home/ada/work"),
            ),
            (
                Some(same("/home/ada")),
                Some("/home/ada"),
                &[same("/home/ada")],
                Some("/home/ada"),
            ),
            (Some(same("/home/ada")), Some("/home"), &[same("/home")], Some("/home")),
            (
                Some(same("/home/ada")),
                Some("/home/adam"),
                &[same("/home/ada"), same("/home/adam")],
                Some("/home/adam"),
            ),
            (
                Some(same("/home/ada")),
                Some("/srv/x"),
                &[same("/home/ada"), same("/srv/x")],
                Some("/srv/x"),
            ),
            (Some(same("/home/ada")), Some("/"), &[same("/home/ada")], None),
            (Some(same("/home/ada")), Some("/dev/shm"), &[same("/home/ada")], None),
            (Some(same("/")), Some("/tmp"), &[same("/tmp")], Some("/tmp")),
            (Some(shared("/h", "/proc/1")), None, &[], None),
            // The home directory is reached through a link; the working directory is its real name.
            (
                Some(shared("/home/ada", "/data/ada")),
                Some("/data/ada/work"),
                &[shared("/home/ada", "/data/ada"), same("/data/ada/work")],
                Some("/data/ada/work"),
            ),
            // The home directory is a link inside the working directory, or lies behind one.
            (
                Some(shared("/home/ada", "/data/ada")),
                Some("/home"),
                &[same("/home"), same("/data/ada")],
                Some("/home"),
            ),
            (
                Some(shared("/home/l/ada", "/home/data/ada")),
                Some("/home"),
                &[same("/home")],
                Some("/home"),
            ),
            (None, None, &[], None),
        ];
        for (home, cwd, expected, inside) in cases {
            let binds = chosen(home.clone(), cwd, &[]);
            assert_eq!(binds.shared, expected, "{home:?} {cwd:?}");
            assert_eq!(binds.cwd.as_deref(), inside.map(Path::new), "{home:?} {cwd:?}");
        }
    }

    #[test]
    fn the_image_comes_first() {
        type Case<'a> = (&'a str, &'a [(&'a str, Standing)], bool);
        let cases: [Case<'_>; 5] = [
            ("/usr/bin", &[("/usr/bin", Standing::Full)], false),
            ("/home/ada", &[("/home/ada", Standing::Empty)], true),
            ("/home/ada", &[("/home/ada", Standing::Full)], false),
            ("/home/ada", &[("/home/ada", Standing::Other)], false),
            ("/var/spool", &[("/var/spool", Standing::Missing)], true),
        ];
        for (cwd, held, is_shared) in cases {
            let binds = chosen(None, Some(cwd), held);
            assert_eq!(binds.cwd.is_some(), is_shared, "{cwd} {held:?}");
            assert_eq!(binds.refused.is_empty(), is_shared, "{cwd} {held:?}");
        }
    }

    #[test]
    fn a_taken_home_does_not_take_the_working_directory() {
        let binds = chosen(Some(same("/root")), Some("/root/work"), &[("/root", Standing::Full)]);
        assert_eq!(binds.shared, [same("/root/work")]);
        assert_eq!(binds.refused, [("/root".into(), Refusal::Taken)]);
    }
}
