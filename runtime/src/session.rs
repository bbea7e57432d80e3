//! What of the caller's session and of the host a run is to see, by the names that it has there.
//!
//! Each share is a few sockets, device nodes, and the variables that say where they are. Which, is a function of the variables;
//! what is there of it is looked for afterwards. Without an option nothing is asked.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::geteuid;

use crate::debug::Trace;
use crate::directory;
use crate::environment::Variable;
use crate::error::{Error, errno};
use crate::options::{BindOption, Options, Share, can_be_target, is_plain};
use crate::root::op::{Bind, BindKind, Part};
use crate::text;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Parts of the host, where they will be seen.
    pub(crate) binds: Vec<Bind>,
    /// `$XDG_RUNTIME_DIR`, where anything in it is shared.
    pub(crate) runtime_directory: Option<PathBuf>,
    /// Variables of the caller's that a closed box gets too.
    pub(crate) passed: Vec<&'static str>,
    /// Variables that say what a default of the caller's was.
    pub(crate) set: Vec<Variable>,
}

const RUNTIME_DIRECTORY: &str = "XDG_RUNTIME_DIR";

/// Where a part of a share is.
#[derive(Debug, Clone, Copy)]
struct ShareSource {
    of: Share,
    /// The variable that says it, if there is one.
    variable: &'static str,
    /// What the path stands behind in the variable, where that is a list of addresses.
    prefix: &'static str,
    /// Where it is if the variable is not set; a relative path begins in `$XDG_RUNTIME_DIR`, and so may one in the variable then. With a
    /// star behind it: all that begin so. None: nowhere.
    default: &'static str,
}

const fn at(of: Share, default: &'static str) -> ShareSource {
    told(of, "", "", default)
}

const fn told(of: Share, variable: &'static str, prefix: &'static str, default: &'static str) -> ShareSource {
    ShareSource {
        of,
        variable,
        prefix,
        default,
    }
}

const DISPLAY: &str = "DISPLAY";
const AUTHORITY: &str = "XAUTHORITY";

const SOURCES: [ShareSource; 19] = [
    at(Share::Tmp, "/tmp"),
    told(Share::X11, DISPLAY, "", ""),
    told(Share::X11, AUTHORITY, "", "~/.Xauthority"),
    told(Share::Wayland, "WAYLAND_DISPLAY", "", "wayland-0"),
    told(Share::Dbus, "DBUS_SESSION_BUS_ADDRESS", "unix:path=", "bus"),
    told(
        Share::Dbus,
        "DBUS_SYSTEM_BUS_ADDRESS",
        "unix:path=",
        "/run/dbus/system_bus_socket",
    ),
    at(Share::Gpu, "/dev/dri"),
    at(Share::Gpu, "/dev/nvidia*"),
    at(Share::Gpu, "/dev/kfd"),
    at(Share::Gpu, "/dev/dxg"),
    told(Share::Audio, "PULSE_SERVER", "unix:", "pulse/native"),
    told(Share::Audio, "PIPEWIRE_REMOTE", "", "pipewire-0"),
    at(Share::Audio, "/dev/snd"),
    at(Share::Input, "/dev/input"),
    at(Share::Input, "/run/udev"),
    at(Share::Camera, "/dev/video*"),
    at(Share::Camera, "/dev/media*"),
    told(Share::SshAgent, "SSH_AUTH_SOCK", "", ""),
    told(Share::Printer, "CUPS_SERVER", "", "/run/cups/cups.sock"),
];

/// What the caller's variables say.
type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl ShareSource {
    /// Whether a relative path means something.
    fn is_of_session(self) -> bool {
        !self.default.is_empty() && !self.default.starts_with(['/', '~'])
    }

    /// Where it is for a caller with these variables; none where it is nowhere, or on another machine.
    fn locate(self, variable: Variables<'_>) -> Option<PathBuf> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let told = match set(self.variable) {
            Some(display) if self.variable == DISPLAY => return x_socket(&display),
            Some(value) => unix_path(value.as_bytes(), self.prefix.as_bytes())?.to_owned(),
            None => self.default.as_bytes().to_owned(),
        };
        let told = at_home(Path::new(OsStr::from_bytes(&told)), variable("HOME").as_deref())?;
        let path = match self.is_of_session() {
            true if told.is_relative() => Path::new(&set(RUNTIME_DIRECTORY)?).join(told),
            _ => told,
        };
        is_plain(&path).then_some(path)
    }
}

impl ShareSource {
    /// Whether what a variable names is what programs mean by it: a variable must not show anything else.
    fn is_at(self, path: &Path) -> Result<(), Errno> {
        if self.variable.is_empty() {
            return Ok(());
        }
        let metadata = fs::metadata(path).map_err(|error| errno(&error))?;
        let fits = match self.variable {
            AUTHORITY => metadata.is_file(),
            _ => metadata.file_type().is_socket(),
        };
        match fits && can_be_target(path) {
            true => Ok(()),
            false => Err(Errno::ENOTSOCK),
        }
    }
}

