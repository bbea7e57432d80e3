//! What a host may refuse, and which rung is taken then.

use support::exec::{self, Ended};
use support::requirement::skip;
use support::{Bundle, Need, Place, Scratch};

use crate::{CALLERS, Caller, Host, NO_USER_NAMESPACES, assert_empty, forced, on, shell};

const INSIDE: [&str; 2] = ["-c", "echo inside; exit 7"];

fn started(host: Host, caller: Caller, bundle: &Bundle, options: &[&str]) -> Ended {
    let scratch = Scratch::new();
    let home = scratch.home();
    let mut command = host.start(caller, bundle, &home);
    let ended = exec::run(command.args(options).args(INSIDE));
    assert_empty(&home);
    ended
}

/// Refusals, and what is said of a root of one's own then.
const HOSTS: [(Host, &str); 6] = [
    (NO_USER_NAMESPACES, "Operation not permitted"),
    (
        Host {
            errno: "38",
            calls: "clone-user",
            prepare: "",
        },
        "Function not implemented",
    ),
    (
        // user.max_user_namespaces of a namespace around this one.
        Host {
            errno: "28",
            calls: "clone-user",
            prepare: "",
        },
        "No space left on device",
    ),
    (
        // AppArmor lets the namespace be made, and nothing done in it.
        Host {
            errno: "13",
            calls: "mount",
            prepare: "",
        },
        "part the mounts from the host's: Permission denied",
    ),
    (
        // The last step of a start: the program's own user namespace.
        Host {
            errno: "1",
            calls: "unshare",
            prepare: "",
        },
        "make the app's user namespace: Operation not permitted",
    ),
    (
        Host {
            errno: "0",
            calls: "mount",
            prepare: "",
        },
        "killed by signal 31",
    ),
];

#[test]
fn whatever_is_refused_the_next_rung_is_tried() {
    let Some(bundle) = shell() else { return };
    for (host, told) in HOSTS {
        let ended = started_behind(host, &bundle);
        assert!(ended.err().contains(told), "{host:?}: {ended}");
        assert!(ended.err().contains("debug: disk: holds\n"), "{host:?}: {ended}");
    }
}

#[test]
fn whoever_may_mount_by_fusermount_does() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Tool("fusermount3"), Need::Fuse]) {
        return;
    }
    let ended = started(NO_USER_NAMESPACES, Caller::User, &bundle, &[]).exits(7);
    assert_eq!(ended.out(), "inside\n", "{ended}");
    assert!(ended.err().contains("namespaces: Operation not permitted"), "{ended}");
    assert!(ended.err().contains("debug: fusermount: holds\n"), "{ended}");
}

/// With the filter right before the bundle.
fn started_behind(host: Host, bundle: &Bundle) -> Ended {
    let scratch = Scratch::new();
    let home = scratch.home();
    let deny = crate::deny();
    let prefix = [deny.to_str().expect("text"), host.errno, host.calls];
    let mut command = Place::UserUnpack.command_behind(&prefix, bundle.path());
    command.env_remove("POLECAT_MOUNT").env("POLECAT_DEBUG", "1");
    command.env("HOME", &home).current_dir(bundle.work());
    let ended = exec::run(command.args(INSIDE)).exits(7);
    assert_empty(&home);
    ended
}

#[test]
fn a_user_namespace_too_many() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
    // The limit is that of the namespace around, and so is the root who loses his rights.
    let script =
        "set -e; echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]);
    command.arg(bundle.path()).args(INSIDE).env_clear();
    command
        .env("PATH", "/usr/bin:/bin:/usr/sbin")
        .env("HOME", &home)
        .env("POLECAT_DEBUG", "1");
    let ended = exec::run(command.current_dir(bundle.work())).exits(7);
    assert!(ended.err().contains("namespaces: No space left on device"), "{ended}");
    assert!(ended.err().contains("disk: holds\n"), "{ended}");
    assert_empty(&home);
}

#[test]
fn root_of_a_container_is_no_root() {
    let Some(bundle) = shell() else { return };
    let ended = started(NO_USER_NAMESPACES, Caller::ContainerRoot, &bundle, &[]).exits(7);
    assert!(ended.err().contains("debug: disk: holds\n"), "{ended}");
    assert!(ended.err().contains("fusermount: left: fusermount3: "), "{ended}");
}

