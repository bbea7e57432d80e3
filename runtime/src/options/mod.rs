//! How a program is kept apart from the host and what it gets of it: options that are fixed in the signed manifest, and those that
//! the caller adds. Both are the same words, `NAME` or `NAME=VALUE`, read by the same table, [`FLAGS`].
//!
//! The manifest's come first, so the caller's word is the last one: it may widen what was packed, as the caller is the one who is
//! protected, but only by saying so. No variable of the environment can.

mod bind;
mod confinement;
mod fault;
mod flag;
mod host;
mod limit;
mod share;
mod supervision;
mod user;
mod value;

use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::confine::capability_set::CapabilityChange;
use crate::confine::status::Layer;
use crate::ladder::Rung;
pub use bind::{BindOption, can_be_target};
pub(crate) use confinement::resource_name;
pub use confinement::{FilterChoice, Rlimit};
pub use fault::OptionFault;
pub use flag::{FLAGS, Flag};
pub(crate) use limit::number;
pub use limit::{CpuMask, Limits};
pub use share::{Share, Shares};
pub use supervision::Supervision;
pub use user::{Name, UserOption};
pub(crate) use value::{is_plain, seconds};

use crate::root::contract::Contract;

/// What all options of a caller begin with, in front of a bundle's own arguments.
pub const PREFIX: &str = "--polecat-";

/// What they begin with for the verbs of polecat.
pub const VERBS_PREFIX: &str = "--";

/// What stands in front of those of a manifest, where something is said of them.
pub(crate) const MANIFEST: &str = "the manifest's ";

/// What is asked for. The default is what a bundle without any option gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// A closed box: nothing of the caller's files and environment but what is named.
    pub contain: bool,
    /// Only rungs of the [ladder](crate::ladder) with a root of their own.
    pub strict: bool,
    /// The only rung that may be used.
    pub mount: Option<Rung>,
    /// What of the caller's session is shared.
    pub shares: Shares,
    /// Parts of the host, the later over the earlier.
    pub binds: Vec<BindOption>,
    /// A directory of the host that keeps what is written to the root.
    pub persist: Option<PathBuf>,
    /// Nothing can be written to the root.
    pub read_only: bool,
    /// Bytes that may be written to memory; none: half of what the machine has.
    pub tmp_size: Option<u64>,
    /// No network but one of its own, with loopback.
    pub no_network: bool,
    /// A cgroup namespace of its own.
    pub cgroup_namespace: bool,
    /// A time namespace of its own.
    pub time_namespace: bool,
    /// As whom the program runs inside; none: the caller.
    pub user: Option<UserOption>,
    /// What it may use.
    pub limits: Limits,
    /// Processors that it may run on; none: the caller's.
    pub cpu_mask: Option<CpuMask>,
    /// What gethostname(2) gives inside; none: the host's.
    pub hostname: Option<String>,
    /// How long a mount of the image is kept for the next start, in seconds; 0: no mount is kept or used. None: one that is there is
    /// used.
    pub keep: Option<u32>,
    /// Whose configuration files are the program's.
    pub host: Contract,
    /// Working directory inside, over the manifest's.
    pub workdir: Option<String>,
    /// `NAME=VALUE`, over the caller's and the manifest's.
    pub env: Vec<String>,
    /// The filter of system calls; none: nobody said.
    pub seccomp: Option<FilterChoice>,
    /// Capabilities beside those that a program has by default, and without some of them.
    pub capabilities: CapabilityChange,
    /// Limits of resources, each resource once.
    pub rlimits: Vec<Rlimit>,
    /// Say on stderr which layers hold.
    pub status: bool,
    /// Say it in JSON to this descriptor of the caller's, which the program does not get.
    pub status_fd: Option<RawFd>,
    /// Layers that must hold in full.
    pub required: Vec<Layer>,
    /// How the program is watched over.
    pub supervision: Supervision,
}

