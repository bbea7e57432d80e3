//! What a service manager tells the process that it starts, through its environment: sd_listen_fds(3), sd_notify(3),
//! sd_watchdog_enabled(3). Pure.
//!
//! It is told to one process by its id, and the id that the app has inside is another one: what was meant for the process that
//! the caller started is told to the app anew, and what was meant for somebody else to nobody.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::socket::UnixAddr;
use nix::unistd::Pid;

use crate::environment::Variable;

/// The variables that are told anew. `LISTEN_PIDFDID`, the inode of a pidfd, never is: it says what `LISTEN_PID` says.
pub(crate) const VARIABLES: [&str; 8] = [
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    NOTIFY_SOCKET,
    "SYSTEMD_EXEC_PID",
];

const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// Where the app finds a socket that leads to the manager's. Whatever the caller shares, `/dev` is the box's own.
pub(crate) const SOCKET_INSIDE: &str = "/dev/notify";

/// What the app is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manager {
    /// Variables with their values.
    pub(crate) variables: Vec<Variable>,
    /// Variables whose value is the app's own process id.
    pub(crate) own_id: Vec<&'static str>,
    /// Where messages of the app go.
    pub(crate) socket: Option<UnixAddr>,
}

impl Manager {
    /// Reads what the process `id` was told through `variable`, which is `std::env::var_os` outside of tests.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<OsString>, id: Pid) -> Self {
        let mut manager = Self::default();
        let own = id.to_string();
        let is_ours = |name: &str| variable(name).is_some_and(|value| value == *own);
        if is_ours("LISTEN_PID") {
            manager.own_id.push("LISTEN_PID");
            manager.pass(&["LISTEN_FDS", "LISTEN_FDNAMES"], variable);
        }
        let watched = is_ours("WATCHDOG_PID");
        manager.own_id.extend(watched.then_some("WATCHDOG_PID"));
        // Without a process id it is for everybody.
        if watched || variable("WATCHDOG_PID").is_none() {
            manager.pass(&["WATCHDOG_USEC"], variable);
        }
        manager
            .own_id
            .extend(is_ours("SYSTEMD_EXEC_PID").then_some("SYSTEMD_EXEC_PID"));
        manager.find_socket(variable);
        manager
    }

    /// What the app is told where its socket is at `path`, if it has one.
    pub(crate) fn variables_at(&self, path: Option<&Path>) -> Vec<Variable> {
        let mut variables = self.variables.clone();
        let told = variables.iter_mut().filter(|(_, value)| value == SOCKET_INSIDE);
        for ((_, value), path) in told.zip(path) {
            *value = path.into();
        }
        variables
    }

    fn pass(&mut self, names: &[&str], variable: &dyn Fn(&str) -> Option<OsString>) {
        let set = names.iter().filter_map(|name| Some((name.into(), variable(name)?)));
        self.variables.extend(set);
    }

    /// A socket of another family, such as that of a virtual machine's host, knows nothing of process ids and can be reached from
    /// inside.
    fn find_socket(&mut self, variable: &dyn Fn(&str) -> Option<OsString>) {
        let Some(value) = variable(NOTIFY_SOCKET) else { return };
        match address(&value) {
            Some(address) => {
                self.variables.push((NOTIFY_SOCKET.into(), SOCKET_INSIDE.into()));
                self.socket = Some(address);
            }
            None => self.variables.extend(
                (value.as_bytes().starts_with(b"vsock:")).then(|| (OsString::from(NOTIFY_SOCKET), value.clone())),
            ),
        }
    }
}

/// A path, or behind `@` a name of an abstract socket.
fn address(value: &OsStr) -> Option<UnixAddr> {
    match value.as_bytes() {
        [b'/', ..] => UnixAddr::new(value).ok(),
        [b'@', name @ ..] if !name.is_empty() => UnixAddr::new_abstract(name).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(set: &[(&str, &str)]) -> (String, Vec<&'static str>, Option<UnixAddr>) {
        let variable = |name: &str| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let manager = Manager::read(&variable, Pid::from_raw(42));
        let words: Vec<String> = manager
            .variables
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        (words.join(" "), manager.own_id, manager.socket)
    }

    #[test]
    fn descriptors_are_for_the_process_that_is_named() {
        let all = [
            ("LISTEN_FDS", "2"),
            ("LISTEN_FDNAMES", "a:b"),
            ("LISTEN_PID", "42"),
            ("LISTEN_PIDFDID", "7"),
        ];
        let (variables, own_id, _) = told(&all);
        assert_eq!(variables, "LISTEN_FDS=2 LISTEN_FDNAMES=a:b");
        assert_eq!(own_id, ["LISTEN_PID"]);
        for id in ["", "1", "041", "42 ", "+42"] {
            assert_eq!(told(&[("LISTEN_FDS", "2"), ("LISTEN_PID", id)]).0, "", "{id}");
        }
        assert_eq!(told(&[("LISTEN_FDS", "2")]).0, "");
    }

    #[test]
    fn a_watchdog_is_for_the_process_that_is_named_or_for_all() {
        let usec = ("WATCHDOG_USEC", "1000");
        assert_eq!(told(&[usec]), ("WATCHDOG_USEC=1000".into(), vec![], None));
        let named = told(&[usec, ("WATCHDOG_PID", "42")]);
        assert_eq!(named, ("WATCHDOG_USEC=1000".into(), vec!["WATCHDOG_PID"], None));
        assert_eq!(told(&[usec, ("WATCHDOG_PID", "7")]), (String::new(), vec![], None));
    }

    #[test]
    fn sockets() {
        let inside = format!("NOTIFY_SOCKET={SOCKET_INSIDE}");
        let path = UnixAddr::new("/run/systemd/notify").unwrap();
        let named = UnixAddr::new_abstract(b"a/b").unwrap();
        for (value, variables, socket) in [
            ("/run/systemd/notify", &*inside, Some(path)),
            ("@a/b", &*inside, Some(named)),
            ("vsock:2:1234", "NOTIFY_SOCKET=vsock:2:1234", None),
            ("", "", None),
            ("@", "", None),
            ("relative", "", None),
            (&format!("/{}", "x".repeat(108)), "", None),
        ] {
            assert_eq!(
                told(&[("NOTIFY_SOCKET", value)]),
                (variables.into(), vec![], socket),
                "{value}"
            );
        }
    }
}
