//! Whole containers: several conditions at a time, as engines and limits make them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::bundle::Shared;
use support::exec;
use support::host::{self, Host, Launcher};
use support::place::ORDINARY_USER;
use support::requirement::skip;
use support::roots::busybox;
use support::{Bundle, Need, Scratch};

use crate::conditions::{MASKED, Outcome};
use crate::{INSIDE, come_to, judge, shell, start};

/// What setpriv(1) leaves of root in a container: Docker's default, with which nothing can be mounted.
const DOCKER: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,\
                      +sys_chroot,+mknod,+audit_write,+setfcap";

/// `prefix` between the host's setup and its launcher.
fn behind(host: Host, prefix: &[&str], launcher: &Launcher, bundle: &Bundle) -> Command {
    let plain = host.command(launcher, None, bundle.path());
    let mut words: Vec<_> = plain.get_args().map(ToOwned::to_owned).collect();
    // Behind `unshare --mount --propagation=private sh -c SCRIPT sh DIRECTORY`.
    words.splice(7..7, prefix.iter().map(Into::into));
    let mut command = Command::new(plain.get_program());
    command
        .args(words)
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    command
}

#[test]
fn root_of_a_container_without_the_right_to_mount() {
    let Some((bundle, launcher)) = shell() else { return };
    let docker = ["setpriv", "--bounding-set", DOCKER, "--inh-caps", "-all"];
    let masked = Host {
        setup: MASKED,
        words: &[],
    };
    let with_filter = Host {
        setup: MASKED,
        words: &[
            "deny=newuser:EPERM",
            "deny=clone3:ENOSYS",
            "deny=mount:EPERM",
            "deny=pivot_root:EPERM",
        ],
    };
    // A user namespace, where there may be one, is all that is needed.
    for (name, host, expected) in [
        (
            "without a filter",
            masked,
            Outcome::Starts("unpack", &["fuse: left: open /dev/fuse: "]),
        ),
        (
            "with a filter",
            with_filter,
            Outcome::HostsRoot(
                "disk",
                &["make user, mount, PID"],
                "(try: user namespaces are forbidden here",
            ),
        ),
    ] {
        let script: &'static str = if name == "with a filter" { MASKED } else { CLOSED };
        let host = Host { setup: script, ..host };
        come_to(name, expected, &bundle, &|| behind(host, &docker, &launcher, &bundle));
    }
}

/// [`MASKED`], and no `/dev/fuse`.
const CLOSED: &str = "for path in kcore keys timer_list; do [ ! -e /proc/$path ] || mount --bind /dev/null /proc/$path; done; \
                      mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; dev";

#[test]
fn user_namespaces_that_are_exhausted() {
    let Some((bundle, launcher)) = shell() else { return };
    // In a user namespace around it, so that the machine's own limit stays.
    let line = "echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"";
    let around = ["unshare", "--user", "--map-root-user", "sh", "-c", line, "sh"];
    let without = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];
    let prefix: Vec<&str> = around.into_iter().chain(without).collect();
    let expected = Outcome::HostsRoot(
        "disk",
        &["No space left on device"],
        "(try: raise user.max_user_namespaces",
    );
    come_to("exhausted", expected, &bundle, &|| {
        behind(host::PLAIN, &prefix, &launcher, &bundle)
    });
    // Who has all rights in that namespace needs none of his own.
    let expected = Outcome::Starts("fuse", &["loop: left: "]);
    let ended = start(&bundle, &mut behind(host::PLAIN, &around, &launcher, &bundle));
    judge("exhausted, with rights", expected, &ended);
}

/// In it nobody is anybody: nothing can be given to an owner, and no namespace be made.
#[test]
fn a_user_namespace_without_a_map() {
    let Some((bundle, launcher)) = shell() else { return };
    let expected = Outcome::HostsRoot("disk", &["make user, mount, PID"], "user namespaces are forbidden here");
    come_to("without a map", expected, &bundle, &|| {
        behind(host::PLAIN, &["unshare", "--user"], &launcher, &bundle)
    });
}

/// A fresh `/proc` cannot be had where the caller's is masked: the caller's stands in, which a closed box refuses.
#[test]
fn a_masked_proc_stands_in_but_not_in_a_closed_box() {
    let Some((bundle, launcher)) = shell() else { return };
    let masked = Host {
        setup: MASKED,
        words: &[],
    };
    let user = host::USER;
    let mut command = masked.command(&launcher, user, bundle.path());
    judge("open", Outcome::Starts("fuse", &[]), &start(&bundle, &mut command));
    let mut command = masked.command(&launcher, user, bundle.path());
    let ended = start(&bundle, command.arg("--polecat-contain"));
    let words = &["mount proc on /proc", "(try: the host's /proc is covered in parts"];
    judge("closed", Outcome::Refused(words), &ended);
    // Root may mount one all the same.
    let mut command = masked.command(&launcher, None, bundle.path());
    let ended = start(&bundle, command.arg("--polecat-contain"));
    judge("closed, root", Outcome::Starts("loop", &[]), &ended);
}

