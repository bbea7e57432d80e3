//! Facts about the caller and the machine: asked once, before anything is changed. Decides nothing.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::stat;
use nix::sys::sysinfo::sysinfo;
use nix::unistd::{self, Pid};

use crate::debug::Trace;
use crate::error::errno;
use crate::root::contract::certificates::{DIRECTORIES, FILES};
use crate::root::contract::{Contract, Item, LOCALE, NSSWITCH, Offer, Origin, TERMINFO};
use crate::root::identity::{self, Account};
use crate::sys::auxv;
use crate::userns;

/// Files that are copied from the host are configuration; a longer one is none. Bytes.
pub const LONGEST_FILE: u64 = 1 << 20;

mod trusted;

use trusted::trusted;

/// Longest name of a terminal that is looked up, in bytes.
const LONGEST_TERMINAL: usize = 64;

/// A directory of the host that the app may see at the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// As the caller calls it; absolute.
    pub path: PathBuf,
    /// Where it really is: no component is a symbolic link.
    pub source: PathBuf,
}

/// What the host has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// All of `BUILDERS` are effective: no user namespace is needed.
    pub privileged: bool,
    /// Every user and group id means what it means on the host: not so in a user namespace.
    pub all_ids: bool,
    /// `$HOME`, if it is there.
    pub home: Option<Shared>,
    /// Working directory; none when it was removed.
    pub cwd: Option<PathBuf>,
    /// Device node of the first of stdin, stdout and stderr that is a terminal.
    pub terminal: Option<PathBuf>,
    /// The caller's entry of the user data base.
    pub account: Account,
    /// `/etc/resolv.conf`, `/etc/hosts` and `/etc/localtime` as far as they are there: path and contents.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// What else of its configuration somebody wants; nothing before `Facts::offer` was called.
    pub offer: Offer,
    /// Memory in bytes.
    pub memory: u64,
}

impl Facts {
    /// Whether the builder of the root is the host's root: it may name any user and group, and make device nodes that work.
    #[must_use]
    pub fn is_hosts_root(&self) -> bool {
        self.privileged && self.all_ids
    }

    /// Leaves out what `contract` has the image keep, and asks for what it has the host give. `speaks_tls`: the image may have a
    /// library for it.
    ///
    /// # Errors
    /// [`HostError::Certificates`], where the image's are not to count.
    pub(crate) fn offer(&mut self, contract: &Contract, speaks_tls: bool, trace: Trace) -> Result<(), HostError> {
        let of_host = |item| contract.origin(item) == Origin::Host;
        for (item, name) in [
            (Item::ResolvConf, "/etc/resolv.conf"),
            (Item::Hosts, "/etc/hosts"),
            (Item::LocalTime, "/etc/localtime"),
        ] {
            if !of_host(item) {
                self.files.retain(|(path, _)| *path != name);
            }
        }
        if of_host(Item::Passwd) {
            self.offer.files = copied(&["/etc/passwd", "/etc/group"]);
        }
        if of_host(Item::MachineId) {
            self.offer.files.append(&mut copied(&["/etc/machine-id"]));
        }
        if contract.origin(Item::NsSwitch) != Origin::Bundled {
            self.offer.nsswitch = read_short(Path::new(NSSWITCH)).ok();
        }
        let certificates = contract.origin(Item::Certificates);
        if certificates == Origin::Host || (certificates == Origin::Merged && speaks_tls) {
            self.offer.certificates = trusted(&FILES, &DIRECTORIES, certificates == Origin::Host, trace)?;
        }
        // Whoever has no terminal draws on none, unless he says so.
        let draws = self.terminal.is_some() && contract.origin(Item::TermInfo) == Origin::Merged;
        if draws || of_host(Item::TermInfo) {
            self.offer.terminal = description();
        }
        if of_host(Item::Locale) {
            self.offer.locale = fs::canonicalize(LOCALE).ok();
        }
        Ok(())
    }

    /// Asks the host.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn probe() -> Result<Self, HostError> {
        if auxv::is_secure() {
            return Err(HostError::MoreRights);
        }
        let (uid, gid) = caller();
        let home = env::var_os("HOME").map(PathBuf::from);
        Ok(Self {
            uid,
            gid,
            privileged: may_build()?,
            all_ids: ["/proc/self/uid_map", "/proc/self/gid_map"]
                .into_iter()
                .all(|map| read_short(Path::new(map)).map_or(true, |map| userns::is_whole(&map))),
            home: home.as_deref().and_then(shared),
            cwd: env::current_dir().ok(),
            terminal: terminal(),
            account: account(uid, gid, home),
            files: copied(&["/etc/resolv.conf", "/etc/hosts", "/etc/localtime"]),
            offer: Offer::default(),
            memory: sysinfo().map_err(|errno| HostError::Memory { errno })?.ram_total(),
        })
    }
}

/// What it takes to make a root: to mount, and to lay out files of other users. With some of it, as ambient capabilities give it
/// to a service, a user namespace, where all of it can be had, is the better way.
const BUILDERS: [Capability; 4] = [
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
];

/// Whether all of that is effective.
pub(crate) fn may_build() -> Result<bool, HostError> {
    let effective = caps::read(None, CapSet::Effective).map_err(|error| HostError::Capabilities {
        text: error.to_string(),
    })?;
    Ok(BUILDERS.iter().all(|capability| effective.contains(capability)))
}

/// Real user and group id.
#[must_use]
pub fn caller() -> (u32, u32) {
    (unistd::getuid().as_raw(), unistd::getgid().as_raw())
}

/// How many processors this process may run on, at least 1. What a cgroup leaves of them is not asked: whoever is slowed down
/// does with a thread more.
pub(crate) fn processors() -> usize {
    sched_getaffinity(Pid::from_raw(0)).map_or(1, |allowed| {
        let allowed = (0..CpuSet::count()).filter(|&processor| allowed.is_set(processor) == Ok(true));
        allowed.count().max(1)
    })
}

