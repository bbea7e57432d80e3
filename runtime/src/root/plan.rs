//! What the root file system of the app is made of. Pure: the manifest, the host and the image as values go in, a list
//! of steps comes out.

use std::path::{Path, PathBuf};

use super::binds::{self, Binds, Refusal};
use super::contract::{self, Contract, Item, Origin};
use super::dev;
use super::identity::{self, Account};
use super::op::{Bind, BindKind, Entry, Op, System};
use super::parts::{self, PlanFault};
use super::survey::{Questions, Standing, Survey};
use super::user::{self, Identity};
use crate::host::Facts;
use crate::options::{Share, Shares, UserOption};

/// Directories that something is mounted on.
pub(super) const MOUNT_POINTS: [(&str, u32); 5] = [
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
    /// A closed box: nothing of the caller's but what is named.
    pub contain: bool,
    /// What of the caller's session is shared.
    pub shares: Shares,
    /// Working directory that the manifest asks for.
    pub cwd: Option<&'a Path>,
    /// Parts of the host that are named, wherever the image may hold something; the later over the earlier.
    pub binds: &'a [Bind],
    /// What shows the app its own cgroups in the place of all.
    pub cgroups: &'a [Bind],
    /// The caller's `$XDG_RUNTIME_DIR`, if anything in it is shared.
    pub runtime_directory: Option<&'a Path>,
    /// Whether the network is the host's.
    pub network: bool,
    /// Nothing can be written to the root.
    pub read_only: bool,
    /// As whom the app runs; none: the caller.
    pub user: Option<&'a UserOption>,
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
    /// Mounts that become read-only, and not what is mounted below them, when nothing is made any more.
    pub sealed: &'static [&'static str],
    /// As whom the app runs.
    pub identity: Identity,
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
    let mut directories: Vec<PathBuf> = vec!["/etc".into()];
    for (path, _) in MOUNT_POINTS {
        directories.push(path.into());
    }
    let names = !is_root(inputs.host) || inputs.user.is_some();
    if !names {
        for path in NAMES {
            directories.push(path.into());
        }
    }
    let mut questions = Questions {
        directories,
        contents: binds::questions(inputs.host, inputs.shares),
        targets: inputs.binds.iter().map(|bind| bind.path.clone()).collect(),
        names,
        nsswitch: false,
    };
    if inputs.names {
        contract::ask(inputs.contract, &inputs.host.offer, &mut questions);
    }
    questions
}

/// Decides.
///
/// # Errors
/// See [`PlanFault`].
pub fn plan(inputs: Inputs<'_>, survey: &Survey) -> Result<Plan, PlanFault> {
    let Inputs { host, contract, .. } = inputs;
    let identity = user::resolve(inputs.user, host, survey).map_err(PlanFault::Nobody)?;
    let Binds { shared, cwd, refused } = binds::choose(host, inputs.shares, survey);
    let home = home(inputs, &identity);
    let is_shown = |path: &&Path| shared.iter().any(|outer| path.starts_with(&outer.path));
    let runtime = inputs.runtime_directory.filter(|path| !is_shown(path));
    let parts = parts::arrange(inputs.binds, shared, survey)?;
    let mut mounts = system(inputs);
    let mut layer = mount_points(survey);
    if inputs.names {
        layer.extend(names(inputs, &identity, &home, survey));
        contract::arrange(contract, &host.offer, survey, &mut layer, &mut mounts);
    }
    if let Some(path) = runtime {
        mounts.extend(runtime_directory(path, host, &identity));
    }
    layer.extend(parts::points(&parts, survey));
    for part in parts {
        mounts.push(Op::Bind(part));
    }
    Ok(Plan {
        layer,
        mounts,
        sealed: if inputs.read_only { &["/dev", "/"] } else { &[] },
        identity,
        home,
        cwd: inputs.cwd.map(Path::to_owned).or(cwd).unwrap_or_else(|| "/".into()),
        refused,
    })
}

