//! Whose configuration files a program finds: the host's, which is made for the test, or the image's.

#![forbid(unsafe_code)]

#[path = "host_contract/certificates.rs"]
mod certificates;
#[path = "host_contract/unreadable.rs"]
mod unreadable;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use support::bundle::Shared;
use support::exec::{self, Ended};
use support::host::{self, Host, Launcher};
use support::pty::{NEW_SESSION, Terminal};
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Scratch};

/// Files that a host and an image may have; each holds whose it is.
const FILES: [&str; 7] = [
    "etc/resolv.conf",
    "etc/hosts",
    "etc/nsswitch.conf",
    "etc/localtime",
    "etc/machine-id",
    "etc/ssl/certs/ca-certificates.crt",
    "etc/group",
];

/// What is in a file of the host's or the image's. nsswitch.conf(5) and group(5) have a form.
fn contents(file: &str, whose: &str) -> String {
    match file {
        "etc/nsswitch.conf" => format!("{whose}: sss files\n"),
        "etc/group" => format!("{whose}:x:7:\n"),
        _ => format!("{whose}\n"),
    }
}

/// An image that has only its program, and one that has all files.
static BARE: Shared = Shared::new(|| pack(false, &[]));
static WHOLE: Shared = Shared::new(|| pack(true, &[]));

fn pack(whole: bool, options: &[&str]) -> Bundle {
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    let mut all: Vec<&str> = options.to_vec();
    let terminal = "usr/share/terminfo/p/polecat-both";
    if whole {
        for file in FILES.into_iter().chain([terminal]) {
            scratch.file(&format!("busybox/{file}"), contents(file, "image"));
        }
        scratch.file("busybox/usr/lib/libnss_sss.so.2", "a module");
        all.extend([
            "--include",
            "/etc/**",
            "--include",
            "/usr/**",
            "--allow",
            "/etc/machine-id",
        ]);
    }
    let bundle = Bundle::pack(&all, &root, &["/bin/sh"]);
    // The host that it will be started on.
    for file in FILES {
        bundle.scratch().file(&format!("host/{file}"), contents(file, "host"));
    }
    for name in ["polecat-both", "polecat-host"] {
        bundle.scratch().file(&format!("host/terminfo/p/{name}"), "host\n");
    }
    bundle
}

const SETUP: &str = "mount -t tmpfs -o mode=755 tmpfs /etc; cp -r \"$1\"/host/etc/. /etc; \
                     mkdir -p /usr/share/terminfo; mount -t tmpfs -o mode=755 tmpfs /usr/share/terminfo; \
                     cp -r \"$1\"/host/terminfo/. /usr/share/terminfo";

const HOST: Host = Host {
    setup: SETUP,
    words: &[],
};

fn missing() -> bool {
    skip(&BUSYBOX_NEEDS) || skip(&host::NEEDS)
}

/// A start of `line` with these choices, on every rung that needs no device, as root and as an ordinary user.
fn command(bundle: &Bundle, user: Option<u32>, choices: &[&str], line: &str) -> Command {
    let launcher = Launcher::new(bundle.scratch());
    let mut command = HOST.command(&launcher, user, bundle.path());
    command.args(choices.iter().map(|choice| format!("--polecat-host={choice}")));
    command.args(["-c", line]).env("HOME", "/").current_dir("/");
    command
}

fn read(bundle: &Bundle, user: Option<u32>, choices: &[&str], file: &str) -> String {
    let line = format!("test -e /{file} && busybox cat /{file}");
    exec::run(&mut command(bundle, user, choices, &line)).out()
}

const BOTH: [Option<u32>; 2] = [None, host::USER];

/// What packing makes of a tree without these files.
const PACKED_GROUP: &str = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n";
const PACKED_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