#[test]
fn strict_refuses_and_says_what_was_tried() {
    let Some(bundle) = shell() else { return };
    for caller in CALLERS {
        for option in ["--polecat-strict", "--polecat-contain"] {
            let ended = started(NO_USER_NAMESPACES, caller, &bundle, &[option]).exits(125);
            assert_eq!(ended.out(), "", "{ended}");
            assert!(
                ended.err().contains("user, mount, PID, IPC and UTS namespaces"),
                "{ended}"
            );
            assert!(!ended.err().contains("disk"), "{ended}");
        }
    }
    for (option, name) in [
        ("--polecat-strict", "--polecat-strict"),
        ("--polecat-net=none", "--polecat-net=none"),
        ("--polecat-persist=kept", "--polecat-persist"),
        ("--polecat-misses", "what watches the program"),
    ] {
        let mut command = NO_USER_NAMESPACES.start(Caller::User, &bundle, &bundle.home());
        let ended = exec::run(command.arg(on("disk")).arg(option)).exits(125);
        let told = format!(
            "polecat: --polecat-mount=disk: a rung without a root of its own is refused: {name} needs one (try: leave out "
        );
        assert!(ended.err().contains(&told), "{ended}");
    }
}

#[test]
fn a_strict_bundle_stays_strict_unless_its_caller_says_otherwise() {
    // What refuses calls lies beside it.
    let Some(_shell) = shell() else { return };
    let scratch = Scratch::new();
    let root = support::roots::busybox(&scratch);
    let bundle = Bundle::pack(&["--strict"], &root, &["/bin/sh"]);
    let strict = started(NO_USER_NAMESPACES, Caller::User, &bundle, &[]).exits(125);
    assert_eq!(strict.out(), "", "{strict}");
    let lenient = started(NO_USER_NAMESPACES, Caller::User, &bundle, &["--polecat-strict=no"]).exits(7);
    assert_eq!(lenient.out(), "inside\n", "{lenient}");
}

/// What takes the program's own root away is the caller's to say at this start, and not what an environment was left with.
#[test]
fn no_variable_and_no_packer_takes_the_root_away() {
    let Some(bundle) = shell() else { return };
    for rung in ["fusermount", "disk"] {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mut command = NO_USER_NAMESPACES.start(Caller::User, &bundle, &home);
        let ended = exec::run(command.env("POLECAT_MOUNT", rung).args(INSIDE)).exits(125);
        assert_eq!(ended.out(), "", "{ended}");
        let told = format!(
            "POLECAT_MOUNT={rung}: expected loop, fuse or unpack (try: the option {} instead: ",
            on(rung)
        );
        assert!(ended.err().contains(&told), "{ended}");
        // Over a variable that cannot be had here.
        let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
        command.env("POLECAT_MOUNT", "unpack");
        let _refused = exec::run(command.args(INSIDE)).exits(125);
        let mut command = NO_USER_NAMESPACES.start(Caller::UserWithoutFuse, &bundle, &home);
        command.env("POLECAT_MOUNT", "unpack").arg(on("disk"));
        let ended = exec::run(command.args(INSIDE)).exits(7);
        assert!(ended.err().contains("debug: disk: holds\n"), "{ended}");
        assert_empty(&home);
    }
    let scratch = Scratch::new();
    let (root, output) = (support::roots::busybox(&scratch), scratch.join("x.run"));
    let polecat = support::Polecat::new(&scratch);
    let words = ["pack", "--mount=disk", "-o"].map(std::ffi::OsStr::new);
    let files = [output.as_os_str(), root.as_os_str(), "/bin/sh".as_ref()];
    let ended = polecat.run(words.into_iter().chain(files)).exits(2);
    assert!(ended.err().contains("--mount"), "{ended}");
    assert!(!output.exists());
}

#[test]
fn the_doctor_says_where_a_start_with_the_option_would_be() {
    let Some(bundle) = shell() else { return };
    let scratch = Scratch::new();
    let home = scratch.home();
    let mut command = NO_USER_NAMESPACES.start(Caller::User, &bundle, &home);
    let ended = exec::run(command.arg(on("disk")).args(["--polecat-doctor", "--json"])).success();
    assert_eq!(ended.json()["taken"], "disk", "{ended}");
    assert_empty(&home);
}

#[test]
fn any_rung_can_be_forced() {
    let Some(bundle) = shell() else { return };
    if skip(&[Need::Tool("fusermount3")]) {
        return;
    }
    for rung in ["fusermount", "disk"] {
        let scratch = Scratch::new();
        let home = scratch.home();
        let mut command = forced(rung, &bundle, &home);
        let ended = exec::run(command.args(INSIDE)).exits(7);
        assert_eq!(
            (ended.out().as_str(), ended.err().as_str()),
            ("inside\n", ""),
            "{rung}: {ended}"
        );
        assert_empty(&home);
    }
    for place in Place::there(&Place::ALL, &[]) {
        let mut command = bundle.start(place);
        command.env("POLECAT_MOUNT", "loop").env("POLECAT_DEBUG", "1");
        let ended = exec::run(command.args(["--polecat-mount", place.rung()]).args(INSIDE)).exits(7);
        let told = format!("debug: {}: holds\n", place.rung());
        assert!(ended.err().contains(&told), "{place}: {ended}");
    }
    let ended = exec::run(bundle.start(Place::RootUnpack).arg(on("directory"))).exits(125);
    assert!(ended.err().contains("mount=directory: expected loop, fuse"), "{ended}");
}
