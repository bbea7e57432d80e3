//! The app's environment variables. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::control;
use crate::process::manager;

/// Name and value.
pub type Variable = (OsString, OsString);

/// Variables that name files of the host for its own dynamic loader and C library. The app has its own, and a library
/// that is found through a shared home directory would be the wrong one.
const OF_THE_HOSTS_LOADER: [&str; 5] = ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "LOCPATH"];

/// What a closed box gets: how to talk, and when it is.
const OF_A_CLOSED_BOX: [&str; 4] = ["TERM", "LANG", "LANGUAGE", "TZ"];

/// What decides besides the variables themselves.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// A closed box: nearly nothing of the caller's.
    pub contain: bool,
    /// The app's home directory.
    pub home: &'a Path,
    /// The app's user name.
    pub user: &'a OsStr,
    /// Whether home directory and user are not the caller's.
    pub other_user: bool,
    /// Variables of the caller's that a closed box gets too.
    pub passed: &'a [&'static str],
    /// Whether the app is in the caller's working directory.
    pub keeps_cwd: bool,
    /// What a service manager tells the app, over the caller's.
    pub managed: &'a [Variable],
}

/// The caller's variables as far as they mean something inside, over them what a service manager says, and over all the `NAME=value` that
/// are asked for, the later over the earlier.
#[must_use]
pub fn compose<'a>(
    caller: impl IntoIterator<Item = Variable>,
    asked: impl IntoIterator<Item = &'a str>,
    setting: Setting<'_>,
) -> Vec<Variable> {
    let mut variables: Vec<Variable> = caller.into_iter().filter(|(name, _)| passes(name, setting)).collect();
    if setting.contain || setting.other_user {
        set(&mut variables, "HOME".into(), setting.home.into());
        set(&mut variables, "USER".into(), setting.user.into());
    }
    if setting.other_user {
        set(&mut variables, "LOGNAME".into(), setting.user.into());
    }
    for (name, value) in setting.managed {
        set(&mut variables, name.clone(), value.clone());
    }
    for assignment in asked {
        let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
        set(&mut variables, name.into(), value.into());
    }
    variables
}

fn passes(name: &OsStr, setting: Setting<'_>) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|known| name == *known);
    // Told anew, if it is told.
    if is_one_of(&manager::VARIABLES) {
        return false;
    }
    if setting.contain {
        return is_one_of(&OF_A_CLOSED_BOX) || is_one_of(setting.passed) || name.as_bytes().starts_with(b"LC_");
    }
    let of_the_cwd = is_one_of(&["PWD", "OLDPWD"]);
    !is_one_of(&control::VARIABLES) && !is_one_of(&OF_THE_HOSTS_LOADER) && (setting.keeps_cwd || !of_the_cwd)
}

fn set(variables: &mut Vec<Variable>, name: OsString, value: OsString) {
    variables.retain(|(known, _)| *known != name);
    variables.push((name, value));
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &[(&str, &str)] = &[
        ("HOME", "/home/ada"),
        ("PATH", "/usr/bin"),
        ("PWD", "/home/ada"),
        ("TERM", "xterm"),
        ("LC_ALL", "C.UTF-8"),
        ("SECRET", "s"),
        ("DISPLAY", ":0"),
        ("LD_LIBRARY_PATH", "/home/ada/lib"),
        ("LD_PRELOAD", "libx.so"),
        ("LD_DEBUG", "libs"),
        ("POLECAT_MOUNT", "fuse"),
        ("POLECAT_CONTAIN", "0"),
        ("POLECAT_DEBUG", "1"),
        ("POLECAT_MISSES", "/tmp/m"),
        ("LISTEN_PID", "7"),
        ("WATCHDOG_USEC", "1"),
        ("NOTIFY_SOCKET", "/run/systemd/notify"),
    ];

    fn composed(contain: bool, keeps_cwd: bool) -> Vec<String> {
        let caller = CALLER
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let asked = ["PATH=/bin:/sbin", "MODE=a=b", "EMPTY="];
        let setting = Setting {
            contain,
            home: Path::new("/tmp"),
            user: OsStr::new("ada"),
            other_user: false,
            passed: &["DISPLAY"],
            keeps_cwd,
            managed: &[("NOTIFY_SOCKET".into(), "/dev/notify".into())],
        };
        let variables = compose(caller, asked, setting);
        variables
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect()
    }

    #[test]
    fn the_callers_and_the_manifests_over_it() {
        let cases: [(bool, bool, &[&str]); 3] = [
            (
                false,
                true,
                &[
                    "HOME=/home/ada",
                    "PWD=/home/ada",
                    "TERM=xterm",
                    "LC_ALL=C.UTF-8",
                    "SECRET=s",
                    "DISPLAY=:0",
                    "LD_DEBUG=libs",
                    "NOTIFY_SOCKET=/dev/notify",
                    "PATH=/bin:/sbin",
                    "MODE=a=b",
                    "EMPTY=",
                ],
            ),
            (
                false,
                false,
                &[
                    "HOME=/home/ada",
                    "TERM=xterm",
                    "LC_ALL=C.UTF-8",
                    "SECRET=s",
                    "DISPLAY=:0",
                    "LD_DEBUG=libs",
                    "NOTIFY_SOCKET=/dev/notify",
                    "PATH=/bin:/sbin",
                    "MODE=a=b",
                    "EMPTY=",
                ],
            ),
            (
                true,
                false,
                &[
                    "TERM=xterm",
                    "LC_ALL=C.UTF-8",
                    "DISPLAY=:0",
                    "HOME=/tmp",
                    "USER=ada",
                    "NOTIFY_SOCKET=/dev/notify",
                    "PATH=/bin:/sbin",
                    "MODE=a=b",
                    "EMPTY=",
                ],
            ),
        ];
        for (contain, keeps_cwd, expected) in cases {
            assert_eq!(
                composed(contain, keeps_cwd),
                expected,
                "contain {contain}, keeps_cwd {keeps_cwd}"
            );
        }
    }
}
