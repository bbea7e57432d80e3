//! Where a program of a tree finds its libraries: what the loader would find by itself if the tree were the root, ld.so(8).
//!
//! What an object names in `DT_RPATH` glibc's loader looks at before all that it is told, and a directory that is named by its
//! absolute path is the host's. So the loader is told which objects not to heed, and the tree's directories of these names.

use std::env::consts::ARCH;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::elf::{self, ElfFacts};
use super::launch::ImageTree;
use crate::directory;
use crate::error::errno;
use crate::host::read_short;

/// Where libraries are if nobody says it.
const LIB: [&str; 5] = ["lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib"];

/// Directories of `glibc-hwcaps` that a loader may prefer: no other machine that bundles are made for has any.
const LEVELS: [&str; 3] = ["x86-64-v4", "x86-64-v3", "x86-64-v2"];

/// What the loader is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// Directories, with colons.
    pub(super) path: OsString,
    /// Objects that lead to the host's libraries, with colons, as the loader calls them: the program by no name, and first.
    pub(super) inhibited: Option<OsString>,
}

impl ImageTree<'_> {
    /// The directories of the tree that have libraries, whatever a program names: those of the loader's path file or cache, the
    /// loader's, and the usual ones.
    pub(crate) fn library_directories(self, loader: &Path, found: &Path) -> Vec<PathBuf> {
        let mut usual = Directories(Vec::new());
        // musl's: a list.
        let stem = loader.file_name().unwrap_or_default().as_bytes();
        let stem = stem.split(|&byte| byte == b'.').next().unwrap_or_default();
        let list = [b"etc/", stem, b".path"].concat();
        usual.add_all(self, &self.contents(Path::new(OsStr::from_bytes(&list))), false);
        // glibc's: a table of files, each with a NUL byte behind it.
        usual.add_all(self, &self.contents(Path::new("etc/ld.so.cache")), true);
        for file in [loader, found.strip_prefix(self.0).unwrap_or(found)] {
            let directory = file.parent().unwrap_or(file);
            usual.add(self, directory);
            usual.add(
                self,
                &Path::new("usr").join(directory.strip_prefix("/").unwrap_or(directory)),
            );
        }
        for directory in LIB {
            usual.add(self, Path::new(directory));
        }
        usual.0
    }

    /// What the loader is told of the directories that the program and its libraries name, and of [`Self::library_directories`].
    pub(super) fn search(self, loader: &Path, found: &Path, program: &Path, facts: ElfFacts) -> Search {
        let usual = self.library_directories(loader, found);
        let mut walk = Walk::through(self, &usual, program, &facts, false);
        if walk.inhibited.is_some() {
            walk = Walk::through(self, &usual, program, &facts, true);
        }
        let mut path = walk.named;
        for directory in usual {
            path.push(directory);
        }
        let mut list = None;
        for directory in &path.0 {
            add(&mut list, directory.as_os_str().as_bytes());
        }
        Search {
            path: list.unwrap_or_default(),
            inhibited: walk.inhibited,
        }
    }

    /// Nothing where there is none.
    fn contents(self, path: &Path) -> Vec<u8> {
        self.find(path).and_then(|found| read_short(&found)).unwrap_or_default()
    }

    /// A path below the tree as the tree calls it.
    fn inside(self, path: &Path) -> &Path {
        path.strip_prefix(self.0).unwrap_or(path)
    }

    /// Whether `path` leads the kernel to where it leads in the tree, and not to the host's files by a link or `..`. What is nowhere in
    /// the tree must not be the host's either, nor become it when somebody makes it there.
    fn leads_to(self, path: &Path, found: Option<&Path>) -> bool {
        match found {
            // The tree's own path has no links.
            Some(found) => fs::canonicalize(path).is_ok_and(|led| led == found),
            // Not by a link, and not from elsewhere.
            None => {
                let above = path.parent().filter(|_| fs::symlink_metadata(path).is_err());
                above.is_some_and(|above| self.leads_to(above, self.find(self.inside(above)).ok().as_deref()))
            }
        }
    }
}

