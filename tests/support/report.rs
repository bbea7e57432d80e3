//! What `fixtures/programs/probe.c` says of itself and of what is around it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::exec::Ended;
use crate::status::{self, Mount};

/// A report, as the program printed it. Bytes that are no ASCII are characters of Latin-1 in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// argv.
    pub arguments: Vec<String>,
    /// environ, in its order.
    pub environment: Vec<String>,
    /// What was open when it began, lowest first.
    pub descriptors: Vec<Descriptor>,
    /// As umask(2) has it.
    pub umask: u32,
    /// getpid(2).
    pub pid: i32,
    /// getppid(2).
    pub ppid: i32,
    /// getpgrp(2); 0 where the group is not of this PID namespace.
    pub pgid: i32,
    /// getsid(2); 0 where the session is not of this PID namespace.
    pub sid: i32,
    /// Whether `/dev/tty` can be opened.
    pub controlling_terminal: bool,
    /// Whether its group is the one that the terminal sends its signals to.
    pub foreground: bool,
    /// `PR_GET_PDEATHSIG`.
    pub parent_death_signal: i32,
    /// `PR_GET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// `PR_GET_DUMPABLE`.
    pub dumpable: i32,
    /// Working directory.
    pub cwd: Option<String>,
    /// Real, effective, saved.
    pub uid: [u32; 3],
    /// Real, effective, saved.
    pub gid: [u32; 3],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Soft and hard by name; -1 for none.
    pub limits: BTreeMap<String, [i64; 2]>,
    /// Signals in the mask.
    pub blocked: Vec<i32>,
    /// Signals with `SIG_IGN`.
    pub ignored: Vec<i32>,
    /// By capability number.
    pub capabilities: Capabilities,
    /// `/proc/self/ns`: name and identity, such as `mnt:[4026531832]`.
    pub namespaces: BTreeMap<String, String>,
    /// Words of the lines of `/proc/self/mountinfo`; none without `/proc`.
    mounts: Option<Vec<Vec<String>>>,
    /// Words of the lines of `/proc/self/uid_map`.
    pub uid_map: Option<Vec<Vec<String>>>,
    /// Words of the lines of `/proc/self/gid_map`.
    pub gid_map: Option<Vec<Vec<String>>>,
    /// Words of the lines of `/proc/self/status`.
    status: Option<Vec<Vec<String>>>,
}

/// An open descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Descriptor {
    /// Its number.
    pub number: u32,
    /// What /proc calls it.
    pub target: Option<String>,
    /// `file`, `directory`, `character`, `block`, `pipe`, `socket`, `other`.
    pub kind: String,
    /// `F_GETFL`.
    pub flags: i32,
}

/// The five sets of capabilities(7).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Capabilities {
    /// What the kernel checks.
    pub effective: BTreeSet<u32>,
    /// What may become effective.
    pub permitted: BTreeSet<u32>,
    /// What goes through execve(2) with the file's.
    pub inheritable: BTreeSet<u32>,
    /// What may ever be had.
    pub bounding: BTreeSet<u32>,
    /// What goes through execve(2).
    pub ambient: BTreeSet<u32>,
}

impl Report {
    /// What a program that ended well printed.
    ///
    /// # Panics
    /// Where it is no report.
    #[must_use]
    pub fn of(ended: &Ended) -> Self {
        assert_eq!(ended.code(), Some(0), "{ended}");
        Self::parse(&ended.out())
    }

    /// A report's line.
    ///
    /// # Panics
    /// Where it is none.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no report: {error}: {line}"))
    }

    /// A line of `/proc/self/status`.
    #[must_use]
    pub fn status(&self, name: &str) -> Option<String> {
        let lines = self.status.as_ref()?;
        let line = lines
            .iter()
            .find(|line| line.first().and_then(|word| word.strip_suffix(':')) == Some(name))?;
        Some(line.get(1..)?.join(" "))
    }

    /// All mounts, as they are seen from its root.
    ///
    /// # Panics
    /// Where it had no `/proc`.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        let lines = self.mounts.as_ref().expect("a /proc");
        let text: Vec<String> = lines.iter().map(|words| words.join(" ")).collect();
        status::mounts(&text.join("\n"))
    }

    /// What is seen at a mount point: the last that was mounted there.
    #[must_use]
    pub fn mount_at(&self, point: &str) -> Option<Mount> {
        self.mounts().into_iter().rev().find(|mount| mount.point == point)
    }

    /// Value of a variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}
