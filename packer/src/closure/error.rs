//! Why there is no plan.

use std::fmt;

use crate::elf::ElfError;
use crate::ldso::LoaderError;
use crate::plan::Secret;
use crate::rootfs::{PatternError, RootPath, RootfsError, printable};

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClosureError {
    /// A look-up failed for another reason than that nothing is there, or a file cannot be read.
    Rootfs(RootfsError),
    /// `--include` or `--exclude` is not a pattern.
    Pattern(PatternError),
    /// A command is in no directory of PATH, or there is nothing at its path.
    CommandNotFound {
        /// As it was given.
        command: Vec<u8>,
        /// PATH of the root file system; none where the command is a path itself.
        search_path: Option<String>,
        /// Names in PATH that look like it.
        near: Vec<String>,
    },
    /// A command is a symbolic link that leads to nothing.
    Dangling {
        /// Where it was found.
        path: RootPath,
        /// What is missing.
        missing: RootPath,
    },
    /// A command was found, but may not be executed.
    NotExecutable {
        /// Where it was found.
        path: RootPath,
    },
    /// A command is neither an ELF executable nor a script.
    NotAProgram {
        /// Where it was found.
        path: RootPath,
        /// What it is instead.
        fault: ProgramFault,
    },
    /// The interpreter of a command, a script's or PT_INTERP, cannot be used.
    Interpreter {
        /// The program that names it.
        program: RootPath,
        /// The interpreter, as it is named.
        interpreter: Vec<u8>,
        /// What is wrong with it.
        fault: InterpreterFault,
    },
    /// The command itself is excluded.
    CommandExcluded {
        /// Where it was found.
        path: RootPath,
        /// The pattern that excludes it.
        pattern: String,
    },
    /// What was asked for by name holds a secret, and nobody let it in.
    Refused {
        /// Where it is.
        path: RootPath,
        /// What it holds.
        secret: Secret,
    },
    /// `--user` names somebody whom the image does not know.
    NoSuchName {
        /// The user or group.
        name: String,
        /// Where it should stand.
        file: &'static str,
        /// Names there that look like it.
        near: Vec<String>,
    },
    /// One of these about a program of `--also` instead of the command.
    Also(Box<ClosureError>),
    /// One of these about an entry point of `--as`.
    EntryPoint {
        /// Its name.
        name: String,
        /// Why.
        error: Box<ClosureError>,
    },
}

/// What a command is when it is no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramFault {
    /// A directory, a device, …
    NotAFile,
    /// An ELF file that cannot be run.
    Elf(ElfError),
    /// An ELF file that is not for running: an object file, a core.
    NotForRunning,
    /// A text or anything else, without `#!`.
    NoInterpreter,
}

/// What is wrong with an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterpreterFault {
    /// There is nothing at its path, or it is not in PATH.
    Missing,
    /// It is for another machine than the program.
    OtherMachine {
        /// What the program is for.
        program: String,
        /// What the interpreter is for.
        interpreter: String,
    },
    /// Its ELF file is damaged.
    Elf(ElfError),
    /// Scripts that interpret scripts, deeper than the kernel goes.
    TooDeep,
}

