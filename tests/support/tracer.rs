//! `polecat trace` as root and as an ordinary user.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::exec;
use crate::place::ORDINARY_USER;
use crate::polecat::Polecat;
use crate::requirement::{Need, is_root};
use crate::scratch::Scratch;

/// Who traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracer {
    /// Root, without a user namespace.
    Root,
    /// An ordinary user, in one.
    User,
}

impl Tracer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Root, Self::User];

    /// What the machine must have.
    #[must_use]
    pub const fn needs(self) -> &'static [Need] {
        match self {
            Self::Root => &[Need::Polecat, Need::Root, Need::Overlay],
            Self::User => &[Need::Polecat, Need::UserNamespaces, Need::Overlay],
        }
    }

    /// A command that traces in `root`, with its home and working directory in `scratch`, and writes
    /// [`Tracer::file`]. Options of polecat and then the command to trace can be added behind `options`.
    #[must_use]
    pub fn command(self, scratch: &Scratch, options: &[&str], root: &Path, words: &[&str]) -> Command {
        self.command_behind(&[], scratch, options, root, words)
    }

    /// The same behind a prefix: another program with arguments, which ends by executing its further arguments.
    #[must_use]
    pub fn command_behind(
        self,
        prefix: &[&str],
        scratch: &Scratch,
        options: &[&str],
        root: &Path,
        words: &[&str],
    ) -> Command {
        let home = scratch.open_directory("home");
        let work = scratch.open_directory("work");
        let mut steps = if self == Self::User && is_root() {
            user_steps(scratch, root)
        } else {
            vec![Polecat::executable(), root.to_owned()]
        };
        let (Some(root), Some(polecat)) = (steps.pop(), steps.pop()) else {
            unreachable!("both are there")
        };
        let mut all = steps.into_iter().map(PathBuf::into_os_string);
        let mut words_of_all: Vec<_> = all.by_ref().collect();
        words_of_all.extend(prefix.iter().map(Into::into));
        words_of_all.push(polecat.into_os_string());
        words_of_all.push("trace".into());
        words_of_all.extend(["-o".into(), Self::file(scratch).into_os_string()]);
        words_of_all.extend(options.iter().map(Into::into));
        words_of_all.push(root.into_os_string());
        words_of_all.extend(words.iter().map(Into::into));
        let mut command = Command::new(&words_of_all[0]);
        command
            .args(&words_of_all[1..])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", home)
            .env("TERM", "xterm")
            .current_dir(work);
        command
    }

    /// Runs to the end.
    pub fn run(self, scratch: &Scratch, options: &[&str], root: &Path, words: &[&str]) -> exec::Ended {
        exec::run(&mut self.command(scratch, options, root, words))
    }

    /// Where the trace goes.
    #[must_use]
    pub fn file(scratch: &Scratch) -> PathBuf {
        scratch.open_directory("out").join("a.trace")
    }
}

/// Down from root to the ordinary user, with the packer and the root file system at places that everyone may see; those
/// two are the last words.
fn user_steps(scratch: &Scratch, root: &Path) -> Vec<PathBuf> {
    let seen = scratch.directory("seen");
    let polecat = scratch.file("polecat", "");
    let script = "set -e; mount --bind \"$1\" \"$2\"; mount --bind \"$3\" \"$4\"; shift 4; exec \"$@\"";
    let words: [&OsStr; 8] = [
        "unshare".as_ref(),
        "--mount".as_ref(),
        "--propagation=private".as_ref(),
        "sh".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
        "sh".as_ref(),
        root.as_ref(),
    ];
    let executable = Polecat::executable();
    let mut steps: Vec<PathBuf> = words.iter().map(PathBuf::from).collect();
    steps.extend([seen.clone(), executable, polecat.clone()]);
    let ids = [
        "setpriv".to_owned(),
        format!("--reuid={ORDINARY_USER}"),
        format!("--regid={ORDINARY_USER}"),
        "--clear-groups".to_owned(),
    ];
    steps.extend(ids.map(PathBuf::from));
    steps.extend([polecat, seen]);
    steps
}

/// What a trace says.
#[derive(Debug)]
pub struct Traced {
    /// Its bytes.
    pub text: String,
    /// Each path with its kinds.
    pub kinds: BTreeMap<String, Vec<String>>,
    /// Paths that there are warnings about.
    pub warned: Vec<String>,
}

impl Traced {
    /// Reads a file as docs/trace.md describes it.
    ///
    /// # Panics
    /// Where it is otherwise.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}")));
        assert_eq!(lines.next().expect("a first line")["polecatTrace"], 1);
        let (mut kinds, mut warned) = (BTreeMap::new(), Vec::new());
        for line in lines {
            let path = line["path"].as_str().expect("a path").to_owned();
            if line["warning"].is_string() {
                warned.push(path);
                continue;
            }
            let all = line["kinds"].as_array().expect("kinds").iter();
            let all = all.map(|kind| kind.as_str().expect("a word").to_owned()).collect();
            assert!(kinds.insert(path, all).is_none(), "{line}: twice");
        }
        Self { text, kinds, warned }
    }

    /// Whether the path is there with this kind.
    #[must_use]
    pub fn has(&self, path: &str, kind: &str) -> bool {
        self.kinds
            .get(path)
            .is_some_and(|kinds| kinds.iter().any(|known| known == kind))
    }

    /// Whether any path that ends so is there with this kind.
    #[must_use]
    pub fn has_end(&self, end: &str, kind: &str) -> bool {
        self.kinds
            .keys()
            .any(|path| path.ends_with(end) && self.has(path, kind))
    }
}
