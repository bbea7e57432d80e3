//! Callers who are worse than others: odd rights, odd words, odd variables, a bundle that changes while it runs.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use support::bundle::{Shared, debian};
use support::exec::{self, Ended};
use support::host;
use support::place::ORDINARY_USER;
use support::requirement::skip;
use support::roots::busybox;
use support::{Bundle, Need, Place, Scratch};

use crate::conditions::Outcome;
use crate::{judge, shell, start};

#[test]
fn more_rights_than_the_callers_are_refused() {
    let Some((bundle, launcher)) = shell() else { return };
    if skip(&[Need::Tool("setcap")]) {
        return;
    }
    let copy = |name: &str| {
        let path = bundle.scratch().join(name);
        exec::copy(bundle.path(), &path);
        path
    };
    let (set_user, set_group, capable) = (copy("set-user.run"), copy("set-group.run"), copy("capable.run"));
    bundle.scratch().permit(&set_user, 0o4755);
    bundle.scratch().permit(&set_group, 0o2755);
    let _set = exec::run(Command::new("setcap").args(["cap_net_admin+ep"]).arg(&capable)).success();
    let refused = Outcome::Refused(&[
        "started with more rights than the caller has",
        "(try: remove the set-user-id",
    ]);
    for path in [&set_user, &set_group, &capable] {
        let ended = start(&bundle, &mut host::PLAIN.command(&launcher, host::USER, path));
        judge(&path.display().to_string(), refused, &ended);
    }
    // To root they are no more than it has.
    let ended = start(&bundle, &mut host::PLAIN.command(&launcher, None, &set_user));
    judge("root", Outcome::Starts("loop", &[]), &ended);
}

