//! What the root file system of the app is made of. Pure: the manifest, the host and the image as values go in, a list
//! of steps comes out.

use std::path::{Path, PathBuf};

use super::binds::{self, Refusal};
use super::contract::{self, Contract, Item, Origin};
use super::dev;
use super::identity::{self, Account};
use super::op::{Bind, BindKind, Entry, Op, System};
use super::survey::{Questions, Standing, Survey};
use crate::host::{Facts, Shared};

/// Directories that something is mounted on.
const MOUNT_POINTS: [(&str, u32); 5] = [
    ("/proc", 0o555),
    ("/sys", 0o555),
    ("/dev", 0o755),
    ("/tmp", 0o1777),
    ("/run", 0o755),
];

/// Files of proc(5) that user 0 may write without any capability, and by which it would govern the host. Those that the
/// kernel is built without are skipped.
const GOVERNING: [&str; 9] = [
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/asound",
    "/proc/dynamic_debug",
    "/proc/scsi",
];

const PASSWD: &str = "/etc/passwd";

/// passwd(5) and group(5).
const NAMES: [&str; 2] = [PASSWD, "/etc/group"];

/// What the plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The caller and the machine.
    pub host: &'a Facts,
    /// Share nothing but the network and its names.
    pub contain: bool,
    /// Working directory that the manifest asks for.
    pub cwd: Option<&'a Path>,
    /// Directories of the host that the caller names, wherever the image may hold something.
    pub binds: &'a [Shared],
    /// What of the machine's configuration is the host's.
    pub contract: &'a Contract,
    /// Whether the layer gets files that name the host's servers and the caller.
    pub names: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Steps in the writable layer, before it is mounted over the image.
    pub layer: Vec<Entry>,
    /// Steps in the new root, in this order.
    pub mounts: Vec<Op>,
    /// Home directory of the app.
    pub home: PathBuf,
    /// Working directory of the app.
    pub cwd: PathBuf,
    /// The caller's directories that are not shared, and why.
    pub refused: Vec<(PathBuf, Refusal)>,
}

/// What [`plan`] wants to know about the image.
#[must_use]
pub fn questions(inputs: Inputs<'_>) -> Questions {
    let mut directories: Vec<PathBuf> = MOUNT_POINTS.iter().map(|(path, _)| path.into()).collect();
    directories.push("/etc".into());
    if inputs.names {
        directories.extend(contract::questions(inputs.contract, &inputs.host.offer));
    }
    let mut contents = if inputs.contain {
        Vec::new()
    } else {
        binds::questions(inputs.host)
    };
    contents.extend(inputs.binds.iter().map(|bind| bind.path.clone()));
    let names = !is_root(inputs.host);
    if !names {
        directories.extend(NAMES.map(PathBuf::from));
    }
    Questions {
        directories,
        contents,
        names,
    }
}

/// Decides.
#[must_use]
pub fn plan(inputs: Inputs<'_>, survey: &Survey) -> Plan {
    let Inputs { host, contain, .. } = inputs;
    let shared = if contain {
        None
    } else {
        Some(binds::choose(host, survey))
    };
    let home = home(host, contain);
    let mut mounts = system(host, contain);
    let (mut cwd, mut refused, mut already) = (None, Vec::new(), Vec::new());
    if let Some(binds) = shared {
        already.clone_from(&binds.shared);
        mounts.extend(binds.shared.into_iter().map(|shared| bind(shared, true)));
        (cwd, refused) = (binds.cwd, binds.refused);
    }
    let named = inputs.binds.iter();
    let named = named.filter(|named| !already.iter().any(|outer| binds::shows(outer, named)));
    mounts.extend(named.cloned().map(|named| bind(named, false)));
    let cwd = inputs.cwd.map(Path::to_owned).or(cwd).unwrap_or_else(|| "/".into());
    let mut layer = mount_points(survey);
    if inputs.names {
        layer.extend(names(inputs, &home, survey));
        layer.extend(contract::entries(inputs.contract, &host.offer, survey));
        mounts.extend(contract::steps(inputs.contract, &host.offer, survey));
    }
    layer.extend(shared_points(&mounts, survey));
    Plan {
        layer,
        mounts,
        home,
        cwd,
        refused,
    }
}