impl Options {
    /// Reads `words` that were given to a verb, the later over the earlier.
    ///
    /// # Errors
    /// [`OptionFault`]: a word that is no option, or with a value that it cannot have.
    pub fn read(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self, OptionFault> {
        let mut options = Self::default();
        options.extend(words, VERBS_PREFIX)?;
        Ok(options)
    }

    /// Sets a limit, over one of the same resource.
    fn limit(&mut self, rlimit: Rlimit) {
        self.rlimits.retain(|known| known.resource != rlimit.resource);
        self.rlimits.push(rlimit);
    }

    /// Reads `words` of a manifest, which may not say what is the caller's alone to say, over a box that is closed or not.
    ///
    /// # Errors
    /// See [`Options::read`].
    pub fn packed(
        contain: bool,
        words: impl IntoIterator<Item = impl AsRef<OsStr>> + Clone,
    ) -> Result<Self, OptionFault> {
        for word in words.clone() {
            let (name, _) = split(word.as_ref());
            if Flag::named(name).is_some_and(|flag| !flag.packed) {
                return Err(OptionFault::Callers { name: name.to_owned() });
            }
        }
        let mut options = Self::default();
        if contain {
            options.close();
        }
        options.extend(words, MANIFEST)?;
        Ok(options)
    }

    /// The first that asks for what only a root and namespaces of one's own can give, by its name.
    #[must_use]
    #[inline(never)]
    pub fn need_own_root(&self) -> Option<&'static str> {
        let elsewhere =
            |bind: &BindOption| bind.read_only || bind.target.as_ref().is_some_and(|target| *target != bind.source);
        Some(if self.strict {
            "strict"
        } else if self.contain {
            "contain"
        } else if self.persist.is_some() {
            "persist"
        } else if self.read_only {
            "read-only"
        } else if self.no_network {
            "net=none"
        } else if self.cgroup_namespace || self.time_namespace {
            "unshare"
        } else if self.user.is_some() {
            "user"
        } else if self.binds.iter().any(elsewhere) {
            "bind, to another place or read-only,"
        } else {
            return None;
        })
    }

    /// Closes the box: what was shared so far is not, and what is named from here on is.
    pub fn close(&mut self) {
        self.contain = true;
        self.shares = Shares::NONE;
        self.binds.clear();
        self.persist = None;
    }

    /// Opens a box that was closed.
    fn open(&mut self) {
        if std::mem::take(&mut self.contain) {
            self.shares.add(Share::Home);
            self.shares.add(Share::Cwd);
        }
    }

    /// Reads more `words` over what is there. In faults they have their `prefix`.
    ///
    /// # Errors
    /// See [`Options::read`].
    pub fn extend(
        &mut self,
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
        prefix: &'static str,
    ) -> Result<(), OptionFault> {
        for word in words {
            let (name, value) = split(word.as_ref());
            let name = spelled(prefix, name);
            match Flag::named(split(word.as_ref()).0) {
                Some(flag) => flag.set(self, name, value)?,
                None => return Err(OptionFault::Unknown { name }),
            }
        }
        Ok(())
    }
}

/// The options at the front of a bundle's arguments, without their prefix, and what is left for the app. Options end at the
/// first argument without the prefix, or behind `--`, which is ours only where an option came before it.
///
/// `takes_value` says whether an option that came without `=` has the next argument for its value.
pub fn take_prefixed(
    arguments: impl IntoIterator<Item = OsString>,
    takes_value: impl Fn(&OsStr) -> bool,
) -> Result<(Vec<OsString>, Vec<OsString>), OptionFault> {
    let mut words = Vec::new();
    let mut arguments = arguments.into_iter();
    let mut rest = Vec::new();
    while let Some(argument) = arguments.next() {
        let Some(word) = argument.as_bytes().strip_prefix(PREFIX.as_bytes()) else {
            let ends_ours = argument == "--" && !words.is_empty();
            rest.extend((!ends_ours).then_some(argument));
            break;
        };
        let mut word = OsStr::from_bytes(word).to_owned();
        if !word.as_bytes().contains(&b'=') && takes_value(&word) {
            let value = arguments.next().ok_or_else(|| OptionFault::NoValue {
                name: spelled(PREFIX, &word),
            })?;
            word.push("=");
            word.push(value);
        }
        words.push(word);
    }
    rest.extend(arguments);
    Ok((words, rest))
}

/// A name as whoever gave it wrote it.
pub(crate) fn spelled(prefix: &str, name: &OsStr) -> OsString {
    let mut whole = OsString::from(prefix);
    whole.push(name);
    whole
}

/// Name and value of `NAME=VALUE`.
#[must_use]
pub fn split(word: &OsStr) -> (&OsStr, Option<&OsStr>) {
    let bytes = word.as_bytes();
    match bytes.iter().position(|&byte| byte == b'=') {
        Some(at) => {
            let (name, value) = bytes.split_at(at);
            (OsStr::from_bytes(name), value.get(1..).map(OsStr::from_bytes))
        }
        None => (word, None),
    }
}

#[cfg(test)]
mod tests;