/// `$XDG_RUNTIME_DIR`, which programs take for theirs only if it is. The builder is the host's root, or the app's user itself.
fn runtime_directory(path: &Path, host: &Facts, identity: &Identity) -> Vec<Op> {
    let path = path.to_owned();
    let mut ops = vec![Op::Make(Entry::Directory {
        path: path.clone(),
        mode: 0o700,
    })];
    if identity.asked && host.is_hosts_root() {
        let (uid, gid) = (identity.account.uid, identity.account.gid);
        ops.push(Op::Own { path, uid, gid });
    }
    ops
}

/// Where the app's `$HOME` is: the user's, or in a closed box a directory that exists in most images or is private.
fn home(inputs: Inputs<'_>, identity: &Identity) -> PathBuf {
    let own = inputs.host.is_hosts_root() && identity.asked;
    let closed = inputs.contain && !inputs.shares.has(Share::Home) && !own;
    match (closed, identity.account.uid) {
        (false, _) => identity.account.home.clone(),
        (true, 0) => "/root".into(),
        (true, _) => "/tmp".into(),
    }
}

/// Mount points that the image lacks.
fn mount_points(survey: &Survey) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (path, mode) in MOUNT_POINTS {
        let path = Path::new(path);
        if let Standing::Missing | Standing::Other = survey.standing(path) {
            let path = path.to_owned();
            entries.push(Entry::Directory { path, mode });
        }
    }
    entries
}

/// What the image cannot know: names of hosts and of the caller.
fn names(inputs: Inputs<'_>, identity: &Identity, home: &Path, survey: &Survey) -> Vec<Entry> {
    let Inputs { host, contract, .. } = inputs;
    if survey.standing(Path::new("/etc")) == Standing::Other {
        return Vec::new();
    }
    let account = Account {
        home: home.to_owned(),
        ..identity.account.clone()
    };
    let is_known = is_root(host) && !identity.asked;
    let merged = contract.origin(Item::Passwd) == Origin::Merged;
    let mut files = host.files.clone();
    for path in NAMES {
        if !merged || (is_known && survey.standing(Path::new(path)) == Standing::Other) {
            continue;
        }
        let contents = match path {
            PASSWD => identity::with_user(survey.passwd.as_deref(), &account),
            _ => identity::with_group(survey.group.as_deref(), &account),
        };
        files.extend(contents.map(|contents| (path, contents)));
    }
    let mut entries = Vec::new();
    for (path, contents) in files {
        let path = path.into();
        entries.push(Entry::File { path, contents });
    }
    entries
}

/// What every Linux program expects.
fn system(inputs: Inputs<'_>) -> Vec<Op> {
    let Inputs { host, contain, .. } = inputs;
    let mut ops = vec![Op::Mount {
        path: "/proc".into(),
        system: System::Proc { or_host: !contain },
    }];
    if host.uid == 0 {
        for path in GOVERNING {
            ops.push(Op::Protect { path: path.into() });
        }
    }
    ops.extend(sys(inputs.network));
    for bind in inputs.cgroups {
        ops.push(Op::Bind(bind.clone()));
    }
    let (terminal, hosts_root) = (host.terminal.as_deref(), host.is_hosts_root());
    ops.extend(dev::steps(terminal, hosts_root, inputs.read_only));
    for (path, mode) in [("/tmp", 0o1777), ("/run", 0o755)] {
        let (path, devices) = (path.into(), false);
        let system = System::Private { mode, devices };
        ops.push(Op::Mount { path, system });
    }
    ops
}

/// The kernel's objects. With a network of its own the program sees the devices of that one, and the host's cgroups.
fn sys(network: bool) -> Vec<Op> {
    let bind = |path: &str| {
        Op::Bind(Bind {
            source: path.into(),
            path: path.into(),
            kind: BindKind::ReadOnly,
            optional: true,
        })
    };
    if network {
        return vec![bind("/sys")];
    }
    let (path, system) = ("/sys".into(), System::Sys);
    vec![Op::Mount { path, system }, bind("/sys/fs/cgroup")]
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
mod parts_tests;
#[cfg(test)]
mod tests;