/// Whether it is a directory as a login makes it for its user: basedir specification, "XDG_RUNTIME_DIR".
fn is_callers_alone(runtime: &Path) -> bool {
    let found = fs::symlink_metadata(runtime).ok();
    is_plain(runtime)
        && found.is_some_and(|found| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0)
}

/// The path behind `prefix` in a list of addresses; none where another machine or a name without a file is meant. Without a prefix it is
/// all.
fn unix_path<'a>(value: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    if prefix.is_empty() {
        return Some(value);
    }
    let addresses = text::parts(value, b';');
    let path = addresses.iter().find_map(|address| address.strip_prefix(prefix))?;
    text::split(path, b',', 2).first().copied()
}

/// `:0`, `:0.1` and `unix:0` are sockets of this machine, X(7).
fn x_socket(display: &OsStr) -> Option<PathBuf> {
    let display = display.as_bytes();
    let display = display.strip_prefix(b"unix").unwrap_or(display).strip_prefix(b":")?;
    let number = *text::split(display, b'.', 2).first()?;
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let name = [b"/tmp/.X11-unix/X", number].concat();
    is_number.then(|| OsString::from_vec(name).into())
}

impl Session {
    /// Looks for what `options` name and `more`, which is named by nobody but the library's caller.
    ///
    /// # Errors
    /// A part that is named and not there. What is missing of a share is skipped.
    pub(crate) fn look(options: &Options, more: &[Bind], variable: Variables<'_>, trace: Trace) -> Result<Self, Error> {
        let mut session = Self {
            binds: more.to_vec(),
            ..Self::default()
        };
        for source in SOURCES {
            if options.shares.has(source.of) {
                session.take(source, variable, trace);
            }
        }
        for bind in &options.binds {
            let found = named(bind, variable("HOME").as_deref());
            session.binds.push(found.map_err(|errno| Error::File {
                step: "bind",
                path: bind.source.clone(),
                errno,
            })?);
        }
        Ok(session)
    }

    fn take(&mut self, source: ShareSource, variable: Variables<'_>, trace: Trace) {
        if !source.variable.is_empty() {
            self.passed.push(source.variable);
        }
        if source.is_of_session() {
            self.passed.push(RUNTIME_DIRECTORY);
        }
        let Some(path) = source.locate(variable) else { return };
        for path in entries(path) {
            // Sockets are connected to and devices opened where nothing else can be changed.
            let found = source.is_at(&path);
            let bind = match found.and_then(|()| part(&path, &path, source.of != Share::Tmp, true)) {
                Ok(bind) => bind,
                Err(errno) => {
                    let (path, share, why) = (path.display(), source.of.name(), errno.desc());
                    trace.say(format_args!("{path} is not shared for {share}: {why}"));
                    continue;
                }
            };
            self.binds.push(bind);
            if let Some(runtime) = variable(RUNTIME_DIRECTORY).map(PathBuf::from)
                && path != runtime
                && path.starts_with(&runtime)
                && is_callers_alone(&runtime)
            {
                self.runtime_directory = Some(runtime);
            }
            if source.variable == AUTHORITY {
                self.set.push((AUTHORITY.into(), path.into()));
            }
        }
    }
}

/// `path`, or if it ends with a star all that begin so.
fn entries(path: PathBuf) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return vec![path];
    };
    let Some(prefix) = name.as_bytes().strip_suffix(b"*") else {
        return vec![path];
    };
    let mut found = Vec::new();
    for name in directory::names(directory).unwrap_or_default() {
        if name.as_bytes().starts_with(prefix) {
            found.push(directory.join(name));
        }
    }
    found
}

/// A bind that somebody asked for.
fn named(bind: &BindOption, home: Option<&OsStr>) -> Result<Bind, Errno> {
    let called = at_home(&bind.source, home).ok_or(Errno::ENOENT)?;
    let target = bind.target.as_ref().unwrap_or(&called);
    let target: PathBuf = target.components().collect();
    part(&called, &target, bind.read_only, false)
}

/// `~/` at the front is the caller's home directory.
pub(crate) fn at_home(path: &Path, home: Option<&OsStr>) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) => Some(Path::new(home?).join(rest)),
        Err(_) => Some(path.to_owned()),
    }
}