#[test]
fn each_item_is_whose_the_table_says() {
    if missing() {
        return;
    }
    let (bare, whole): (Arc<Bundle>, Arc<Bundle>) = (BARE.get(), WHOLE.get());
    // File, choice, and what an image without it and one with it comes to.
    let cases = [
        ("etc/resolv.conf", "", "host\n", "host\n"),
        ("etc/resolv.conf", "resolv.conf=bundled", "", "image\n"),
        ("etc/hosts", "", "host\n", "host\n"),
        ("etc/hosts", "hosts=bundled", PACKED_HOSTS, "image\n"),
        ("etc/localtime", "", "host\n", "host\n"),
        ("etc/localtime", "localtime=bundled", "", "image\n"),
        ("etc/nsswitch.conf", "", "", "image: sss files\n"),
        ("etc/nsswitch.conf", "nsswitch=host", "host: files\n", "host: files\n"),
        (
            "etc/nsswitch.conf",
            "nsswitch=merged",
            "host: files\n",
            "host: sss files\nimage: sss files\n",
        ),
        ("etc/machine-id", "", "", "image\n"),
        ("etc/machine-id", "machine-id=host", "host\n", "host\n"),
        ("etc/group", "passwd=host", "host:x:7:\n", "host:x:7:\n"),
        ("etc/group", "passwd=bundled", PACKED_GROUP, "image:x:7:\n"),
        ("etc/ssl/certs/ca-certificates.crt", "", "host\n", "image\n"),
        ("etc/ssl/certs/ca-certificates.crt", "ca=bundled", "", "image\n"),
        ("etc/ssl/certs/ca-certificates.crt", "ca=host", "host\n", "host\n"),
    ];
    for user in BOTH {
        for (file, choice, without, with) in &cases {
            let choices: &[&str] = if choice.is_empty() {
                &[]
            } else {
                std::slice::from_ref(choice)
            };
            assert_eq!(
                read(&bare, user, choices, file),
                *without,
                "{user:?}: {file}, {choice}, without"
            );
            assert_eq!(
                read(&whole, user, choices, file),
                *with,
                "{user:?}: {file}, {choice}, with"
            );
        }
    }
}

#[test]
fn the_caller_is_named_by_default() {
    if missing() {
        return;
    }
    let whole = WHOLE.get();
    let group = read(&whole, host::USER, &[], "etc/group");
    assert!(
        group.starts_with("image:x:7:\n") && group.contains(":x:65533:"),
        "{group}"
    );
}

/// A host of another distribution keeps its certificates elsewhere.
#[test]
fn certificates_are_found_wherever_they_are_and_have_all_names() {
    if missing() {
        return;
    }
    let places = [
        "etc/pki/tls/certs/ca-bundle.crt",
        "etc/ssl/ca-bundle.pem",
        "etc/pki/tls/cacert.pem",
        "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "etc/ssl/cert.pem",
    ];
    for place in places {
        let bundle = pack(false, &[]);
        std::fs::remove_dir_all(bundle.scratch().join("host/etc/ssl")).expect("a directory of ours");
        // Through a link, as distributions have it.
        bundle.scratch().file("host/etc/real.pem", "host\n");
        let link = bundle.scratch().join("host").join(place);
        std::fs::create_dir_all(link.parent().expect("a directory")).expect("a directory");
        std::os::unix::fs::symlink("/etc/real.pem", &link).expect("a link");
        for user in BOTH {
            let line = "busybox cat /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/pki/tls/certs/ca-bundle.crt \
                        /usr/lib/ssl/cert.pem; echo more >> /etc/ssl/certs/ca-certificates.crt";
            let ended = exec::run(&mut command(&bundle, user, &[], line));
            assert_eq!(ended.out(), "host\n".repeat(4), "{place}: {ended}");
            assert!(
                ["ead-only", "denied"].iter().any(|word| ended.err().contains(word)),
                "{place}: {ended}"
            );
            assert_ne!(ended.code(), Some(0), "{place}: {ended}");
        }
    }
}

/// On a terminal of this name: what its description is.
fn described(bundle: &Bundle, user: Option<u32>, name: &str, choices: &[&str]) -> String {
    let line = format!("busybox cat /usr/share/terminfo/p/{name} 2>/dev/null");
    let plain = command(bundle, user, choices, &line);
    let mut words = vec![plain.get_program().to_owned()];
    words.extend(plain.get_args().map(ToOwned::to_owned));
    let mut on_terminal = Command::new(NEW_SESSION[0]);
    on_terminal.args(&NEW_SESSION[1..]).args(words).env_clear();
    on_terminal
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("TERM", name)
        .current_dir("/");
    Terminal::start(&mut on_terminal, 24, 80).end().1.replace('\r', "")
}