/// Directories of a tree, each once, as the host's root calls them.
struct Directories(Vec<PathBuf>);

impl Directories {
    fn push(&mut self, directory: PathBuf) {
        if !self.0.contains(&directory) {
            self.0.push(directory);
        }
    }

    /// As the image calls it, links and all.
    fn add(&mut self, tree: ImageTree<'_>, directory: &Path) {
        if let Ok(there) = tree.find(directory)
            && there.is_dir()
        {
            self.push(there);
        }
    }

    /// All absolute paths of `list`, or the directories that these files are in.
    fn add_all(&mut self, tree: ImageTree<'_>, list: &[u8], files: bool) {
        for path in list.split(|byte| matches!(byte, b':' | b'\n' | 0)) {
            let path = Path::new(OsStr::from_bytes(path.trim_ascii()));
            let directory = if files { path.parent() } else { Some(path) };
            if let Some(directory) = directory.filter(|_| path.is_absolute()) {
                self.add(tree, directory);
            }
        }
    }
}

/// Through the program and all that it needs.
struct Walk<'a> {
    tree: ImageTree<'a>,
    /// Directories that objects name, which stand before the usual ones.
    named: Directories,
    /// Where the loader may look: each directory of the tree once, however many names lead to it.
    places: Vec<Place>,
    needed: Vec<Vec<u8>>,
    inhibited: Option<OsString>,
    /// Take what is named in a roundabout way, as `$ORIGIN/../lib`, for what leads out. The loader calls a library by the way to it, and
    /// one that is found by such a way, and needs another by such a way, makes it longer: only by straight ways is it known what to
    /// call those that it is not to heed, if there are any.
    straight: bool,
}

/// A directory where the loader may look.
struct Place {
    path: PathBuf,
    /// What is in it; unknown where it cannot be listed.
    names: Option<Vec<OsString>>,
    /// How many of the needed libraries were looked for here.
    looked: usize,
}

impl<'a> Walk<'a> {
    fn through(tree: ImageTree<'a>, usual: &[PathBuf], program: &Path, facts: &ElfFacts, straight: bool) -> Self {
        let mut walk = Self {
            tree,
            named: Directories(Vec::new()),
            places: Vec::new(),
            needed: Vec::new(),
            inhibited: None,
            straight,
        };
        walk.visit(program, b"", facts);
        for directory in usual {
            walk.look_in(directory.clone());
        }
        walk.walk();
        walk
    }

    /// Every needed library in every place, once: which of them is taken is the loader's to find.
    fn walk(&mut self) {
        let mut index = 0;
        let mut since = 0;
        // What a library says may lead back to earlier places.
        while since < self.places.len() {
            index = if index + 1 < self.places.len() { index + 1 } else { 0 };
            since += 1;
            while let Some((path, name)) = self.next_in(index) {
                self.meet(&path, &name);
                since = 0;
            }
        }
    }

    /// The next of the needed libraries that is in this place.
    fn next_in(&mut self, index: usize) -> Option<(PathBuf, OsString)> {
        let place = self.places.get_mut(index)?;
        while let Some(name) = self.needed.get(place.looked) {
            place.looked += 1;
            let name = OsStr::from_bytes(name);
            let may_be = |names: &Vec<OsString>| names.iter().any(|known| known == name);
            if place.names.as_ref().is_none_or(may_be) {
                return Some((place.path.join(name), name.to_owned()));
            }
        }
        None
    }

    /// Takes what is at `path`, if it is a library.
    fn meet(&mut self, path: &Path, name: &OsStr) {
        let Ok(found) = self.tree.find(self.tree.inside(path)) else {
            return;
        };
        if !self.tree.leads_to(path, Some(&found)) {
            // The loader would follow the link to the host's, but for the one of the same name where the link leads in the tree.
            let directory = found.parent().filter(|_| found.file_name() == Some(name));
            if let Some(directory) = directory {
                self.named.push(directory.to_owned());
                self.look_in(directory.to_owned());
            }
            return;
        }
        let name = path.as_os_str().as_bytes();
        match File::open(path)
            .map_err(|error| errno(&error))
            .and_then(|file| elf::read(&file))
        {
            Ok(Some(facts)) => self.visit(path, name, &facts),
            Ok(None) => {}
            // The loader may read it yet, and is not to heed what nobody has seen.
            Err(_) => add(&mut self.inhibited, name),
        }
    }

