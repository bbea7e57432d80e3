//! Starts on hosts that forbid a root of one's own: which rung is taken, what is said of the others, how the program is kept and
//! ended without namespaces, and that nothing stays behind.

#![forbid(unsafe_code)]

#[path = "ladder/doctor.rs"]
mod doctor;
#[path = "ladder/kills.rs"]
mod kills;
#[path = "ladder/libraries.rs"]
mod libraries;
#[path = "ladder/places.rs"]
mod places;
#[path = "ladder/programs.rs"]
mod programs;
#[path = "ladder/refusals.rs"]
mod refusals;
#[path = "ladder/supervision.rs"]
mod supervision;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use support::bundle::Shared;
use support::requirement::{skip, tool};
use support::roots::{BUSYBOX_NEEDS, busybox, fixtures};
use support::{Bundle, Need, Place, Scratch, exec};

/// A packed shell, with `fixtures/programs/deny.c` beside it, compiled.
static SHELL: Shared = Shared::new(|| {
    let bundle = Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]);
    let mut compiler = Command::new(tool("gcc"));
    compiler.args(["-static", "-Os", "-o"]).arg(bundle.scratch().join(DENY));
    let _no_output = exec::run(compiler.arg(fixtures().join("programs/deny.c"))).success();
    bundle
});

const DENY: &str = "deny";

/// A packed shell, where the tests can build hosts; none where they cannot.
fn shell() -> Option<Arc<Bundle>> {
    (!skip(&BUSYBOX_NEEDS) && !skip(&NEEDS)).then(|| SHELL.get())
}

const NEEDS: [Need; 3] = [Need::Root, Need::Tool("gcc"), Need::UserNamespaces];

/// What refuses calls, for as long as the test has the [`shell`].
fn deny() -> PathBuf {
    SHELL.get().scratch().join(DENY)
}

/// Who starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// A user who may open `/dev/fuse`, and has a name, which fusermount3 asks for.
    User,
    /// A user who may not.
    UserWithoutFuse,
    /// Root as most containers have it: without `CAP_SYS_ADMIN`.
    ContainerRoot,
}

/// The user that every system has a name for.
const NOBODY: u32 = 65_534;

const CALLERS: [Caller; 3] = [Caller::User, Caller::UserWithoutFuse, Caller::ContainerRoot];

/// A host that answers these calls with this errno, 0 killing whoever makes them.
#[derive(Debug, Clone, Copy)]
struct Host {
    errno: &'static str,
    calls: &'static str,
    /// Lines of a shell that change a mount namespace first.
    prepare: &'static str,
}

/// What Docker's filter does, and Debian's `kernel.unprivileged_userns_clone=0`.
const NO_USER_NAMESPACES: Host = Host {
    errno: "1",
    calls: "clone-user",
    prepare: "",
};

impl Host {
    /// A command that starts `program` here without a forced rung, with `words` put right before it.
    fn command(self, caller: Caller, words: &[&str], program: &Path) -> Command {
        let inner: Command = match caller {
            Caller::User => Place::UserFuse.command_of(NOBODY, words, program),
            Caller::UserWithoutFuse => Place::UserUnpack.command_behind(words, program),
            Caller::ContainerRoot => {
                let mut command = Command::new("setpriv");
                let drop = ["--bounding-set=-sys_admin", "--inh-caps=-all"];
                command.args(drop).args(words).arg(program);
                command
            }
        };
        let mut command = Command::new("unshare");
        let script = format!("set -e; {}\nexec \"$@\"", self.prepare);
        command.args(["--mount", "--propagation=private", "sh", "-c", &script, "sh"]);
        command.arg(deny()).args([self.errno, self.calls]);
        command.arg(inner.get_program()).args(inner.get_args());
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        command.env("POLECAT_DEBUG", "1");
        command
    }

    /// The same for a bundle, with a home of its own.
    fn start(self, caller: Caller, bundle: &Bundle, home: &Path) -> Command {
        let mut command = self.command(caller, &[], bundle.path());
        command
            .env("HOME", home)
            .env("TERM", "polecat-unknown")
            .current_dir(bundle.work());
        command
    }
}

/// A command that starts a bundle on this rung, with a home of its own, as a user who can.
fn forced(rung: &str, bundle: &Bundle, home: &Path) -> Command {
    let mut command = Place::UserFuse.command_of(NOBODY, &[], bundle.path());
    // Over the rung that the place's variable names.
    command
        .arg(on(rung))
        .env("HOME", home)
        .env("TERM", "xterm")
        .current_dir(bundle.work());
    command
}

/// The option that takes a rung alone.
fn on(rung: &str) -> String {
    format!("--polecat-mount={rung}")
}

/// Nothing at all is left in a home.
fn assert_empty(home: &Path) {
    let left: Vec<_> = std::fs::read_dir(home).expect("the home").flatten().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the mounts");
    assert!(!mounts.contains(home.to_str().expect("text")), "{mounts}");
}
