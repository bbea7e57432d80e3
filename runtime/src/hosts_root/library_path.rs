//! Where a program of a tree finds its libraries: what the loader would find by itself if the tree were the root, ld.so(8).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::launch::Tree;
use crate::host::read_short;

/// Where libraries are if nobody says it.
const LIB: [&str; 5] = ["lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib"];

impl Tree<'_> {
    /// The directories of the tree that have libraries: the executable's own, those of the loader's path file or cache, the loader's,
    /// and the usual ones.
    pub(super) fn library_path(self, loader: &Path, found: &Path, search_path: &[u8]) -> OsString {
        let mut path = LibraryPath {
            tree: self,
            found: Vec::new(),
        };
        path.add_all(search_path, false);
        // musl's: a list.
        let stem = loader.file_name().unwrap_or_default().as_bytes();
        let stem = stem.split(|&byte| byte == b'.').next().unwrap_or_default();
        let list = [b"etc/", stem, b".path"].concat();
        path.add_all(&self.contents(Path::new(OsStr::from_bytes(&list))), false);
        // glibc's: a table of files, each with a NUL byte behind it.
        path.add_all(&self.contents(Path::new("etc/ld.so.cache")), true);
        for file in [loader, found.strip_prefix(self.0).unwrap_or(found)] {
            let directory = file.parent().unwrap_or(file);
            path.add(directory);
            path.add(&Path::new("usr").join(directory.strip_prefix("/").unwrap_or(directory)));
        }
        for directory in LIB {
            path.add(Path::new(directory));
        }
        OsString::from_vec(path.found.join(&b':'))
    }

    /// Nothing where there is none.
    fn contents(self, path: &Path) -> Vec<u8> {
        self.find(path).and_then(|found| read_short(&found)).unwrap_or_default()
    }
}

/// Directories of a tree, as the host's root calls them.
struct LibraryPath<'a> {
    tree: Tree<'a>,
    found: Vec<Vec<u8>>,
}

impl LibraryPath<'_> {
    /// As the image calls it, links and all; one that leads out of the image leads to the host's.
    fn add(&mut self, directory: &Path) {
        let Ok(there) = self.tree.find(directory) else { return };
        let name = there.as_os_str().as_bytes();
        if there.is_dir() && !self.found.iter().any(|known| known == name) {
            self.found.push(name.to_vec());
        }
    }

    /// All absolute paths of `list`, or the directories that these files are in.
    fn add_all(&mut self, list: &[u8], files: bool) {
        for path in list.split(|byte| matches!(byte, b':' | b'\n' | 0)) {
            let path = Path::new(OsStr::from_bytes(path.trim_ascii()));
            let directory = if files { path.parent() } else { Some(path) };
            if let Some(directory) = directory.filter(|_| path.is_absolute()) {
                self.add(directory);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts_root::launch::tests::tree;

    #[test]
    fn libraries_are_looked_for_in_the_tree_only() {
        let scratch = tree();
        let tree = Tree(scratch.path());
        let loader = Path::new("/usr/lib/ld-musl.so.1");
        let found = scratch.path().join("usr/lib/ld-musl.so.1");
        let path = tree.library_path(loader, &found, b"$ORIGIN:/opt/app:/etc/../opt/app");
        let expected = ["opt/app", "opt/app/lib", "usr/lib/x", "usr/bin", "usr/lib"];
        let expected: Vec<String> = expected
            .map(|path| scratch.path().join(path).display().to_string())
            .to_vec();
        assert_eq!(path.to_str().unwrap(), expected.join(":"));
    }
}