fn bind(shared: Shared, optional: bool) -> Op {
    let Shared { path, source } = shared;
    Op::Bind(Bind {
        source,
        path,
        kind: BindKind::Shared,
        optional,
    })
}

/// Where the app's `$HOME` is: the caller's, or in a closed box a directory that exists in most images or is private.
fn home(host: &Facts, contain: bool) -> PathBuf {
    match (contain, host.uid) {
        (false, _) => host.account.home.clone(),
        (true, 0) => "/root".into(),
        (true, _) => "/tmp".into(),
    }
}

/// Places for what is shared, where the image has none. Made in the layer, which is the caller's where the directories of the
/// image may be somebody else's.
fn shared_points(mounts: &[Op], survey: &Survey) -> Vec<Entry> {
    let is_covered = |path: &Path| MOUNT_POINTS.iter().any(|(point, _)| path.starts_with(point));
    let shared = mounts.iter().filter_map(|op| match op {
        Op::Bind(bind) if bind.kind == BindKind::Shared => Some(&bind.path),
        _ => None,
    });
    shared
        .filter(|path| !is_covered(path) && survey.standing(path) == Standing::Missing)
        .map(|path| Entry::Directory {
            path: path.clone(),
            mode: 0o755,
        })
        .collect()
}

/// Mount points that the image lacks.
fn mount_points(survey: &Survey) -> Vec<Entry> {
    let missing = |path: &str| matches!(survey.standing(Path::new(path)), Standing::Missing | Standing::Other);
    MOUNT_POINTS
        .iter()
        .filter(|(path, _)| missing(path))
        .map(|&(path, mode)| Entry::Directory {
            path: path.into(),
            mode,
        })
        .collect()
}

/// What the image cannot know: names of hosts and of the caller.
fn names(inputs: Inputs<'_>, home: &Path, survey: &Survey) -> Vec<Entry> {
    let Inputs { host, contract, .. } = inputs;
    if survey.standing(Path::new("/etc")) == Standing::Other {
        return Vec::new();
    }
    let account = Account {
        home: home.to_owned(),
        ..host.account.clone()
    };
    let known = |path: &&str| is_root(host) && survey.standing(Path::new(path)) == Standing::Other;
    let merged = contract.origin(Item::Passwd) == Origin::Merged;
    let names = NAMES
        .into_iter()
        .filter(|path| merged && !known(path))
        .filter_map(|path| {
            let contents = match path {
                PASSWD => identity::with_user(survey.passwd.as_deref(), &account),
                _ => identity::with_group(survey.group.as_deref(), &account),
            };
            Some((path, contents?))
        });
    let files = host.files.iter().cloned().chain(names);
    files
        .map(|(path, contents)| Entry::File {
            path: path.into(),
            contents,
        })
        .collect()
}

/// What every Linux program expects.
fn system(host: &Facts, contain: bool) -> Vec<Op> {
    let sys = Bind {
        source: "/sys".into(),
        path: "/sys".into(),
        kind: BindKind::ReadOnly,
        optional: true,
    };
    let mut ops = vec![Op::Mount {
        path: "/proc".into(),
        system: System::Proc { or_host: !contain },
    }];
    if host.uid == 0 {
        ops.extend(GOVERNING.map(|path| Op::Protect { path: path.into() }));
    }
    ops.push(Op::Bind(sys));
    ops.extend(dev::steps(host.terminal.as_deref(), host.is_hosts_root()));
    ops.extend([("/tmp", 0o1777), ("/run", 0o755)].map(|(path, mode)| {
        let system = System::Private { mode, devices: false };
        Op::Mount {
            path: path.into(),
            system,
        }
    }));
    ops
}

/// User and group 0, who have a name wherever anybody has one: the files need not be read for them.
fn is_root(host: &Facts) -> bool {
    host.uid == 0 && host.gid == 0
}

/// Bytes that the app may write to memory: half of what the machine has, the kernel's own limit for a tmpfs, said so that
/// it holds whatever its default is.
#[must_use]
pub fn writable_limit(memory: u64) -> u64 {
    memory / 2
}

#[cfg(test)]
mod tests;
