//! Programs that are started out of the host's root: their loaders, interpreters, names, streams and ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::bundle::Shared;
use support::exec::{self, Ended};
use support::requirement::{skip, tool};
use support::{Bundle, Need, Scratch};

use crate::{Caller, NEEDS, NO_USER_NAMESPACES, assert_empty, forced, shell};

static BASH: Shared = Shared::new(|| Bundle::debian(&[], &["bash"]));

fn bash() -> Option<Arc<Bundle>> {
    (!skip(&NEEDS) && !skip(&[Need::Polecat, Need::Rootfs])).then(|| BASH.get())
}

/// On both rungs, with nothing left behind.
fn on_both(bundle: &Bundle, arguments: &[&str], check: impl Fn(&str, &Path, &Ended)) {
    for rung in ["fusermount", "disk"] {
        if rung == "fusermount" && skip(&[Need::Tool("fusermount3"), Need::Fuse]) {
            continue;
        }
        let scratch = Scratch::new();
        let home = scratch.home();
        check(rung, &home, &exec::run(forced(rung, bundle, &home).args(arguments)));
        assert_empty(&home);
    }
}

#[test]
fn a_dynamic_program_has_its_own_loader_and_libraries() {
    let Some(bundle) = bash() else { return };
    let script = "while read -r line; do echo \"$line\"; done < /proc/$$/maps; echo; while IFS= read -r -d '' v; do echo \"$v\"; done \
                  < /proc/$$/environ; echo \"0=$0 1=$1\"";
    on_both(&bundle, &["-c", script, "name", "one"], |rung, home, ended| {
        let printed = ended.out();
        let (maps, environment) = printed.split_once("\n\n").unwrap_or_else(|| panic!("{rung}: {ended}"));
        let home = home.to_str().expect("text");
        let libraries: Vec<&str> = maps.lines().filter(|line| line.contains(".so")).collect();
        assert!(libraries.len() > 3, "{rung}: {ended}");
        assert!(
            libraries.iter().all(|line| line.contains(home)),
            "{rung}: {libraries:?}"
        );
        assert!(!environment.contains("LD_"), "{rung}: {environment}");
        assert!(
            environment.contains("PATH=/usr/local/bin:"),
            "the host's: {rung}: {environment}"
        );
        assert!(environment.ends_with("0=name 1=one\n"), "{rung}: {environment}");
    });
}

#[test]
fn what_it_starts_is_the_hosts_and_not_led_astray() {
    let Some(bundle) = bash() else { return };
    let command = ["-c", "/bin/cat /proc/self/maps"];
    on_both(&bundle, &command, |rung, home, ended| {
        assert_eq!(ended.code(), Some(0), "{rung}: {ended}");
        assert!(
            ended.out().contains("libc.so") && !ended.out().contains(home.to_str().expect("text")),
            "{rung}: {ended}"
        );
    });
}

#[test]
fn rights_are_given_up() {
    let Some(bundle) = shell() else { return };
    on_both(&bundle, &["-c", "busybox cat /proc/self/status"], |rung, _, ended| {
        assert!(ended.out().contains("NoNewPrivs:\t1"), "{rung}: {ended}");
        assert!(ended.out().contains("CapEff:\t0000000000000000"), "{rung}: {ended}");
    });
}