/// A group of processes with a limit of memory, cgroups(7), of either version; gone with this.
struct SmallMemory {
    path: PathBuf,
}

impl SmallMemory {
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("polecat-test-{}-{bytes}", std::process::id());
        for (base, limit) in [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ] {
            let path = Path::new(base).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Self { path };
            if fs::write(group.path.join(limit), bytes.to_string()).is_ok() {
                return Some(group);
            }
        }
        eprintln!("SKIP: no memory controller of cgroups");
        None
    }
}

impl Drop for SmallMemory {
    fn drop(&mut self) {
        // A process that was killed leaves its group a little later than its parent hears of it.
        for _ in 0..100 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        eprintln!("{} stays", self.path.display());
    }
}

static LARGE: Shared = Shared::new(|| {
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    // Compresses to a third.
    let noise = |at: u64| {
        at.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            .wrapping_mul(at | 1)
    };
    let bytes: Vec<u8> = (0..4 << 20).flat_map(|at| noise(at).to_le_bytes()).collect();
    fs::write(root.join("bin/large"), bytes).expect("a file");
    Bundle::pack(&["--include", "/bin/large"], &root, &["/bin/sh"])
});

#[test]
fn little_memory_is_enough_but_for_unpacking() {
    if shell().is_none() || skip(&[Need::Root]) {
        return;
    }
    let bundle = LARGE.get();
    let launcher = Launcher::new(bundle.scratch());
    // 16 MiB for an image of a file of 32 MiB.
    for (user, rung) in [(None, "loop"), (host::USER, "fuse")] {
        let Some(group) = SmallMemory::new(16 << 20) else {
            return;
        };
        let line = "echo $$ > \"$0\"/cgroup.procs && exec \"$@\"";
        let place = group.path.display().to_string();
        let id = user.map(|id: u32| format!("{id}"));
        let mut prefix = vec!["sh", "-c", line, &place];
        if let Some(id) = &id {
            prefix.extend(["setpriv", "--reuid", id, "--regid", id, "--clear-groups"]);
        }
        let ended = start(&bundle, &mut behind(host::PLAIN, &prefix, &launcher, &bundle));
        judge(
            rung,
            Outcome::Starts(if user.is_some() { "fuse" } else { "loop" }, &[]),
            &ended,
        );
        // The kernel ends who takes more than there is, and the status says by which signal.
        let mut command = behind(host::PLAIN, &prefix, &launcher, &bundle);
        command
            .args(INSIDE)
            .env("POLECAT_MOUNT", "unpack")
            .env("HOME", "/")
            .current_dir("/");
        let ended = exec::run(&mut command);
        assert_eq!(ended.out(), "", "{rung}: {ended}");
        assert_ne!(ended.code(), Some(0), "{rung}: {ended}");
        let killed = ended.signal().is_some() || ended.err().contains("killed by signal 9");
        assert!(killed, "{rung}: {ended}");
    }
}

/// In a root of chroot(2), which is no mount point, as a rescue system or a build service has it.
#[test]
fn in_a_chroot() {
    let Some((bundle, launcher)) = shell() else { return };
    // Root finds its way out of it to hide its mounts; the kernel makes no user namespace there for anybody else.
    let setup = "mkdir -p /mnt/c/bin /mnt/c/tmp /mnt/c/proc /mnt/c/dev; chmod 1777 /mnt/c/tmp; mount -t proc proc /mnt/c/proc; \
                 mount --rbind /dev /mnt/c/dev; cp \"$1\" /mnt/c/bin/program.run; cp \"$2\" /mnt/c/bin/launcher; cd /mnt/c";
    let user = ORDINARY_USER.to_string();
    for (user, expected) in [
        (None, Outcome::Starts("loop", &[])),
        (
            Some(user),
            Outcome::HostsRoot(
                "disk",
                &["Operation not permitted"],
                "(try: user namespaces are forbidden here",
            ),
        ),
    ] {
        let script =
            format!("set -e; mount -t tmpfs -o mode=755 tmpfs /mnt; {setup}; shift 2; exec chroot /mnt/c \"$@\"");
        come_to("chroot", expected, &bundle, &|| {
            let mut command = Command::new("unshare");
            command
                .args(["--mount", "--propagation=private", "sh", "-c", &script, "sh"])
                .args([bundle.path(), launcher.path()])
                .arg("/bin/launcher")
                .args(user.as_ref().map(|id| format!("user={id}")))
                .arg("/bin/program.run")
                .env_clear()
                .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
            command
        });
    }
}
