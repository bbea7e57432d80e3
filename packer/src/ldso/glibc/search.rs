//! Where the loader looks for a library.

use nix::errno::Errno;

use super::run::{PROGRAM, Run};
use crate::elf::DF_1_NODEFLIB;
use crate::ldso::Cause;
use crate::ldso::candidate::{Accepted, Candidate, Refusal, try_glibc};
use crate::rootfs::RootfsError;

/// How a search ended.
pub(super) enum Search {
    Found {
        opened: Vec<u8>,
        file: Accepted,
        by_default: bool,
    },
    Refused(Vec<u8>, Refusal),
    Nothing,
}
impl Run<'_> {
    /// A name with a slash is a path.
    pub(super) fn open_path(&self, name: &[u8]) -> Result<Search, RootfsError> {
        Ok(match try_glibc(self.store, name, self.loader.target)? {
            Candidate::Accepted(file) => Search::Found {
                opened: name.to_vec(),
                file,
                by_default: false,
            },
            Candidate::Refused(why) => Search::Refused(name.to_vec(), why),
            Candidate::Absent(_) | Candidate::OtherTarget => Search::Nothing,
        })
    }

    /// A name without a slash: RPATHs up the chain of loaders, RUNPATH, cache, default directories.
    pub(super) fn search(&mut self, name: &[u8], by: usize) -> Result<Search, RootfsError> {
        for directories in self.search_lists(by) {
            match self.search_list(name, &directories, false)? {
                Search::Nothing => {}
                end => return Ok(end),
            }
        }
        let no_defaults = self.process.objects[by].facts.flags_1 & DF_1_NODEFLIB != 0;
        match self.search_cache(name, no_defaults)? {
            Search::Nothing if no_defaults => Ok(Search::Nothing),
            Search::Nothing => {
                let glibc = self.glibc;
                self.search_list(name, &glibc.build.system_dirs, true)
            }
            end => Ok(end),
        }
    }

    /// The lists searched for what `by` asks for, before cache and default directories.
    fn search_lists(&self, by: usize) -> Vec<Vec<Vec<u8>>> {
        let mut lists = Vec::new();
        if self.process.objects[by].facts.runpath.is_none() {
            let mut chain = Some(by);
            let mut saw_program = false;
            while let Some(index) = chain {
                lists.push(self.paths[index].rpath.clone());
                saw_program |= self.has_program && index == PROGRAM;
                chain = self.asked_by(index);
            }
            if self.has_program && !saw_program {
                lists.push(self.paths[PROGRAM].rpath.clone());
            }
        }
        lists.push(self.paths[by].runpath.clone());
        lists
    }

    /// `l_loader`: what is opened at run time has none.
    fn asked_by(&self, index: usize) -> Option<usize> {
        let object = &self.process.objects[index];
        object
            .by
            .filter(|_| !matches!(object.cause, Cause::Opened | Cause::Audit | Cause::Interpreter))
    }

    /// `open_path`: each directory with its subdirectories for the processor. What cannot be opened for another reason than that it
    /// is not there ends this list, a file that is no library ends the program.
    fn search_list(&mut self, name: &[u8], directories: &[Vec<u8>], by_default: bool) -> Result<Search, RootfsError> {
        for directory in directories {
            let Some(known) = self.glibc.directory(self.store, directory, self.loader.target)? else {
                continue;
            };
            self.process.varies |= known.for_processors;
            let skip = if known.for_processors {
                0
            } else {
                self.subdirectories.len() - 1
            };
            let mut last = Errno::ENOENT;
            for subdirectory in &self.subdirectories[skip..] {
                let opened = [directory.as_slice(), subdirectory, name].concat();
                match try_glibc(self.store, &opened, self.loader.target)? {
                    Candidate::Accepted(file) => {
                        return Ok(Search::Found {
                            opened,
                            file,
                            by_default,
                        });
                    }
                    Candidate::Refused(why) => return Ok(Search::Refused(opened, why)),
                    Candidate::OtherTarget => last = Errno::ENOENT,
                    Candidate::Absent(errno) => last = errno,
                }
            }
            if last == Errno::EACCES {
                self.process.unreadable.insert(directory.clone());
            }
            if !matches!(last, Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) {
                break;
            }
        }
        Ok(Search::Nothing)
    }

    /// The cache; with DF_1_NODEFLIB its entries in default directories do not count.
    fn search_cache(&mut self, name: &[u8], no_defaults: bool) -> Result<Search, RootfsError> {
        let Some(cache) = &self.glibc.cache else {
            return Ok(Search::Nothing);
        };
        self.process.varies |= cache.depends_on_processor(name, self.loader.target);
        let Some(path) = cache.lookup(name, self.loader.target, self.usable) else {
            return Ok(Search::Nothing);
        };
        if no_defaults
            && self
                .glibc
                .build
                .system_dirs
                .iter()
                .any(|directory| path.starts_with(directory))
        {
            return Ok(Search::Nothing);
        }
        Ok(match self.open_path(path)? {
            Search::Found { opened, file, .. } => Search::Found {
                opened,
                file,
                by_default: true,
            },
            other => other,
        })
    }
}