impl ClosureError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Rootfs(error) => error.hint(),
            Self::Pattern(_) => {
                Some("patterns are absolute paths of the root file system with *, ?, [], {} and **".into())
            }
            Self::Also(error) | Self::EntryPoint { error, .. } => error.hint(),
            Self::CommandNotFound { near, .. } if !near.is_empty() => None,
            Self::CommandNotFound {
                search_path: Some(_), ..
            } => Some("give the path of the command inside the root file system".into()),
            Self::CommandNotFound { .. } => Some("paths are those inside the root file system".into()),
            Self::NoSuchName { near, .. } if !near.is_empty() => None,
            Self::NoSuchName { .. } => Some("add it there, or give its number".into()),
            Self::NotExecutable { .. } => Some("make it executable with chmod +x".into()),
            Self::NotAProgram {
                fault: ProgramFault::NoInterpreter,
                ..
            } => Some("begin a script with #! and its interpreter".into()),
            Self::CommandExcluded { .. } => Some("narrow that --exclude so that it leaves the program in".into()),
            Self::Refused { path, .. } => Some(format!("--allow {path}, if whoever gets the bundle may have it")),
            Self::NotAProgram { .. } => None,
            Self::Dangling { .. }
            | Self::Interpreter {
                fault: InterpreterFault::Missing,
                ..
            } => Some("install the package that has it into the root file system".into()),
            Self::Interpreter { .. } => None,
        }
    }

    /// Is it that something is not there: not in the root file system, or excluded?
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::CommandNotFound { .. } | Self::Dangling { .. } | Self::CommandExcluded { .. } => true,
            Self::Interpreter { fault, .. } => *fault == InterpreterFault::Missing,
            Self::Also(error) | Self::EntryPoint { error, .. } => error.is_not_found(),
            _ => false,
        }
    }

    /// The text, with the program called what `role` says.
    fn write(&self, role: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rootfs(error) => write!(f, "{error}"),
            Self::Pattern(error) => write!(f, "{error}"),
            Self::CommandNotFound {
                command,
                search_path,
                near,
            } => {
                write!(f, "{role}{}: not ", printable(command))?;
                match search_path {
                    Some(search_path) => write!(f, "found in the root file system's PATH, {search_path}")?,
                    None => f.write_str("in the root file system")?,
                }
                write_near(near, f)
            }
            Self::NoSuchName { name, file, near } => {
                write!(f, "--user: {name}: not in {file} of what is packed")?;
                write_near(near, f)
            }
            Self::Dangling { path, missing } => {
                write!(
                    f,
                    "{role}{path}: a link that leads to {missing}, which is not in the root file system"
                )
            }
            Self::NotExecutable { path } => write!(f, "{role}{path}: not executable"),
            Self::NotAProgram { path, fault } => write!(f, "{role}{path}: {fault}"),
            Self::Interpreter {
                program,
                interpreter,
                fault,
            } => {
                write!(f, "interpreter of {program}: {}: {fault}", printable(interpreter))
            }
            Self::CommandExcluded { path, pattern } => write!(f, "{role}{path}: excluded by {pattern}"),
            Self::Refused { path, secret } => write!(f, "{path}: refused: it holds {secret}"),
            Self::Also(error) => error.write("--also ", f),
            Self::EntryPoint { name, error } => error.write(&format!("--as {name}="), f),
        }
    }
}

fn write_near(near: &[String], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match near {
        [] => Ok(()),
        near => write!(f, "; did you mean {}?", near.join(" or ")),
    }
}

impl fmt::Display for ClosureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write("command: ", f)
    }
}

impl fmt::Display for ProgramFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile => f.write_str("not a regular file"),
            Self::Elf(error) => error.fmt(f),
            Self::NotForRunning => f.write_str("an ELF file, but not an executable"),
            Self::NoInterpreter => f.write_str("neither an ELF executable nor a script with #!"),
        }
    }
}

impl fmt::Display for InterpreterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("not in the root file system"),
            Self::OtherMachine { program, interpreter } => write!(f, "is for {interpreter}, the program for {program}"),
            Self::Elf(error) => error.fmt(f),
            Self::TooDeep => f.write_str("scripts interpret scripts deeper than the kernel goes"),
        }
    }
}

impl std::error::Error for ClosureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rootfs(error) => Some(error),
            Self::Pattern(error) => Some(error),
            Self::Also(error) | Self::EntryPoint { error, .. } => error.source(),
            _ => None,
        }
    }
}

impl From<RootfsError> for ClosureError {
    fn from(error: RootfsError) -> Self {
        Self::Rootfs(error)
    }
}

impl From<PatternError> for ClosureError {
    fn from(error: PatternError) -> Self {
        Self::Pattern(error)
    }
}

impl InterpreterFault {
    /// What a loader's error means for the program that names it.
    pub(super) fn of(error: LoaderError) -> Result<Self, RootfsError> {
        match error {
            LoaderError::Missing => Ok(Self::Missing),
            LoaderError::Elf(error) => Ok(Self::Elf(error)),
            LoaderError::Rootfs(error) => Err(error),
        }
    }
}