/// A user whom somebody gave the right to mount has it without a user namespace, and the program does not.
#[test]
fn a_right_that_the_caller_has_is_used_and_not_passed_on() {
    let Some((bundle, launcher)) = shell() else { return };
    let id = ORDINARY_USER.to_string();
    let raised = [
        "setpriv",
        "--reuid",
        &id,
        "--regid",
        &id,
        "--clear-groups",
        "--inh-caps",
        "+sys_admin",
        "--ambient-caps",
        "+sys_admin",
    ];
    let plain = host::PLAIN.command(&launcher, None, bundle.path());
    let mut words: Vec<_> = plain.get_args().map(ToOwned::to_owned).collect();
    words.splice(7..7, raised.iter().map(Into::into));
    let mut command = Command::new("unshare");
    command
        .args(words)
        .args(["-c", "busybox grep ^Cap /proc/self/status"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("HOME", bundle.home())
        .current_dir(bundle.work());
    let ended = exec::run(&mut command).success();
    for line in ended.out().lines().filter(|line| !line.starts_with("CapBnd")) {
        assert_eq!(line.split_whitespace().last(), Some("0000000000000000"), "{ended}");
    }
}

/// A start in one place with variables, `-c LINE` for the packed shell.
fn with_variables(bundle: &Bundle, place: Place, variables: &[(&str, &str)], line: &str) -> Ended {
    let mut command = bundle.start(place);
    command.args(["-c", line]).envs(variables.iter().copied());
    exec::run(&mut command)
}

fn places() -> impl Iterator<Item = Place> {
    Place::ALL.into_iter().filter(|place| !skip(place.needs()))
}

#[test]
fn variables_that_mean_harm() {
    let Some((bundle, _)) = shell() else { return };
    let megabyte = "x".repeat(100_000);
    let names: Vec<String> = (0..10).map(|number| format!("LARGE_{number}")).collect();
    let mut variables = vec![
        ("IFS", "/"),
        ("LD_PRELOAD", "/nonexistent.so"),
        ("LD_LIBRARY_PATH", "."),
        ("LD_AUDIT", "/nonexistent.so"),
        ("LD_DEBUG", "all"),
        ("MALLOC_CHECK_", "3"),
        ("GCONV_PATH", "."),
        ("RUST_BACKTRACE", "full"),
        ("TMPDIR", "/nonexistent"),
        ("PATH", ""),
        ("HOME", "/proc/self/cwd/../../../../etc"),
        ("POLECAT_VERIFY", "0"),
        ("POLECAT_TRUST", "/"),
    ];
    variables.extend(names.iter().map(|name| (name.as_str(), megabyte.as_str())));
    let words: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    // Behind all that needs a PATH itself.
    let prefix: Vec<&str> = std::iter::once("env").chain(words.iter().map(String::as_str)).collect();
    for place in places() {
        let line = "echo ${LD_PRELOAD-unset} ${#LARGE_9}; exit 7";
        let ended = exec::run(bundle.start_behind(place, &prefix).args(["-c", line])).exits(7);
        assert_eq!(ended.out(), "unset 100000\n", "{place}: {ended}");
        assert_eq!(ended.err(), "", "{place}");
    }
}

#[test]
fn variables_of_polecats_that_mean_nothing_stop_the_start() {
    let Some((bundle, _)) = shell() else { return };
    for place in places() {
        for (name, value) in [
            ("POLECAT_MOUNT", "none"),
            ("POLECAT_MOUNT", "../loop"),
            ("POLECAT_CONTAIN", "yes"),
            ("POLECAT_DEBUG", "\n"),
        ] {
            let ended = with_variables(&bundle, place, &[(name, value)], "echo started").exits(125);
            assert!(
                ended.err().contains(name) && ended.out().is_empty(),
                "{place}: {name}={value}: {ended}"
            );
        }
    }
}

#[test]
fn no_variables_and_no_arguments_at_all() {
    let Some((bundle, launcher)) = shell() else { return };
    for place in places() {
        let mut command = bundle.start_behind(place, &["env", "-i", &format!("POLECAT_MOUNT={}", place.rung())]);
        let ended = exec::run(command.args(["-c", "echo $#; exit 7"])).exits(7);
        assert_eq!((ended.out(), ended.err()), ("0\n".to_owned(), String::new()), "{place}");
        // Since Linux 5.18 an empty argv comes as one empty word; before, as none.
        let path = launcher.path().to_str().expect("a path of text");
        let mut command = bundle.start_behind(place, &[path, "no-arguments"]);
        let ended = exec::run_with_input(&mut command, b"echo read; exit 7\n").exits(7);
        assert_eq!(
            (ended.out(), ended.err()),
            ("read\n".to_owned(), String::new()),
            "{place}"
        );
    }
}

#[test]
fn streams_that_are_all_closed() {
    let Some((bundle, _)) = shell() else { return };
    for place in places() {
        let mut command = bundle.start_behind(place, &["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"]);
        let line = "echo unheard; echo told > told; exit 7";
        let ended = exec::run(command.args(["-c", line])).exits(7);
        assert_eq!((ended.out(), ended.err()), (String::new(), String::new()), "{place}");
        let told = bundle.work().join("told");
        assert_eq!(
            std::fs::read_to_string(&told).expect("what was told"),
            "told\n",
            "{place}"
        );
        std::fs::remove_file(&told).expect("what was told");
    }
}

/// What is read after `change` was done to the file of a bundle that runs.
fn while_running(place: Place, bundle: &Bundle, name: &str, change: impl Fn(&std::path::Path)) -> Ended {
    let path = bundle.scratch().join(name);
    exec::copy(bundle.path(), &path);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
    let mut command = place.command(&path);
    command
        .args([
            "-c",
            ": > ready; read line; busybox sha256sum /bin/busybox; busybox id -u; exit 7",
        ])
        .env("HOME", bundle.home())
        .current_dir(bundle.work())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = exec::spawn(&mut command);
    let ready = bundle.work().join("ready");
    support::wait::until("the program runs", || ready.exists());
    std::fs::remove_file(&ready).expect("a file of the program's");
    change(&path);
    drop(child.stdin.take());
    exec::finish(name.to_owned(), child)
}

#[test]
fn a_bundle_that_is_removed_or_replaced_while_it_runs() {
    let Some((bundle, _)) = shell() else { return };
    let expected = exec::run(Command::new("sha256sum").arg(support::requirement::tool("busybox")))
        .success()
        .out();
    let digest = expected.split_whitespace().next().expect("a digest");
    for place in places() {
        let removed = while_running(place, &bundle, "removed.run", |path| {
            std::fs::remove_file(path).expect("a file of ours");
        });
        let replaced = while_running(place, &bundle, "replaced.run", |path| {
            let other = path.with_extension("other");
            std::fs::write(&other, "#!/bin/sh\necho other\n").expect("a file of ours");
            std::fs::rename(&other, path).expect("a file of ours");
        });
        let renamed = while_running(place, &bundle, "renamed.run", |path| {
            std::fs::rename(path, path.with_extension("elsewhere")).expect("a file of ours");
        });
        for ended in [removed, replaced, renamed] {
            let ended = ended.exits(7);
            assert!(ended.out().starts_with(digest), "{place}: {ended}");
            assert!(
                ended.out().ends_with(&format!("\n{}\n", place.id())),
                "{place}: {ended}"
            );
        }
    }
}

static NESTED: Shared = Shared::new(|| {
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    let inner = Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]);
    exec::copy(inner.path(), &root.join("bin/inner.run"));
    Bundle::pack(&["--include", "/bin/inner.run"], &root, &["/bin/sh"])
});