#[test]
fn a_terminal_that_only_the_host_knows_is_described() {
    if missing() {
        return;
    }
    let (bare, whole) = (BARE.get(), WHOLE.get());
    for user in BOTH {
        for (bundle, name, choices, expected) in [
            (&bare, "polecat-host", &[][..], "host\n"),
            (&whole, "polecat-host", &[], "host\n"),
            (&whole, "polecat-both", &[], "image\n"),
            (&whole, "polecat-both", &["terminfo=host"], "host\n"),
            (&bare, "polecat-host", &["terminfo=bundled"], ""),
            (&bare, "polecat-nobody", &[], ""),
            (&bare, "../p/polecat-host", &[], ""),
        ] {
            assert_eq!(
                described(bundle, user, name, choices),
                expected,
                "{user:?}: {name} {choices:?}"
            );
        }
        // Nothing is drawn into a pipe, unless somebody says so.
        let line = "busybox cat /usr/share/terminfo/p/polecat-host";
        for (choices, expected) in [(&[][..], ""), (&["terminfo=host"], "host\n")] {
            let mut command = command(&bare, user, choices, line);
            assert_eq!(
                exec::run(command.env("TERM", "polecat-host")).out(),
                expected,
                "{user:?} {choices:?}"
            );
        }
    }
}

#[test]
fn locales_are_the_hosts_on_request_and_not_to_be_written() {
    let there = Path::new("/usr/lib/locale").is_dir();
    if missing() || !there {
        return;
    }
    let bare = BARE.get();
    let list = |path: &Path| -> Vec<PathBuf> {
        let mut names: Vec<_> = std::fs::read_dir(path)
            .expect("a directory")
            .map(|entry| PathBuf::from(entry.expect("an entry").file_name()))
            .collect();
        names.sort();
        names
    };
    let outside: String = list(Path::new("/usr/lib/locale"))
        .iter()
        .map(|name| format!("{}\n", name.display()))
        .collect();
    for user in BOTH {
        let line = "busybox ls /usr/lib/locale; busybox touch /usr/lib/locale/x && echo written";
        let ended = exec::run(&mut command(&bare, user, &["locale=host"], line));
        assert_eq!(ended.out(), outside, "{ended}");
        let ended = exec::run(&mut command(&bare, user, &[], "test -e /usr/lib/locale || echo none"));
        assert_eq!(ended.out(), "none\n", "{ended}");
    }
}

#[test]
fn what_is_packed_holds_until_the_caller_says_otherwise() {
    if missing() {
        return;
    }
    let bundle = pack(true, &["--host", "hosts=bundled", "--host", "ca=host"]);
    for user in BOTH {
        assert_eq!(read(&bundle, user, &[], "etc/hosts"), "image\n");
        assert_eq!(read(&bundle, user, &["hosts=host"], "etc/hosts"), "host\n");
        let certificates = "etc/ssl/certs/ca-certificates.crt";
        assert_eq!(read(&bundle, user, &[], certificates), "host\n");
        assert_eq!(read(&bundle, user, &["ca=merged"], certificates), "image\n");
    }
}

#[test]
fn no_variable_tells_of_it() {
    if missing() {
        return;
    }
    let bare = BARE.get();
    let names =
        |choices: &[&str]| -> Ended { exec::run(&mut command(&bare, host::USER, choices, "busybox env")).success() };
    let all = [
        "ca=host",
        "terminfo=host",
        "locale=host",
        "machine-id=host",
        "passwd=host",
        "nsswitch=host",
    ];
    assert_eq!(names(&all).out(), names(&[]).out());
}

#[test]
fn words_that_mean_nothing_stop_the_start() {
    if missing() {
        return;
    }
    let bare = BARE.get();
    for word in ["ca", "ca=", "ca=all", "locale=merged", "shadow=host", "=host"] {
        let ended = exec::run(&mut command(&bare, host::USER, &[word], "echo started")).exits(125);
        assert!(
            ended.out().is_empty() && ended.err().contains("machine-id"),
            "{word}: {ended}"
        );
    }
}
