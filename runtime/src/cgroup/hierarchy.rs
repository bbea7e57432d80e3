//! Where this process stands in the hierarchies of cgroups(7). Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::root::mount_table::unescape;
use crate::text::{parts, split};

/// A mounted hierarchy, and this process in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// The cgroup of this process, at or below `point`.
    pub(super) own: PathBuf,
    /// Version 2, which has one hierarchy for all controllers.
    pub(super) unified: bool,
    /// Controllers of version 1, with commas; those of version 2 differ from cgroup to cgroup.
    controllers: Vec<u8>,
}

/// The hierarchies in `cgroup`, `/proc/PID/cgroup`, and `mountinfo`, `/proc/PID/mountinfo`, that are mounted so that the own
/// cgroup is to be seen.
pub(super) fn hierarchies(cgroup: &[u8], mountinfo: &[u8]) -> Vec<Hierarchy> {
    let mounts = parts(mountinfo, b'\n');
    let mut found = Vec::new();
    for line in parts(cgroup, b'\n') {
        // `4:memory:/a`, `0::/a`: the path may hold colons.
        let [_, controllers, path] = split(line, b':', 3)[..] else {
            continue;
        };
        for mount in &mounts {
            if let Some((point, own)) = seen(mount, controllers, Path::new(OsStr::from_bytes(path))) {
                found.push(Hierarchy {
                    point,
                    own,
                    unified: controllers.is_empty(),
                    controllers: controllers.to_vec(),
                });
                break;
            }
        }
    }
    found
}

/// Which one's controller is called so. A controller of version 1 is none of version 2 at the same time.
pub(super) fn of_controller(hierarchies: &[Hierarchy], name: &str) -> Option<usize> {
    let has = |hierarchy: &Hierarchy| parts(&hierarchy.controllers, b',').contains(&name.as_bytes());
    let first = hierarchies.iter().position(has);
    first.or_else(|| hierarchies.iter().position(|hierarchy| hierarchy.unified))
}

/// Where the hierarchy of `controllers`, none for version 2, is mounted in a line of mountinfo, and the cgroup `path` there:
/// `35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`.
fn seen(line: &[u8], controllers: &[u8], path: &Path) -> Option<(PathBuf, PathBuf)> {
    let fields = parts(line, b' ');
    let dash = fields.iter().position(|field| *field == b"-")?;
    let ([_, _, _, root, point, ..], [_, kind, _, options, ..]) = fields.split_at(dash) else {
        return None;
    };
    let options = parts(options, b',');
    let is_it = match *kind {
        b"cgroup2" => controllers.is_empty(),
        b"cgroup" => !controllers.is_empty() && parts(controllers, b',').iter().all(|name| options.contains(name)),
        _ => false,
    };
    if !is_it {
        return None;
    }
    let [root, point] = [root, point].map(|field| PathBuf::from(OsString::from_vec(unescape(field))));
    let below = path.strip_prefix(&root).ok()?;
    let own = point.join(below);
    Some((point, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(cgroup: &str, mountinfo: &str, controller: &str) -> Option<(PathBuf, bool)> {
        let hierarchies = hierarchies(cgroup.as_bytes(), mountinfo.as_bytes());
        let found = &hierarchies[of_controller(&hierarchies, controller)?];
        Some((found.own.clone(), found.unified))
    }

    #[test]
    fn where_a_controller_is() {
        let v2 = "25 1 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let hybrid = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let docker = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        for (cgroup, mountinfo, controller, expected) in [
            (
                "0::/user.slice/a.scope\n",
                v2,
                "memory",
                Some(("/sys/fs/cgroup/user.slice/a.scope", true)),
            ),
            ("0::/\n", v2, "pids", Some(("/sys/fs/cgroup", true))),
            ("0::/a:b\n", v2, "cpu", Some(("/sys/fs/cgroup/a:b", true))),
            (
                "4:memory:/m\n1:cpu,cpuacct:/c\n0::/\n",
                hybrid,
                "memory",
                Some(("/sys/fs/cgroup/memory/m", false)),
            ),
            (
                "4:memory:/m\n1:cpu,cpuacct:/c\n0::/\n",
                hybrid,
                "cpu",
                Some(("/sys/fs/cgroup/cpu,cpuacct/c", false)),
            ),
            (
                "4:memory:/m\n0::/u\n",
                hybrid,
                "pids",
                Some(("/sys/fs/cgroup/unified/u", true)),
            ),
            (
                "4:memory:/docker/abc/x\n",
                docker,
                "memory",
                Some(("/sys/fs/cgroup/memory/x", false)),
            ),
            // What is seen of the hierarchy is another part of it.
            ("4:memory:/docker/def\n", docker, "memory", None),
            ("4:memory:/m\n", "", "memory", None),
            ("", v2, "memory", None),
            ("garbage\n:\n", "garbage\n1 2 3 / /x - cgroup2\n", "memory", None),
        ] {
            let expected = expected.map(|(path, unified)| (PathBuf::from(path), unified));
            assert_eq!(own(cgroup, mountinfo, controller), expected, "{cgroup} {controller}");
        }
    }
}
