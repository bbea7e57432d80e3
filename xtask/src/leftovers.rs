//! What tests may leave behind: processes, mounts, loop devices, cgroups, files. None of it is theirs to leave.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use walkdir::{DirEntry, WalkDir};

use crate::error::Error;

/// One thing that should not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// A running descendant of ours, with its command line.
    Process { id: u32, command: String },
    /// A mount point in our mount namespace, with the type of the file system.
    Mount { point: String, kind: String },
    /// A loop device and the file behind it.
    LoopDevice { name: String, file: String },
    /// A cgroup, as runs with limits make them.
    Cgroup(PathBuf),
    /// A file or directory below the directory for temporary ones.
    File(PathBuf),
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { id, command } => write!(f, "process {id}: {command}"),
            Self::Mount { point, kind } => write!(f, "mount {point} ({kind})"),
            Self::LoopDevice { name, file } => write!(f, "loop device {name} on {file}"),
            Self::Cgroup(path) => write!(f, "cgroup {}", path.display()),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// The state before the tests.
#[derive(Debug)]
pub(crate) struct Before {
    temporary: PathBuf,
    mounts: BTreeSet<u64>,
    processes: BTreeSet<u32>,
    cgroups: BTreeSet<PathBuf>,
}

/// How long what is on its way out may take: the kernel tears namespaces and loop devices down in the background.
const GRACE: Duration = Duration::from_secs(10);

impl Before {
    /// Remembers what is there, and makes this process the one that inherits orphans, so that none gets away.
    pub(crate) fn take(temporary: &Path) -> Result<Self, Error> {
        nix::sys::prctl::set_child_subreaper(true).map_err(Error::call("become the reaper of orphans"))?;
        let mounts = mounts()?.iter().map(|mount| mount.id).collect();
        let processes = descendants()?.into_keys().collect();
        Ok(Self {
            temporary: temporary.to_owned(),
            mounts,
            processes,
            cgroups: cgroups(),
        })
    }
}

/// What is there now and was not before. Waits a little for what is just ending.
pub(crate) fn since(before: &Before) -> Result<Vec<Leftover>, Error> {
    let deadline = Instant::now() + GRACE;
    loop {
        let found = look(before)?;
        if found.is_empty() || Instant::now() > deadline {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn look(before: &Before) -> Result<Vec<Leftover>, Error> {
    let mut found = Vec::new();
    let processes = descendants()?
        .into_iter()
        .filter(|(id, _)| !before.processes.contains(id));
    found.extend(processes.map(|(id, command)| Leftover::Process { id, command }));
    let mounts = mounts()?.into_iter().filter(|mount| !before.mounts.contains(&mount.id));
    let ours = mounts.filter(|mount| mount.is_of_a_bundle(&before.temporary));
    found.extend(ours.map(|mount| Leftover::Mount {
        point: mount.point,
        kind: mount.kind,
    }));
    found.extend(loop_devices(&before.temporary)?);
    let cgroups = cgroups().into_iter().filter(|path| !before.cgroups.contains(path));
    found.extend(cgroups.map(Leftover::Cgroup));
    let entries = fs::read_dir(&before.temporary)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(Error::file("read", &before.temporary))?;
    found.extend(entries.iter().map(|entry| Leftover::File(entry.path())));
    Ok(found)
}

/// Running processes that descend from this one: id and command line. Zombies have ended and are not counted.
fn descendants() -> Result<BTreeMap<u32, String>, Error> {
    let proc = Path::new("/proc");
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir(proc).map_err(Error::file("read", proc))? {
        let entry = entry.map_err(Error::file("read", proc))?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        if let Some((state, parent)) = state_and_parent(&stat)
            && !matches!(state, 'Z' | 'X')
        {
            parents.insert(id, parent);
        }
    }
    let own = std::process::id();
    let descends = |id: u32| {
        std::iter::successors(Some(id), |id| parents.get(id).copied())
            .skip(1)
            .any(|id| id == own)
    };
    Ok(parents
        .keys()
        .filter(|id| descends(**id))
        .map(|id| (*id, command_line(*id)))
        .collect())
}

/// Fields 3 and 4 of /proc/PID/stat, proc_pid_stat(5). The name in field 2 may hold anything, parentheses too.
fn state_and_parent(stat: &str) -> Option<(char, u32)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn command_line(id: u32) -> String {
    let bytes = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}

/// One line of /proc/self/mountinfo, proc_pid_mountinfo(5).
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    id: u64,
    point: String,
    kind: String,
    source: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (front, back) = line.split_once(" - ")?;
        let (mut front, mut back) = (front.split(' '), back.split(' '));
        Some(Self {
            id: front.next()?.parse().ok()?,
            point: front.nth(3)?.to_owned(),
            kind: back.next()?.to_owned(),
            source: back.next()?.to_owned(),
        })
    }

    /// Whether a bundle or a test could have made it; other programs of the machine mount things too.
    fn is_of_a_bundle(&self, temporary: &Path) -> bool {
        let below = |path: &str| Path::new(path).starts_with(temporary);
        self.kind == "squashfs" || self.kind.starts_with("fuse") || below(&self.point) || below(&self.source)
    }
}

fn mounts() -> Result<Vec<Mount>, Error> {
    let path = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    Ok(text.lines().filter_map(Mount::parse).collect())
}

/// Loop devices on files below `temporary`, deleted ones included.
fn loop_devices(temporary: &Path) -> Result<Vec<Leftover>, Error> {
    let block = Path::new("/sys/block");
    let mut found = Vec::new();
    for entry in fs::read_dir(block).map_err(Error::file("read", block))? {
        let entry = entry.map_err(Error::file("read", block))?;
        // The file is there only while the device is in use.
        let Ok(file) = fs::read_to_string(entry.path().join("loop/backing_file")) else {
            continue;
        };
        if Path::new(file.trim_end()).starts_with(temporary) {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push(Leftover::LoopDevice {
                name,
                file: file.trim_end().to_owned(),
            });
        }
    }
    Ok(found)
}

/// Cgroups of runs, in every hierarchy. They come and go while this looks.
fn cgroups() -> BTreeSet<PathBuf> {
    let entries = WalkDir::new("/sys/fs/cgroup").into_iter().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_dir() && entry.file_name().as_encoded_bytes().starts_with(b"polecat-"))
        .map(DirEntry::into_path)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_the_last_parenthesis() {
        assert_eq!(state_and_parent("12 (a) b) S 7 12 12 0"), Some(('S', 7)));
        assert_eq!(state_and_parent("12 (sh) Z 1 12"), Some(('Z', 1)));
        assert_eq!(state_and_parent("12 sh"), None);
    }

    #[test]
    fn mountinfo_lines_have_optional_fields() {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue";
        let mount = Mount::parse(line).unwrap();
        assert_eq!((mount.id, mount.point.as_str()), (36, "/mnt2"));
        assert_eq!((mount.kind.as_str(), mount.source.as_str()), ("ext3", "/dev/root"));
        assert!(!mount.is_of_a_bundle(Path::new("/tmp/polecat-test-1")));
        assert!(mount.is_of_a_bundle(Path::new("/mnt2")));
    }

    #[test]
    fn our_own_child_is_found_and_is_gone_after_its_end() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let found = descendants().unwrap();
        let command = found.get(&child.id()).cloned();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(command.as_deref(), Some("sleep 600"));
        assert!(!descendants().unwrap().contains_key(&child.id()));
    }
}