/// In the box there is neither `/dev/fuse` nor the right to mount a fresh `/proc`; a user namespace is all that is needed.
#[test]
fn a_bundle_starts_in_a_bundle() {
    if shell().is_none() {
        return;
    }
    let bundle = NESTED.get();
    for place in places() {
        let line = "unset POLECAT_MOUNT; /bin/inner.run -c 'echo $$ inside; exit 7'";
        let ended = with_variables(&bundle, place, &[], line).exits(7);
        assert_eq!(ended.out(), "2 inside\n", "{place}: {ended}");
    }
}

/// What is packed for a terminal that nobody has heard of starts, and says that itself.
#[test]
fn an_unknown_terminal_is_the_programs_matter() {
    if skip(&[Need::Polecat, Need::Rootfs]) || shell().is_none() {
        return;
    }
    assert!(debian().join("usr/bin/tput").exists(), "the root file system has tput");
    let bundle = Bundle::debian(&[], &["/usr/bin/tput", "cols"]);
    for place in places() {
        let mut command = bundle.start(place);
        let ended = exec::run(command.env("TERM", "polecat-unknown"));
        // tput(1): 3 is an unknown terminal.
        assert_eq!(ended.code(), Some(3), "{place}: {ended}");
        assert!(ended.err().contains("polecat-unknown"), "{place}: {ended}");
    }
}

#[test]
fn fifty_at_once_with_few_loop_devices() {
    let Some((bundle, launcher)) = shell() else { return };
    // Nodes of two devices for fifty that all want one: the others take the next rung.
    let host = host::Host {
        setup: "dev fuse 666 10 229 loop-control 600 10 237 loop0 600 7 0 loop1 600 7 1",
        words: &[],
    };
    let children: Vec<_> = (0..50)
        .map(|_| {
            let mut command = host.command(&launcher, None, bundle.path());
            command
                .args(["-c", "echo inside; exit 7"])
                .env("HOME", bundle.home())
                .current_dir(bundle.work())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            exec::spawn(&mut command)
        })
        .collect();
    for child in children {
        let ended = exec::finish("one of fifty".to_owned(), child).exits(7);
        assert_eq!((ended.out(), ended.err()), ("inside\n".to_owned(), String::new()));
    }
}
