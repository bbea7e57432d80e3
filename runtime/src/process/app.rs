//! The app's process, from fork(2) to execve(2).

use std::ffi::{CString, NulError, OsString};
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{AccessFlags, access, chdir, execve, getpid, getppid, write};

use super::control_socket::InitEnd;
use super::descriptors;
use super::message::{Failure, FromInit};
use super::observer::Observer;
use super::signals::CallersSignals;
use crate::confine::{ConfineError, Confined, Confinement, Restrictions, Sealed};
use crate::environment::Variable;
use crate::exit;
use crate::limits::LimitError;
use crate::resources::ResourceError;
use crate::stages::Rooted;
use crate::sys::process;

/// The arguments of execve(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    /// Variables whose value is the id of the process that executes this.
    own_id: Vec<&'static str>,
}

impl Program {
    /// `path` with `arguments`, the first of which is its name, and `environment`.
    ///
    /// # Errors
    /// One of them holds a NUL byte, which only a manifest can.
    pub(crate) fn new(
        path: &str,
        arguments: impl IntoIterator<Item = OsString>,
        environment: Vec<Variable>,
    ) -> Result<Self, NulError> {
        Self::at(path.into(), arguments.into_iter().collect(), environment)
    }

    /// The same for a path of any bytes.
    ///
    /// # Errors
    /// See [`Program::new`].
    pub(crate) fn at(path: PathBuf, arguments: Vec<OsString>, environment: Vec<Variable>) -> Result<Self, NulError> {
        let assignment = |(mut name, value): Variable| {
            name.push("=");
            name.push(value);
            CString::new(name.into_vec())
        };
        Ok(Self {
            path: CString::new(path.into_os_string().into_vec())?,
            arguments: arguments
                .into_iter()
                .map(|word| CString::new(word.into_vec()))
                .collect::<Result<_, _>>()?,
            environment: environment.into_iter().map(assignment).collect::<Result<_, _>>()?,
            own_id: Vec::new(),
        })
    }

    /// Tells the program its process id in these variables too, but for those that are set to something else.
    pub(crate) fn telling_own_id(mut self, names: &[&'static str]) -> Self {
        let is_set = |name: &str| {
            let value = |variable: &CString| variable.as_bytes().strip_prefix(name.as_bytes())?.first().copied();
            self.environment.iter().any(|variable| value(variable) == Some(b'='))
        };
        self.own_id = names.iter().copied().filter(|name| !is_set(name)).collect();
        self
    }

    /// Another program with these variables over those of this one.
    pub(crate) fn instead(
        &self,
        path: &str,
        arguments: impl IntoIterator<Item = OsString>,
        variables: &[Variable],
    ) -> Result<Self, NulError> {
        let mut other = Self::new(path, arguments, variables.to_vec())?;
        let name = |variable: &CString| {
            variable
                .as_bytes()
                .split(|&byte| byte == b'=')
                .next()
                .map(<[u8]>::to_vec)
        };
        let over: Vec<_> = other.environment.iter().map(name).collect();
        let kept = self
            .environment
            .iter()
            .filter(|variable| !over.contains(&name(variable)));
        other.environment.extend(kept.cloned());
        other.own_id.clone_from(&self.own_id);
        Ok(other)
    }
}

/// What the app's process gets from init.
#[derive(Debug)]
pub(crate) struct Start<'a, O> {
    pub(crate) rooted: &'a Rooted,
    pub(crate) confinement: Confinement,
    pub(crate) restrictions: &'a Restrictions,
    pub(crate) program: &'a Program,
    pub(crate) signals: &'a CallersSignals,
    pub(crate) socket: &'a InitEnd,
    pub(crate) observer: &'a O,
    /// See [`Job`](crate::job::Job).
    pub(crate) trial: Option<&'a OwnedFd>,
}

