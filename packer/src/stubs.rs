//! The stubs: the executables that stand in front of bundles. One, for the machine that polecat was built for, is part of polecat.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::elf::{ElfError, ElfFacts};

static EMBEDDED: &[u8] = include_bytes!(env!("POLECAT_STUB_FILE"));

/// Longest stub that is read from a file: far above any real one.
const MAX_LENGTH: u64 = 64 << 20;

/// The executable in front of a bundle.
#[derive(Debug, Clone)]
pub struct Stub {
    bytes: Cow<'static, [u8]>,
}

/// The stub that is part of this polecat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// Machine it runs on, as `uname -m` says it.
    pub architecture: &'static str,
    /// Length in bytes.
    pub length: usize,
}

/// The stub that is part of this polecat.
pub const fn embedded() -> Embedded {
    Embedded {
        architecture: env!("POLECAT_STUB_ARCHITECTURE"),
        length: EMBEDDED.len(),
    }
}

/// Why there is no stub for a bundle.
#[derive(Debug)]
pub enum StubError {
    /// The program to pack is for a machine that this polecat has no stub for.
    Missing {
        /// The program's machine, as `uname -m` says it.
        architecture: String,
    },
    /// The stub was made for another machine than the program.
    OtherArchitecture {
        /// The stub.
        path: PathBuf,
        /// Its machine.
        stub: String,
        /// The program's machine.
        program: String,
    },
    /// The stub needs an interpreter: not every machine has that.
    NotStatic {
        /// The stub.
        path: PathBuf,
    },
    /// Not an ELF executable.
    NotElf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ElfError,
    },
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StubError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { architecture }
            | Self::OtherArchitecture {
                program: architecture, ..
            } => Some(format!(
                "build the stub for {architecture} with `cargo build --package polecat-stub --profile stub --target \
                 {architecture}-unknown-linux-musl` and give it with --stub"
            )),
            Self::NotStatic { .. } => Some("link it statically: for a musl target, or with +crt-static".into()),
            Self::NotElf { .. } => Some("give the executable that `cargo build --package polecat-stub` makes".into()),
            Self::Read { .. } => None,
        }
    }
}

impl fmt::Display for StubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { architecture } => write!(
                f,
                "the program is for {architecture}; this polecat has a stub for {} only",
                embedded().architecture
            ),
            Self::OtherArchitecture { path, stub, program } => {
                write!(
                    f,
                    "the program is for {program}, the stub {} for {stub}",
                    path.display()
                )
            }
            Self::NotStatic { path } => write!(f, "the stub {} is not a static executable", path.display()),
            Self::NotElf { path, source } => write!(f, "the stub {}: {source}", path.display()),
            Self::Read { path, source } => write!(f, "the stub {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for StubError {}

impl Stub {
    /// The stub for a program of this architecture: the one in `file`, else the one that is part of polecat.
    ///
    /// # Errors
    /// [`StubError`].
    pub fn choose(architecture: &str, file: Option<&Path>) -> Result<Self, StubError> {
        match file {
            Some(path) => read(path, architecture),
            None if architecture == embedded().architecture => Ok(Self {
                bytes: Cow::Borrowed(EMBEDDED),
            }),
            None => Err(StubError::Missing {
                architecture: architecture.to_owned(),
            }),
        }
    }

    /// The executable.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn read(path: &Path, architecture: &str) -> Result<Stub, StubError> {
    let fault = |source| StubError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(fault)?;
    let facts = ElfFacts::read(&file).map_err(|source| StubError::NotElf {
        path: path.to_owned(),
        source,
    })?;
    let stub = facts.target.architecture();
    if stub != architecture {
        return Err(StubError::OtherArchitecture {
            path: path.to_owned(),
            stub,
            program: architecture.to_owned(),
        });
    }
    if facts.interpreter.is_some() {
        return Err(StubError::NotStatic { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let read = file
        .by_ref()
        .take(MAX_LENGTH + 1)
        .read_to_end(&mut bytes)
        .map_err(fault)?;
    match u64::try_from(read) {
        Ok(0..=MAX_LENGTH) => Ok(Stub {
            bytes: Cow::Owned(bytes),
        }),
        _ => Err(fault(io::ErrorKind::FileTooLarge.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_stub_is_for_its_architecture_alone() {
        let own = embedded();
        assert_eq!(
            Stub::choose(own.architecture, None).expect("embedded").bytes().len(),
            own.length
        );
        let error = Stub::choose("pdp11", None).expect_err("none such");
        assert!(error.to_string().contains("pdp11"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("--stub")));
    }

    #[test]
    fn a_given_stub_is_checked() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("stub");
        std::fs::write(&path, EMBEDDED).expect("room");
        let own = embedded().architecture;
        assert_eq!(Stub::choose(own, Some(&path)).expect("a stub").bytes(), EMBEDDED);
        assert!(matches!(
            Stub::choose("pdp11", Some(&path)),
            Err(StubError::OtherArchitecture { .. })
        ));
        std::fs::write(&path, "#!/bin/sh\n".repeat(100)).expect("room");
        assert!(matches!(Stub::choose(own, Some(&path)), Err(StubError::NotElf { .. })));
        assert!(matches!(
            Stub::choose(own, Some(&directory.path().join("none"))),
            Err(StubError::Read { .. })
        ));
    }
}