fn part(called: &Path, target: &Path, read_only: bool, optional: bool) -> Result<Bind, Errno> {
    let source = fs::canonicalize(called).map_err(|error| errno(&error))?;
    let metadata = fs::symlink_metadata(&source).map_err(|error| errno(&error))?;
    let kind = metadata.file_type();
    let devices = kind.is_char_device() || kind.is_block_device() || source.starts_with("/dev");
    let part = Part {
        directory: kind.is_dir(),
        read_only,
        devices,
    };
    Ok(Bind {
        source,
        path: target.to_owned(),
        kind: BindKind::Part(part),
        optional,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(share: Share, variables: &[(&str, &str)]) -> Vec<String> {
        let variable = |name: &str| {
            let value = variables.iter().find(|(known, _)| *known == name)?.1;
            Some(OsString::from(value))
        };
        let of_share = SOURCES.into_iter().filter(|source| source.of == share);
        let located = of_share.filter_map(|source| source.locate(&variable));
        located.map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn what_each_share_is() {
        const RUN: (&str, &str) = ("XDG_RUNTIME_DIR", "/run/user/7");
        type Case<'a> = (Share, &'a [(&'a str, &'a str)], &'a [&'a str]);
        let cases: [Case<'_>; 27] = [
            (Share::Home, &[("HOME", "/home/ada")], &[]),
            (Share::Tmp, &[], &["/tmp"]),
            (Share::X11, &[], &[]),
            (
                Share::X11,
                &[("DISPLAY", ":0"), ("HOME", "/h")],
                &["/tmp/.X11-unix/X0", "/h/.Xauthority"],
            ),
            (
                Share::X11,
                &[("DISPLAY", "unix:12.3"), ("XAUTHORITY", "/run/x")],
                &["/tmp/.X11-unix/X12", "/run/x"],
            ),
            (Share::X11, &[("DISPLAY", "far:0")], &[]),
            (Share::X11, &[("DISPLAY", ":../../etc/shadow")], &[]),
            (Share::SshAgent, &[], &[]),
            (Share::Printer, &[], &["/run/cups/cups.sock"]),
            (
                Share::X11,
                &[("DISPLAY", ""), ("XAUTHORITY", "/run/../etc/shadow")],
                &[],
            ),
            (Share::Wayland, &[], &[]),
            (Share::Wayland, &[RUN], &["/run/user/7/wayland-0"]),
            (
                Share::Wayland,
                &[RUN, ("WAYLAND_DISPLAY", "wayland-1")],
                &["/run/user/7/wayland-1"],
            ),
            (Share::Wayland, &[RUN, ("WAYLAND_DISPLAY", "/tmp/w")], &["/tmp/w"]),
            (Share::Wayland, &[RUN, ("WAYLAND_DISPLAY", "../../x")], &[]),
            (Share::Dbus, &[], &["/run/dbus/system_bus_socket"]),
            (Share::Dbus, &[RUN], &["/run/user/7/bus", "/run/dbus/system_bus_socket"]),
            (
                Share::Dbus,
                &[
                    ("DBUS_SESSION_BUS_ADDRESS", "tcp:host=x;unix:path=/tmp/d,guid=1"),
                    ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/s"),
                ],
                &["/tmp/d", "/s"],
            ),
            (
                Share::Dbus,
                &[RUN, ("DBUS_SESSION_BUS_ADDRESS", "unix:abstract=/tmp/d")],
                &["/run/dbus/system_bus_socket"],
            ),
            (Share::Gpu, &[], &["/dev/dri", "/dev/nvidia*", "/dev/kfd", "/dev/dxg"]),
            (
                Share::Audio,
                &[RUN],
                &["/run/user/7/pulse/native", "/run/user/7/pipewire-0", "/dev/snd"],
            ),
            (Share::Audio, &[("PULSE_SERVER", "unix:/p")], &["/p", "/dev/snd"]),
            (Share::Audio, &[("PULSE_SERVER", "far")], &["/dev/snd"]),
            (Share::Input, &[], &["/dev/input", "/run/udev"]),
            (Share::Camera, &[], &["/dev/video*", "/dev/media*"]),
            (
                Share::SshAgent,
                &[("SSH_AUTH_SOCK", "/tmp/ssh-x/agent.7")],
                &["/tmp/ssh-x/agent.7"],
            ),
            (Share::Printer, &[("CUPS_SERVER", "far:631")], &[]),
        ];
        for (share, variables, expected) in cases {
            assert_eq!(found(share, variables), expected, "{share:?} {variables:?}");
        }
    }

    #[test]
    fn what_is_named_has_to_be_there() {
        let option = |source: &str, target: Option<&str>| BindOption {
            source: source.into(),
            target: target.map(PathBuf::from),
            read_only: true,
        };
        let bind = named(&option("~/", Some("//x/")), Some(OsStr::new("/dev"))).unwrap();
        let part = Part {
            directory: true,
            read_only: true,
            devices: true,
        };
        let expected = Bind {
            source: "/dev".into(),
            path: "/x".into(),
            kind: BindKind::Part(part),
            optional: false,
        };
        assert_eq!(bind, expected);
        for (source, target, errno) in [
            ("/no/such", None, Errno::ENOENT),
            ("~/x", None, Errno::ENOENT),
            ("/dev/null/x", None, Errno::ENOTDIR),
        ] {
            assert_eq!(named(&option(source, target), None), Err(errno), "{source}");
        }
    }
}
