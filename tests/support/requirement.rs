//! What a test needs of the machine. A test that cannot run says `SKIP` and why; where `POLECAT_TEST_REQUIRE` names
//! what is missing, it fails instead.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::cgroups;
use crate::exec;
use crate::place::ORDINARY_USER;
use crate::roots::fixtures;
use crate::scratch::Scratch;

/// One thing that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To be root, with its capabilities.
    Root,
    /// User namespaces for ordinary users.
    UserNamespaces,
    /// `/dev/fuse`: openable by us, and thereby by an ordinary user we make a node for.
    Fuse,
    /// Loop devices, and squashfs in the kernel.
    Loop,
    /// Overlay file systems.
    Overlay,
    /// Landlock, which gcc is needed to ask for.
    Landlock,
    /// Control groups that limits can be set in.
    Cgroups,
    /// A program in PATH or a system directory.
    Tool(&'static str),
    /// The packer, built: `POLECAT_BIN`.
    Polecat,
    /// The Debian root file system: `POLECAT_TEST_ROOTFS`.
    Rootfs,
    /// The root file system with the programs of the cases: `POLECAT_TEST_CASES_ROOTFS`.
    CasesRootfs,
    /// The one of another architecture: `POLECAT_TEST_CASES_ROOTFS_ARM64`.
    CasesRootfsArm64,
    /// `binfmt_misc` file systems for user namespaces: Linux 6.7.
    Binfmt,
}

impl Need {
    /// The word of `POLECAT_TEST_REQUIRE`.
    fn word(self) -> String {
        match self {
            Self::Root => "root".to_owned(),
            Self::UserNamespaces => "userns".to_owned(),
            Self::Fuse => "fuse".to_owned(),
            Self::Loop => "loop".to_owned(),
            Self::Overlay => "overlay".to_owned(),
            Self::Landlock => "landlock".to_owned(),
            Self::Cgroups => "cgroups".to_owned(),
            Self::Tool(name) => format!("tool:{name}"),
            Self::Polecat => "polecat".to_owned(),
            Self::Rootfs => "rootfs".to_owned(),
            Self::CasesRootfs => "cases".to_owned(),
            Self::CasesRootfsArm64 => "cases-arm64".to_owned(),
            Self::Binfmt => "binfmt".to_owned(),
        }
    }

    /// None if it is there, else what is missing.
    fn missing(self) -> Option<String> {
        let (there, what) = match self {
            Self::Root => (is_root(), "not root".to_owned()),
            Self::UserNamespaces => (
                has_user_namespaces(),
                "no user namespaces for ordinary users".to_owned(),
            ),
            Self::Fuse => (has_fuse(), "/dev/fuse cannot be opened".to_owned()),
            Self::Loop => (has_loop(), "no loop devices, or no squashfs in the kernel".to_owned()),
            Self::Overlay => (has_overlay(), "no overlay file systems".to_owned()),
            Self::Landlock => (has_landlock(), "no Landlock, or no gcc to ask for it".to_owned()),
            Self::Cgroups => (cgroups::can_be_made(), "no cgroups that can be limited".to_owned()),
            Self::Tool(name) => (find_tool(name).is_some(), format!("no {name}")),
            Self::Polecat => (
                set_path("POLECAT_BIN").is_some(),
                "POLECAT_BIN is not set: cargo xtask test".to_owned(),
            ),
            Self::Rootfs => {
                let there = set_path("POLECAT_TEST_ROOTFS").is_some();
                (there, "POLECAT_TEST_ROOTFS is not set: cargo xtask test".to_owned())
            }
            Self::CasesRootfs => (
                set_path("POLECAT_TEST_CASES_ROOTFS").is_some(),
                "POLECAT_TEST_CASES_ROOTFS is not set: cargo xtask cases".to_owned(),
            ),
            Self::CasesRootfsArm64 => (
                set_path("POLECAT_TEST_CASES_ROOTFS_ARM64").is_some(),
                "POLECAT_TEST_CASES_ROOTFS_ARM64 is not set: cargo xtask cases".to_owned(),
            ),
            Self::Binfmt => (
                has_binfmt(),
                "no binfmt_misc file systems for ordinary users".to_owned(),
            ),
        };
        (!there).then_some(what)
    }
}