    /// Takes what the object at `path` says, which the loader calls `name`.
    #[inline(never)]
    fn visit(&mut self, path: &Path, name: &[u8], facts: &ElfFacts) {
        // `${ORIGIN}` is `$ORIGIN`.
        let mut search_path = facts.search_path.clone();
        search_path.retain(|byte| !matches!(byte, b'{' | b'}'));
        let origin = path.parent().unwrap_or(path).as_os_str().as_bytes();
        let mut strays = false;
        let mut directories = Vec::new();
        let multiarch = [b"lib/", ARCH.as_bytes(), b"-linux-gnu"].concat();
        let entries = |byte: &u8| *byte == b':';
        for library in [&multiarch[..], b"lib64", b"lib"] {
            for entry in search_path.split(entries).filter(|_| !search_path.is_empty()) {
                let near = of_origin(entry);
                let path = expanded(near.map_or(&[], |_| origin), near.unwrap_or(entry), library);
                let found = self.tree.find(self.tree.inside(&path)).ok();
                // A relative one means wherever the caller is.
                strays |= near.is_none() || !self.tree.leads_to(&path, found.as_deref());
                strays |= self.straight && found.as_deref().is_some_and(|found| *found != path);
                if near.is_some() || path.is_absolute() {
                    directories.extend(found.filter(|found| found.is_dir()));
                }
            }
        }
        if strays {
            add(&mut self.inhibited, name);
        }
        for directory in directories {
            // What the program names counts for all that it needs.
            if strays || name.is_empty() {
                self.named.push(directory.clone());
            }
            self.look_in(directory);
        }
        for name in &facts.needed {
            if !name.contains(&b'/') && !self.needed.contains(name) {
                self.needed.push(name.clone());
            }
        }
    }

    /// With what the loader prefers on some machines.
    #[inline(never)]
    fn look_in(&mut self, place: PathBuf) {
        if self.places.iter().any(|known| known.path == place) {
            return;
        }
        let better = place.join("glibc-hwcaps");
        if better.is_dir() {
            for level in LEVELS {
                self.places.push(Place::new(better.join(level)));
            }
        }
        self.places.push(Place::new(place));
    }
}

impl Place {
    fn new(path: PathBuf) -> Self {
        Self {
            names: directory::names(&path).ok(),
            path,
            looked: 0,
        }
    }
}

/// Adds to a list with colons.
#[inline(never)]
fn add(list: &mut Option<OsString>, item: &[u8]) {
    match list {
        None => *list = Some(OsStr::from_bytes(item).to_owned()),
        Some(list) => {
            list.push(":");
            list.push(OsStr::from_bytes(item));
        }
    }
}

/// What is behind `$ORIGIN`, the object's own directory, which only means something at the front.
fn of_origin(entry: &[u8]) -> Option<&[u8]> {
    let rest = entry.strip_prefix(b"$ORIGIN")?;
    matches!(rest, [] | [b'/', ..]).then_some(rest)
}

/// `entry` behind `front`, with what its names stand for, ld.so(8).
fn expanded(front: &[u8], entry: &[u8], library: &[u8]) -> PathBuf {
    let machine = ARCH.as_bytes();
    let names: [(&[u8], &[u8]); 2] = [(b"$LIB", library), (b"$PLATFORM", machine)];
    let mut path = front.to_vec();
    let mut rest = entry;
    while let Some((byte, behind)) = rest.split_first() {
        let mut part = (std::slice::from_ref(byte), behind);
        for (name, value) in names {
            if let Some(behind) = rest.strip_prefix(name) {
                part = (value, behind);
            }
        }
        path.extend_from_slice(part.0);
        rest = part.1;
    }
    OsString::from_vec(path).into()
}

#[cfg(test)]
mod tests;
