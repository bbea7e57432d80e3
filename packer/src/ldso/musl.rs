//! The loader of musl: `load_library`, `path_open` and `fixup_rpath` in `ldso/dynlink.c`.

use std::collections::HashMap;

use nix::errno::Errno;

use super::builtin::MuslBuild;
use super::candidate::{Accepted, Candidate, Refusal, try_musl};
use super::glibc::read_if_there;
use super::search_path::{musl_directories, musl_rpath};
use super::{Alias, Cause, Fault, Loader, Main, Object, Process, directory_of};
use crate::elf::{DependencyTag, ElfFacts, ElfStore};
use crate::rootfs::{Rootfs, RootfsError};

/// Names that stand for the loader itself, which is the C library as well; what follows the dot does not matter.
const RESERVED: [&[u8]; 7] = [
    b"libc.",
    b"libpthread.",
    b"librt.",
    b"libm.",
    b"libdl.",
    b"libutil.",
    b"libxnet.",
];
/// Longest file name: NAME_MAX.
const NAME_MAX: usize = 255;

/// A musl loader with the file it reads.
#[derive(Debug)]
pub(super) struct Musl {
    /// The path file, `/etc/ld-musl-ARCH.path`.
    path_file: Vec<u8>,
    /// Directories searched after the RPATHs.
    system: Vec<Vec<u8>>,
}

impl Musl {
    /// Reads the path file, which takes the place of the directories that were built in.
    pub(super) fn new(rootfs: &Rootfs, interpreter: &[u8], build: MuslBuild) -> Result<Self, RootfsError> {
        let path_file = [prefix(interpreter), b"/etc/ld-musl-", &build.architecture, b".path"].concat();
        let list = read_if_there(rootfs, &path_file)?.unwrap_or(build.system_path);
        // Read as a C string.
        let list = list.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(Self {
            path_file,
            system: musl_directories(list),
        })
    }

    pub(super) fn files(&self) -> Vec<Vec<u8>> {
        vec![self.path_file.clone()]
    }

    pub(super) fn load(&self, loader: &Loader, store: &ElfStore<'_>, main: &Main) -> Result<Process, RootfsError> {
        let mut run = Run::new(self, loader, store);
        let program = Object {
            requested: Vec::new(),
            opened: main.path.as_bytes().to_vec(),
            path: main.path.clone(),
            facts: main.facts.clone(),
            identity: main.identity,
            cause: Cause::Program,
            by: None,
            by_default: true,
        };
        run.push(program, None);
        run.add_loader();
        run.load_dependencies(0)?;
        Ok(run.process)
    }

    pub(super) fn open_library(
        &self,
        loader: &Loader,
        store: &ElfStore<'_>,
        process: Option<&Process>,
        path: &[u8],
    ) -> Result<Process, RootfsError> {
        let mut run = Run::new(self, loader, store);
        match process {
            Some(process) => run.resume(process),
            None => run.add_loader(),
        }
        let first = run.process.objects.len();
        run.request(path, 0, Cause::Opened)?;
        run.load_dependencies(first)?;
        Ok(run.process)
    }
}

/// The loader's own path without its last two components: a musl in `/opt/m/lib` looks for `/opt/m/etc/…`.
fn prefix(interpreter: &[u8]) -> &[u8] {
    let slashes: Vec<usize> = interpreter
        .iter()
        .enumerate()
        .filter(|&(_, &byte)| byte == b'/')
        .map(|(at, _)| at)
        .collect();
    match slashes.as_slice() {
        [.., before, _] if interpreter.starts_with(b"/") => &interpreter[..*before],
        _ => b"",
    }
}

/// One run of the loader.
struct Run<'a> {
    musl: &'a Musl,
    loader: &'a Loader,
    store: &'a ElfStore<'a>,
    /// Names of objects that were found by a search: their file names.
    short_names: HashMap<Vec<u8>, usize>,
    identities: HashMap<(u64, u64), usize>,
    /// The loader's index.
    itself: usize,
    process: Process,
}

/// How a search ended.
enum Search {
    Found {
        opened: Vec<u8>,
        file: Accepted,
        by_default: bool,
    },
    Refused(Vec<u8>, Refusal),
    /// Nothing there, and further directories may be searched.
    Nothing,
    /// Nothing there, and nothing else is searched.
    Stopped,
}

impl<'a> Run<'a> {
    fn new(musl: &'a Musl, loader: &'a Loader, store: &'a ElfStore<'a>) -> Self {
        let (short_names, identities) = (HashMap::new(), HashMap::new());
        Self {
            musl,
            loader,
            store,
            short_names,
            identities,
            itself: 0,
            process: Process::default(),
        }
    }

    fn push(&mut self, object: Object, short_name: Option<Vec<u8>>) -> usize {
        let index = self.process.objects.len();
        if let Some(name) = short_name {
            self.short_names.entry(name).or_insert(index);
        }
        if object.cause != Cause::Program {
            self.identities.entry(object.identity).or_insert(index);
        }
        self.process.objects.push(object);
        index
    }

    fn add_loader(&mut self) {
        let loader = self.loader;
        let object = Object {
            requested: loader.interpreter.clone(),
            opened: loader.interpreter.clone(),
            path: loader.path.clone(),
            facts: loader.facts.clone(),
            identity: loader.identity,
            cause: Cause::Interpreter,
            by: (!self.process.objects.is_empty()).then_some(0),
            by_default: true,
        };
        self.itself = self.push(object, None);
    }