/// Whether the test that calls this must be skipped: `if skip(&[Need::Root]) { return; }`.
///
/// # Panics
/// Where something is missing that `POLECAT_TEST_REQUIRE` says is there.
#[must_use]
pub fn skip(needs: &[Need]) -> bool {
    let required = std::env::var("POLECAT_TEST_REQUIRE").unwrap_or_default();
    let required: Vec<&str> = required.split(',').map(str::trim).collect();
    for need in needs {
        let Some(why) = need.missing() else { continue };
        let word = need.word();
        assert!(
            !required.iter().any(|entry| *entry == "all" || *entry == word),
            "{why}, and POLECAT_TEST_REQUIRE says that this machine has it ({word})"
        );
        // Not through println!, which the test harness hides of a test that passes.
        let thread = std::thread::current();
        writeln!(std::io::stderr(), "SKIP: {}: {why}", thread.name().unwrap_or("test")).expect("standard error");
        return true;
    }
    false
}

/// Full path of a tool. Administrators' directories are searched even where PATH leaves them out.
#[must_use]
pub fn find_tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// Path of a tool that [`skip`] was asked for.
///
/// # Panics
/// Where it is not there after all.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    find_tool(name).unwrap_or_else(|| panic!("no {name}: ask for Need::Tool first"))
}

/// Whether the tests run as root.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The root file system with the programs of the cases.
///
/// # Panics
/// Where there is none: ask for [`Need::CasesRootfs`] first.
#[must_use]
pub fn cases_rootfs() -> PathBuf {
    set_path("POLECAT_TEST_CASES_ROOTFS").expect("POLECAT_TEST_CASES_ROOTFS: ask for Need::CasesRootfs first")
}

/// The root file system of the cases of another architecture.
///
/// # Panics
/// Where there is none: ask for [`Need::CasesRootfsArm64`] first.
#[must_use]
pub fn cases_rootfs_arm64() -> PathBuf {
    set_path("POLECAT_TEST_CASES_ROOTFS_ARM64")
        .expect("POLECAT_TEST_CASES_ROOTFS_ARM64: ask for Need::CasesRootfsArm64 first")
}

pub(crate) fn set_path(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.exists())
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// unshare(1), started by the ordinary user.
fn unshare_as_user() -> Command {
    if !is_root() {
        return Command::new("unshare");
    }
    let mut command = Command::new("setpriv");
    let id = ORDINARY_USER;
    command.args([
        &format!("--reuid={id}"),
        &format!("--regid={id}"),
        "--clear-groups",
        "unshare",
    ]);
    command
}

fn has_user_namespaces() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| succeeds(unshare_as_user().args(["--user", "--map-current-user", "true"])))
}

fn has_binfmt() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let mount = ["mount", "-t", "binfmt_misc", "binfmt_misc", "/mnt"];
        succeeds(
            unshare_as_user()
                .args(["--user", "--map-root-user", "--mount"])
                .args(mount),
        )
    })
}

fn has_fuse() -> bool {
    std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .is_ok()
}

fn has_loop() -> bool {
    let kernel = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    kernel.split_whitespace().any(|word| word == "squashfs") && Path::new("/dev/loop-control").exists()
}

/// What polecat says of it is what is tested.
fn has_landlock() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let (Some(gcc), scratch) = (find_tool("gcc"), Scratch::new()) else {
            return false;
        };
        let probe = scratch.join("probe");
        let mut compiler = Command::new(gcc);
        compiler
            .arg("-o")
            .arg(&probe)
            .arg(fixtures().join("programs/landlock.c"));
        let _no_output = exec::run(&mut compiler).success();
        succeeds(&mut Command::new(probe))
    })
}

fn has_overlay() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let mut command = Command::new("unshare");
        if !is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = "mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir l u w m && \
                      mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m";
        succeeds(command.args(["--mount", "sh", "-c", script]))
    })
}
