//! What a program in the host's root may write to, where the kernel has Landlock.

use std::path::{Path, PathBuf};

/// Everybody's.
const COMMON: [&str; 2] = ["/tmp", "/var/tmp"];

/// What modes keep an ordinary user from harm in.
const FOR_USERS: [&str; 2] = ["/dev", "/proc"];

/// What is left of that for user 0, who owns devices and the settings of the kernel, in a container too: terminals, devices that do
/// no harm, and its own process. `/dev/fd` and `/dev/stdout` are links to what is open.
const FOR_ROOT: [&str; 10] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
    "/proc/self",
];

/// Where user 0 has nothing else, whatever directory it is in.
const MACHINE: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The paths: `own` are the caller's directories without links in them, `bound` is what the caller names.
pub(super) fn writable<'a>(is_root: bool, own: &'a [PathBuf], bound: &'a [PathBuf]) -> Vec<&'a Path> {
    let kernels: &[&str] = if is_root { &FOR_ROOT } else { &FOR_USERS };
    let mut paths = Vec::new();
    for path in COMMON.iter().chain(kernels) {
        paths.push(Path::new(*path));
    }
    for path in own {
        let is_machines = is_root && MACHINE.iter().any(|machine| path.starts_with(machine));
        // The root directory has everything below it.
        if path.parent().is_some() && !is_machines {
            paths.push(path);
        }
    }
    for path in bound {
        paths.push(path);
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_0_has_less() {
        let own = ["/", "/home/ada", "/proc/sys/kernel", "/sys", "/dev", "/devices"].map(PathBuf::from);
        let bound = ["/dev/snd".into()];
        let allowed = |is_root, path: &str| {
            let paths = writable(is_root, &own, &bound);
            paths.iter().any(|allowed| Path::new(path).starts_with(allowed))
        };
        for (path, user, root) in [
            ("/etc/passwd", false, false),
            ("/tmp/x", true, true),
            ("/var/tmp/x", true, true),
            ("/home/ada/x", true, true),
            ("/devices/x", true, true),
            ("/dev/snd/timer", true, true),
            ("/dev/null", true, true),
            ("/dev/pts/0", true, true),
            ("/dev/shm/x", true, true),
            ("/proc/self/oom_score_adj", true, true),
            ("/dev/mem", true, false),
            ("/dev/sda", true, false),
            ("/dev/fuse", true, false),
            ("/proc/sysrq-trigger", true, false),
            ("/proc/sys/kernel/core_pattern", true, false),
            ("/sys/kernel/uevent_helper", true, false),
        ] {
            assert_eq!((allowed(false, path), allowed(true, path)), (user, root), "{path}");
        }
    }
}
