//! Patterns of paths, matched inside the root.
//!
//! A pattern is absolute and matched component by component, as a shell does: `*`, `?` and `[…]` within a component, `**` as a
//! component for any number of directories. A component without one of these is looked up as it stands, links followed, so that
//! `/lib/x86_64-linux-gnu/lib*.so` works where `/lib` is a link; `**` does not go through links. Braces, `{a,b/c}`, are choices.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobMatcher};
use nix::errno::Errno;

use super::{KERNEL_DIRECTORIES, Kind, Last, RootPath, Rootfs, RootfsError, braces};

/// A pattern of absolute paths.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    /// One for each choice of its braces.
    alternatives: Vec<Alternative>,
}

/// A pattern without braces.
#[derive(Debug, Clone)]
struct Alternative {
    components: Vec<Component>,
    whole: GlobMatcher,
}

/// One component of a pattern.
#[derive(Debug, Clone)]
enum Component {
    /// A plain name.
    Name(Vec<u8>),
    /// A glob for one name.
    Glob(GlobMatcher),
    /// `**`.
    AnyDepth,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pattern {}: {}", self.pattern, self.message)
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`PatternError`]: it is not absolute, or a bracket is left open.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let fault = |message: String| PatternError {
            pattern: text.to_owned(),
            message,
        };
        if !text.starts_with('/') {
            return Err(fault("not an absolute path of the root file system".into()));
        }
        let mut alternatives = Vec::new();
        for text in braces::expand(text).map_err(|error| fault(error.to_owned()))? {
            let names = text.split('/').filter(|name| !name.is_empty() && *name != ".");
            let components = names.map(component).collect::<Result<_, _>>().map_err(fault)?;
            let whole = glob(text.trim_end_matches('/')).map_err(fault)?;
            alternatives.push(Alternative { components, whole });
        }
        Ok(Self {
            text: text.to_owned(),
            alternatives,
        })
    }

    /// The pattern as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Does the path match, by its text?
    pub fn matches(&self, path: &RootPath) -> bool {
        self.alternatives
            .iter()
            .any(|alternative| alternative.whole.is_match(path.as_path()))
    }
}

fn component(name: &str) -> Result<Component, String> {
    Ok(match name {
        "**" => Component::AnyDepth,
        name if name.contains(['*', '?', '[', '\\']) => Component::Glob(glob(name)?),
        name => Component::Name(name.as_bytes().to_vec()),
    })
}

fn glob(text: &str) -> Result<GlobMatcher, String> {
    let built = GlobBuilder::new(text)
        .literal_separator(true)
        .backslash_escape(true)
        .build();
    built
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

impl Rootfs {
    /// The paths that match `pattern`, sorted; the last component is not followed if it is a link.
    ///
    /// # Errors
    /// [`RootfsError`] where a directory cannot be read. What is not there does not match.
    pub fn glob(&self, pattern: &Pattern) -> Result<Vec<RootPath>, RootfsError> {
        let mut found = Vec::new();
        for alternative in &pattern.alternatives {
            found.extend(self.walk(&alternative.components)?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn walk(&self, components: &[Component]) -> Result<Vec<RootPath>, RootfsError> {
        let mut found = vec![RootPath::root()];
        for component in components {
            let mut next = Vec::new();
            for path in found {
                self.match_component(&path, component, &mut next)?;
            }
            found = next;
        }
        Ok(found)
    }

    /// As [`Rootfs::glob`], for a pattern out of a file of the root file system; nothing where it is none.
    pub(crate) fn glob_bytes(&self, pattern: &[u8]) -> Result<Vec<RootPath>, RootfsError> {
        match std::str::from_utf8(pattern)
            .ok()
            .and_then(|text| Pattern::new(text).ok())
        {
            Some(pattern) => self.glob(&pattern),
            None => Ok(Vec::new()),
        }
    }

    fn match_component(
        &self,
        at: &RootPath,
        component: &Component,
        next: &mut Vec<RootPath>,
    ) -> Result<(), RootfsError> {
        match component {
            Component::Name(name) if name == b".." => next.extend(at.parent()),
            Component::Name(name) => {
                let path = at.join(name);
                if self.exists(&path)? {
                    next.push(path);
                }
            }
            Component::Glob(glob) => {
                for entry in self.names_in(at)? {
                    let name = OsStr::from_bytes(&entry);
                    if glob.is_match(name) {
                        next.push(at.join(&entry));
                    }
                }
            }
            Component::AnyDepth => self.descend(at, next)?,
        }
        Ok(())
    }

    fn exists(&self, path: &RootPath) -> Result<bool, RootfsError> {
        match self.resolve(path.as_bytes(), Last::Keep) {
            Ok(_) => Ok(true),
            Err(error) if is_nothing(error.errno()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Names in the directory that `path` leads to; none where it leads to no directory.
    fn names_in(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, RootfsError> {
        match self.read_dir(path) {
            Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name).collect()),
            Err(error) if is_nothing(error.errno()) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// `path` and everything below it, links not followed; what the kernel's directories hold is left out.
    pub(crate) fn descend(&self, path: &RootPath, found: &mut Vec<RootPath>) -> Result<(), RootfsError> {
        let mut pending = vec![path.clone()];
        while let Some(path) = pending.pop() {
            let metadata = self.lstat(&path)?;
            let is_kernels = KERNEL_DIRECTORIES
                .iter()
                .any(|directory| directory.as_bytes() == path.as_bytes());
            if metadata.kind == Kind::Directory && !is_kernels {
                pending.extend(self.names_in(&path)?.into_iter().map(|name| path.join(name)));
            }
            found.push(path);
        }
        Ok(())
    }
}

fn is_nothing(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG
    )
}