impl<'a, O> Start<'a, O> {
    /// The same before the eyes of another.
    pub(crate) fn before<P>(&self, observer: &'a P) -> Start<'a, P> {
        Start {
            rooted: self.rooted,
            confinement: self.confinement,
            restrictions: self.restrictions,
            program: self.program,
            signals: self.signals,
            socket: self.socket,
            observer,
            trial: self.trial,
        }
    }
}

/// Confines this process and executes the program in it. Says on the socket why, when it cannot.
pub(crate) fn become_app(start: &Start<'_, impl Observer>) -> ! {
    let (message, status) = match confine_and_execute(start) {
        Ok(errno) => {
            let present = access(start.program.path.as_c_str(), AccessFlags::F_OK).is_ok();
            (
                FromInit::NotExecuted {
                    errno: errno as i32,
                    present,
                },
                exit::FAILED,
            )
        }
        Err(error) => (error.message(), exit::FAILED),
    };
    match start.socket.send(&message, None) {
        // Nobody to tell: the monitor is gone, and init is about to be.
        Ok(()) | Err(_) => process::exit(status),
    }
}

/// Comes back only with what execve(2) said.
fn confine_and_execute(start: &Start<'_, impl Observer>) -> Result<Errno, StartError> {
    let confined = become_confined(start, start.confinement)?;
    if let Some(trial) = start.trial {
        let told = write(trial, start.rooted.rung().name().as_bytes());
        process::exit(if told.is_ok() { 0 } else { exit::FAILED });
    }
    start.observer.attach().map_err(|errno| StartError::Observer {
        errno,
        hint: start.observer.hint(),
    })?;
    Ok(execute(&confined.seal()?, start.program))
}

/// Gives up what the app must not have, and takes what is the caller's.
pub(crate) fn become_confined<O>(start: &Start<'_, O>, confinement: Confinement) -> Result<Confined, StartError> {
    // As long as this process has the rights.
    let mut status = start.restrictions.status.clone();
    let entered = start.rooted.resources().enter(&mut status);
    entered.map_err(StartError::Resources)?;
    let confined = Confined::confine(start.rooted, confinement, start.restrictions, status)?;
    if let Some(installation) = start.rooted.installation() {
        // No PID namespace ends with init.
        prctl::set_pdeathsig(Signal::SIGKILL).map_err(StartError::Parent)?;
        if getppid() != installation.init {
            process::exit(exit::FAILED);
        }
    }
    enter(start.rooted.cwd(), start.rooted.cwd_is_asked())?;
    umask(start.rooted.callers_umask());
    start.rooted.callers_limit().give_back()?;
    start.signals.give_back().map_err(StartError::Signals)?;
    descriptors::close_as_caller().map_err(StartError::Descriptors)?;
    let started = FromInit::Started(start.rooted.rung());
    start.socket.send(&started, None).map_err(StartError::Tell)?;
    Ok(confined)
}

/// Into the directory; where nobody asked for it and the program may not be there, into the root.
fn enter(directory: &Path, asked: bool) -> Result<(), StartError> {
    chdir(directory)
        .or_else(|errno| if asked { Err(errno) } else { chdir("/") })
        .map_err(|errno| StartError::Directory(directory.to_owned(), errno))
}

/// execve(2): the end of the chain. Only a sealed process gets here.
pub(crate) fn execute(_sealed: &Sealed, program: &Program) -> Errno {
    let Program {
        path,
        arguments,
        environment,
        own_id,
    } = program;
    let mut environment = environment.clone();
    for name in own_id {
        match CString::new(format!("{name}={}", getpid())) {
            Ok(variable) => environment.push(variable),
            Err(_) => return Errno::EINVAL,
        }
    }
    match execve(path, arguments, &environment) {
        Err(errno) => errno,
        Ok(never) => match never {},
    }
}

/// Why there is no app.
#[derive(Debug)]
pub(crate) enum StartError {
    Directory(PathBuf, Errno),
    Resources(ResourceError),
    Confine(ConfineError),
    Limit(LimitError),
    Signals(Errno),
    Descriptors(Errno),
    Parent(Errno),
    Tell(Errno),
    Observer { errno: Errno, hint: Option<String> },
}

impl StartError {
    /// It may be otherwise in another way where it is the user namespace's fault.
    fn message(&self) -> FromInit {
        let failure = Failure::of(self, self.hint(), exit::FAILED);
        match self {
            Self::Confine(ConfineError::UserNamespace(_)) => FromInit::Left(failure),
            _ => FromInit::Failed(failure),
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Resources(error) => error.hint(),
            Self::Confine(error) => error.hint(),
            Self::Observer { hint, .. } => hint.clone(),
            Self::Directory(..)
            | Self::Limit(_)
            | Self::Signals(_)
            | Self::Descriptors(_)
            | Self::Parent(_)
            | Self::Tell(_) => None,
        }
    }
}

impl From<ConfineError> for StartError {
    fn from(error: ConfineError) -> Self {
        Self::Confine(error)
    }
}

impl From<LimitError> for StartError {
    fn from(error: LimitError) -> Self {
        Self::Limit(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, errno) => write!(f, "begin in {}: {}", path.display(), errno.desc()),
            Self::Resources(error) => error.fmt(f),
            Self::Confine(error) => error.fmt(f),
            Self::Limit(error) => error.fmt(f),
            Self::Signals(errno) => write!(f, "give the caller's signals to the app: {}", errno.desc()),
            Self::Descriptors(errno) => write!(f, "close what the caller had closed: {}", errno.desc()),
            Self::Parent(errno) => write!(f, "set the parent-death signal: {}", errno.desc()),
            Self::Tell(errno) => write!(f, "tell the monitor: {}", errno.desc()),
            Self::Observer { errno, .. } => write!(f, "let the app be observed: {}", errno.desc()),
        }
    }
}

/// The caller's umask while the root is built with modes as they are meant.
pub(crate) fn suspend_umask() -> Mode {
    umask(Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_strings_of_c() {
        let environment = vec![("A".into(), "b=c".into()), ("EMPTY".into(), "".into())];
        let program = Program::new("/bin/x", ["x".into(), OsString::from_vec(vec![0xff])], environment).unwrap();
        assert_eq!(program.arguments, [c"x".to_owned(), CString::new([0xff]).unwrap()]);
        assert_eq!(program.environment, [c"A=b=c".to_owned(), c"EMPTY=".to_owned()]);
        assert!(Program::new("/bin/\0x", [], Vec::new()).is_err());
        let program = program.telling_own_id(&["A", "EMPTY", "B", "EMPT"]);
        assert_eq!(program.own_id, ["B", "EMPT"]);
    }
}