    fn resume(&mut self, process: &Process) {
        for object in &process.objects {
            let short =
                (!object.requested.contains(&b'/') && !object.requested.is_empty()).then(|| object.requested.clone());
            let index = self.push(object.clone(), short);
            if object.cause == Cause::Interpreter {
                self.itself = index;
            }
        }
    }

    /// `load_deps`: object after object in the order they were loaded. Only DT_NEEDED counts.
    fn load_dependencies(&mut self, first: usize) -> Result<(), RootfsError> {
        let mut index = first;
        while let Some(object) = self.process.objects.get(index) {
            let facts = object.facts.clone();
            if index != self.itself {
                for dependency in facts
                    .dependencies
                    .iter()
                    .filter(|dependency| dependency.tag == DependencyTag::Needed)
                {
                    self.request(&dependency.name, index, Cause::Needed)?;
                }
            }
            index += 1;
        }
        Ok(())
    }

    fn request(&mut self, name: &[u8], by: usize, cause: Cause) -> Result<(), RootfsError> {
        if RESERVED.iter().any(|reserved| name.starts_with(reserved)) || name == self.loader.interpreter {
            return Ok(());
        }
        let found = if name.contains(&b'/') {
            self.try_path(name.to_vec(), false)?
        } else if self.short_names.contains_key(name) {
            return Ok(());
        } else {
            self.search(name, by)?
        };
        let refused = match found {
            Search::Found {
                opened,
                file,
                by_default,
            } => {
                self.map(name, opened, file, (by, cause, by_default));
                return Ok(());
            }
            Search::Refused(opened, why) => Some((opened, why)),
            Search::Nothing | Search::Stopped => None,
        };
        self.process.faults.push(Fault {
            name: name.to_vec(),
            by,
            optional: false,
            refused,
        });
        Ok(())
    }

    /// A file that is mapped already is not mapped again; a second C library never is.
    fn map(&mut self, name: &[u8], opened: Vec<u8>, file: Accepted, (by, cause, by_default): (usize, Cause, bool)) {
        let short = (!name.contains(&b'/')).then(|| name.to_vec());
        let alias = Alias {
            requested: name.to_vec(),
            opened: opened.clone(),
            by,
        };
        if let Some(&index) = self.identities.get(&file.identity) {
            if let Some(short) = short {
                self.short_names.entry(short).or_insert(index);
            }
            if self.process.objects[index].opened != opened {
                self.process.aliases.push(alias);
            }
            return;
        }
        if is_a_libc(&file.facts) {
            self.process.aliases.push(alias);
            return;
        }
        let Accepted { path, identity, facts } = file;
        let requested = name.to_vec();
        self.push(
            Object {
                requested,
                opened,
                path,
                facts,
                identity,
                cause,
                by: Some(by),
                by_default,
            },
            short,
        );
    }

    /// RPATHs and RUNPATHs, which are the same to musl, up the chain of those who asked; then the system's directories.
    fn search(&mut self, name: &[u8], by: usize) -> Result<Search, RootfsError> {
        if name.is_empty() || name.len() > NAME_MAX {
            return Ok(Search::Nothing);
        }
        let mut chain = Some(by);
        while let Some(index) = chain {
            if let Some(list) = self.rpath_of(index) {
                match self.search_list(name, &musl_directories(&list), false)? {
                    Search::Nothing => {}
                    end => return Ok(end),
                }
            }
            chain = self.process.objects[index].by;
        }
        let musl = self.musl;
        self.search_list(name, &musl.system, true)
    }

    /// RUNPATH, else RPATH, with `$ORIGIN` replaced; none where it has another token.
    fn rpath_of(&self, index: usize) -> Option<Vec<u8>> {
        let object = &self.process.objects[index];
        let list = object.facts.runpath.as_ref().or(object.facts.rpath.as_ref())?;
        let directory = directory_of(&object.opened);
        // What lies in the root has an empty directory to musl, not "/".
        musl_rpath(list, if directory == b"/" { b"" } else { directory })
    }

    fn search_list(&mut self, name: &[u8], directories: &[Vec<u8>], by_default: bool) -> Result<Search, RootfsError> {
        for directory in directories {
            let opened = [directory.as_slice(), b"/", name].concat();
            match self.try_path(opened, by_default)? {
                Search::Nothing => {}
                end => return Ok(end),
            }
        }
        Ok(Search::Nothing)
    }

    fn try_path(&mut self, opened: Vec<u8>, by_default: bool) -> Result<Search, RootfsError> {
        Ok(match try_musl(self.store, &opened, self.loader.target)? {
            Candidate::Accepted(file) => Search::Found {
                opened,
                file,
                by_default,
            },
            Candidate::Refused(why) => Search::Refused(opened, why),
            Candidate::OtherTarget => Search::Nothing,
            Candidate::Absent(Errno::EACCES) => {
                self.process.unreadable.insert(directory_of(&opened).to_vec());
                Search::Nothing
            }
            Candidate::Absent(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG) => Search::Nothing,
            Candidate::Absent(_) => Search::Stopped,
        })
    }
}

/// musl takes a file that defines both of these for a C library and uses itself instead.
fn is_a_libc(facts: &ElfFacts) -> bool {
    facts.exports.contains(&"__libc_start_main") && facts.exports.contains(&"stdin")
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn prefix_of_the_path_file() {
        for (interpreter, expected) in [
            ("/lib/ld-musl-x86_64.so.1", ""),
            ("/opt/m/lib/ld-musl-x86_64.so.1", "/opt/m"),
            ("/ld.so", ""),
            ("lib/ld.so", ""),
        ] {
            assert_eq!(prefix(interpreter.as_bytes()), expected.as_bytes(), "{interpreter}");
        }
    }
}