#[test]
fn a_library_path_of_the_programs_own_and_a_script_and_musl() {
    if skip(&NEEDS) || skip(&[Need::Polecat, Need::Tool("musl-gcc"), Need::Tool("gcc")]) {
        return;
    }
    let scratch = Scratch::new();
    let root = scratch.directory("root");
    let [bin, library] = ["root/bin", "root/opt/x/lib"].map(|name| scratch.directory(name));
    fs::write(scratch.join("x.c"), "int answer(void) { return 42; }\n").expect("a file");
    fs::write(
        scratch.join("main.c"),
        "int answer(void); int main(void) { return answer(); }\n",
    )
    .expect("a file");
    let gcc = |words: &[&str]| {
        let mut command = Command::new(tool("musl-gcc"));
        let _no_output = exec::run(command.args(words).current_dir(scratch.path())).success();
    };
    gcc(&["-shared", "-fPIC", "-o", "root/opt/x/lib/libanswer.so", "x.c"]);
    gcc(&[
        "-o",
        "root/bin/main",
        "main.c",
        "-Lroot/opt/x/lib",
        "-lanswer",
        "-Wl,-rpath,/opt/x/lib",
    ]);
    let loader = Path::new("/lib/ld-musl-x86_64.so.1");
    if cfg!(not(target_arch = "x86_64")) || !loader.exists() {
        eprintln!("SKIP: {}: no musl loader", loader.display());
        return;
    }
    let _lib = scratch.directory("root/lib");
    exec::copy(
        &fs::canonicalize(loader).expect("the loader"),
        &root.join("lib/ld-musl-x86_64.so.1"),
    );
    exec::copy(Path::new("/bin/busybox"), &bin.join("busybox"));
    exec::write(&bin.join("script"), b"#!/bin/busybox sh\nexec \"${0%/*}/main\"\n");
    fs::set_permissions(bin.join("script"), fs::Permissions::from_mode(0o755)).expect("a file");
    assert!(library.join("libanswer.so").exists());
    let bundle = Bundle::pack(&["--also", "/bin/main"], &root, &["/bin/main"]);
    on_both(&bundle, &[], |rung, _, ended| {
        assert_eq!(ended.code(), Some(42), "{rung}: {ended}")
    });
    let bundle = Bundle::pack(&["--also", "/bin/busybox"], &root, &["/bin/script"]);
    // Its libraries are found by no one but us: the host's kernel starts the second program without them.
    on_both(&bundle, &[], |rung, _, ended| {
        assert_eq!(ended.code(), Some(127), "{rung}: {ended}")
    });
}

#[test]
fn statuses_and_signals_come_out() {
    let Some(bundle) = shell() else { return };
    for status in ["0", "1", "121", "255"] {
        on_both(&bundle, &["-c", &format!("exit {status}")], |rung, _, ended| {
            assert_eq!(
                ended.code().map(|code| code.to_string()).as_deref(),
                Some(status),
                "{rung}: {ended}"
            );
        });
    }
    on_both(&bundle, &["-c", "kill -SEGV $$"], |rung, _, ended| {
        assert_eq!(ended.signal(), Some(Signal::SIGSEGV), "{rung}: {ended}");
    });
}

#[test]
fn signals_to_the_monitor_reach_the_program() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
    let mut command = forced("disk", &bundle, &home);
    command.args(["-c", "trap 'exit 9' TERM; echo ready; read line"]);
    let mut child = exec::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("a line");
    let monitor = Pid::from_raw(i32::try_from(child.id()).expect("a process"));
    kill(monitor, Signal::SIGTERM).expect("the monitor");
    assert_eq!(exec::wait("the shell", &mut child).code(), Some(9));
    assert_empty(&home);
}

#[test]
fn nobody_stays_when_the_program_ends() {
    let Some(bundle) = shell() else { return };
    let script = "busybox setsid busybox sleep 54321 & (busybox sleep 54321 &) ; exit 3";
    on_both(&bundle, &["-c", script], |rung, _, ended| {
        assert_eq!(ended.code(), Some(3), "{rung}: {ended}");
        let left = support::processes::with_argument("54321");
        assert!(left.is_empty(), "{rung}: {left:?}");
    });
}

#[test]
fn with_closed_streams() {
    let Some(bundle) = shell() else { return };
    for closed in 1..8 {
        let scratch = Scratch::new();
        let home = scratch.home();
        let redirections: String = (0..3)
            .filter(|fd| closed & (1 << fd) != 0)
            .map(|fd| format!(" {fd}>&-"))
            .collect();
        let start = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
        let words: Vec<String> = start
            .get_args()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("exec \"$@\"{redirections}"), "sh"])
            .arg(start.get_program())
            .args(words);
        for (name, value) in start.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let told = scratch.open_directory("told");
        let script = format!(
            "for n in 0 1 2; do test -e /proc/self/fd/$n && busybox echo $n >> {}/open; done; exit 7",
            told.display()
        );
        command
            .args(["-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = exec::spawn(&mut command);
        let status = exec::wait("with closed streams", &mut child);
        assert_eq!(status.code(), Some(7), "{redirections}");
        let open = fs::read_to_string(told.join("open")).unwrap_or_default();
        let expected: String = (0..3)
            .filter(|fd| closed & (1 << fd) == 0)
            .map(|fd| format!("{fd}\n"))
            .collect();
        assert_eq!(open, expected, "{redirections}");
        assert_empty(&home);
    }
}