fn shared(path: &Path) -> Option<Shared> {
    if !path.is_absolute() {
        return None;
    }
    let source = fs::canonicalize(path).ok()?;
    source.is_dir().then(|| Shared {
        path: path.components().collect(),
        source,
    })
}

/// Those of `paths` that are there, and what is in them.
fn copied(paths: &[&'static str]) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = Vec::new();
    for path in paths {
        if let Ok(contents) = read_short(Path::new(path)) {
            files.push((*path, contents));
        }
    }
    files
}

/// `$TERM` and its description. Some systems name the directory by the number of the first letter.
fn description() -> Option<(String, Vec<u8>)> {
    let name = env::var("TERM").ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
    let first = name.bytes().next()?;
    if name.len() > LONGEST_TERMINAL || !first.is_ascii_alphanumeric() || !name.bytes().all(is_plain) {
        return None;
    }
    let numbered = format!("{first:x}");
    for base in TERMINFO {
        for directory in [name.get(..1).unwrap_or_default(), &numbered] {
            if let Ok(contents) = read_short(&Path::new(base).join(directory).join(&name)) {
                return Some((name.clone(), contents));
            }
        }
    }
    None
}

/// The file behind `path`, links followed, as far as it is no longer than a configuration file should be. A pipe that nobody writes to
/// is empty.
pub(crate) fn read_short(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let length = file.metadata()?.len();
    read_up_to(file, length)
}

/// What is in the regular file behind `path`, which is opened with these flags of open(2); none where something else is there, and
/// nobody waits for who opens the other end of a pipe. `EFBIG`: it is longer than a configuration file should be.
#[inline(never)]
pub(crate) fn read_regular(path: &Path, flags: i32) -> Result<Option<Vec<u8>>, Errno> {
    let opened = File::options()
        .read(true)
        .custom_flags(flags | libc::O_NONBLOCK)
        .open(path);
    let file = match opened.map_err(|error| errno(&error)) {
        // A socket.
        Err(Errno::ENXIO) => return Ok(None),
        opened => opened?,
    };
    let known = file.metadata().map_err(|error| errno(&error))?;
    match known.is_file() {
        true if known.len() > LONGEST_FILE => Err(Errno::EFBIG),
        true => read_up_to(file, known.len()).map(Some).map_err(|error| errno(&error)),
        false => Ok(None),
    }
}

/// The first `most` bytes of `file`, or what there is.
pub(crate) fn read_start(file: File, most: usize) -> io::Result<Vec<u8>> {
    let mut contents = Vec::with_capacity(most);
    file.take(most as u64).read_to_end(&mut contents)?;
    Ok(contents)
}

/// What is in `file`, which says that it is `length` bytes long, but no more than a configuration file should be.
pub(crate) fn read_up_to(file: File, length: u64) -> io::Result<Vec<u8>> {
    // A byte more, so that the end is seen with the first read.
    let mut contents = Vec::with_capacity(usize::try_from(length.min(LONGEST_FILE) + 1).unwrap_or_default());
    file.take(LONGEST_FILE).read_to_end(&mut contents)?;
    Ok(contents)
}

fn account(uid: u32, gid: u32, home: Option<PathBuf>) -> Account {
    let passwd = read_short(Path::new("/etc/passwd")).unwrap_or_default();
    let group = read_short(Path::new("/etc/group")).unwrap_or_default();
    // Users of a directory service are in neither file.
    let user = identity::name_of(&passwd, uid).or_else(|| env::var_os("USER").map(|name| name.as_bytes().to_vec()));
    Account {
        uid,
        gid,
        user: user
            .filter(|name| identity::is_name(name))
            .unwrap_or_else(|| b"user".to_vec()),
        group: identity::name_of(&group, gid).unwrap_or_else(|| b"users".to_vec()),
        home: home.unwrap_or_else(|| PathBuf::from("/")),
    }
}

fn terminal() -> Option<PathBuf> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let standard = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    standard.into_iter().enumerate().find_map(|(number, fd)| {
        if !unistd::isatty(fd).ok()? {
            return None;
        }
        let node = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
        let named = fs::metadata(&node).ok()?;
        // A terminal of another mount namespace has a name that means something else here.
        let same = named.file_type().is_char_device() && named.rdev() == stat::fstat(fd).ok()?.st_rdev;
        same.then_some(node)
    })
}

/// Why the host does not say what must be known.
#[derive(Debug)]
pub enum HostError {
    /// The program has rights that its caller has not.
    MoreRights,
    /// capget(2) failed.
    Capabilities {
        /// What the caps crate says of it.
        text: String,
    },
    /// A certificate of the host, or a place for them, cannot be read, and the image's are not to be trusted.
    Certificates {
        /// Which.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// sysinfo(2) failed.
    Memory {
        /// Why.
        errno: Errno,
    },
}

impl HostError {
    /// What to try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MoreRights => Some("remove the set-user-id and set-group-id bits and the file's capabilities".into()),
            Self::Certificates { .. } => Some("ca=merged or ca=bundled, which trust whom the image trusts".into()),
            Self::Capabilities { .. } | Self::Memory { .. } => None,
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MoreRights => f.write_str("started with more rights than the caller has: refused"),
            Self::Capabilities { text } => write!(f, "read own capabilities: {text}"),
            Self::Certificates { path, errno } => {
                write!(f, "read the host's certificates: {}: {}", path.display(), errno.desc())
            }
            Self::Memory { errno } => write!(f, "read the size of the memory: {}", errno.desc()),
        }
    }
}

impl std::error::Error for HostError {}
