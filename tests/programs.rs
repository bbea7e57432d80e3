//! Real programs out of a Debian root file system, packed and run as root and as an ordinary user, on every rung of the
//! ladder.

#![forbid(unsafe_code)]

use std::ffi::OsStr;

use support::bundle::debian;
use support::requirement::skip;
use support::{Bundle, Ended, Need, Place};

/// The modules of python are found by a search at run time that ELF says nothing of.
const PYTHON_LIBRARY: [&str; 2] = ["--include", "/usr/lib/python3*/**"];

/// Packs once, runs in every place that the machine has, and looks at each end.
fn everywhere(options: &[&str], command: &[&str], arguments: &[&str], check: impl Fn(Place, &Bundle, &Ended)) {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let bundle = Bundle::debian(options, command);
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let ended = bundle.run(place, arguments);
        assert_eq!(ended.code(), Some(0), "{place}: {ended}");
        assert_eq!(ended.err(), "", "{place}: says something on standard error: {ended}");
        check(place, &bundle, &ended);
    }
}

/// The version of a Debian package, as far as its upstream goes.
fn upstream_version(package: &str) -> String {
    let status = std::fs::read_to_string(debian().join("var/lib/dpkg/status")).expect("dpkg's status");
    let paragraph = status
        .split("\n\n")
        .find(|paragraph| {
            paragraph
                .lines()
                .any(|line| line.strip_prefix("Package: ") == Some(package))
        })
        .unwrap_or_else(|| panic!("{package} is not installed"));
    let version = paragraph
        .lines()
        .find_map(|line| line.strip_prefix("Version: "))
        .expect("a version");
    let without_epoch = version.split_once(':').map_or(version, |(_, rest)| rest);
    without_epoch.split(['-', '+']).next().expect("a first part").to_owned()
}

#[test]
fn top_in_batch_mode() {
    everywhere(&[], &["top"], &["-b", "-n1"], |place, _, ended| {
        let printed = ended.out();
        assert!(printed.starts_with("top - "), "{place}: {ended}");
        let heading = printed
            .lines()
            .position(|line| line.contains("PID USER"))
            .expect("a table");
        // Its own PID namespace: the init and top, nothing of the host.
        let rows: Vec<&str> = printed
            .lines()
            .skip(heading + 1)
            .filter(|line| !line.trim().is_empty())
            .collect();
        assert_eq!(rows.len(), 2, "{place}: {ended}");
        assert!(rows.iter().any(|row| row.ends_with(" top")), "{place}: {ended}");
    });
}

#[test]
fn ls_shows_the_working_directory() {
    everywhere(&[], &["ls"], &["-la"], |place, bundle, ended| {
        let name = format!("file-of-{place}").replace(' ', "-");
        bundle.scratch().file(&format!("work/{name}"), "");
        let again = bundle.run(place, ["-1"]).success();
        assert!(
            again.out().lines().any(|line| line == name),
            "{place}: {ended}\n{again}"
        );
    });
}

#[test]
fn ls_of_the_root_shows_the_image() {
    everywhere(&[], &["ls"], &["-1", "/"], |place, _, ended| {
        let printed = ended.out();
        let names: Vec<&str> = printed.lines().collect();
        for name in [
            "bin", "dev", "etc", "lib", "proc", "root", "run", "sys", "tmp", "usr", "var",
        ] {
            assert!(names.contains(&name), "{place}: no {name}: {ended}");
        }
    });
}

#[test]
fn bash_runs_a_command_line() {
    let line =
        "echo $((BASHPID < 9)) $((6 * 7)); for i in {1..3}; do echo line $i; done | (while read a b; do echo $b; done)";
    everywhere(&[], &["bash"], &["-c", line], |place, _, ended| {
        assert_eq!(ended.out(), "1 42\n1\n2\n3\n", "{place}: {ended}");
    });
}

#[test]
fn jq_reads_a_file_of_the_caller() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let bundle = Bundle::debian(&[], &["jq"]);
    bundle.scratch().file("work/file.json", r#"{"a": [1, 2, {"b": "ü"}]}"#);
    for place in Place::ALL {
        if !skip(place.needs()) {
            let ended = bundle.run(place, ["-r", ".a[2].b", "file.json"]).success();
            assert_eq!(ended.out(), "ü\n", "{place}");
        }
    }
}

#[test]
fn curl_says_its_version() {
    everywhere(&[], &["curl"], &["--version"], |place, _, ended| {
        assert!(
            ended.out().starts_with(&format!("curl {}", upstream_version("curl"))),
            "{place}: {ended}"
        );
        assert!(ended.out().contains("OpenSSL/"), "{place}: {ended}");
    });
}

#[test]
fn curl_reads_a_file_through_its_url() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let bundle = Bundle::debian(&[], &["curl"]);
    let page = bundle.scratch().file("work/page.txt", "a page\n");
    for place in Place::ALL {
        if !skip(place.needs()) {
            let url = format!("file://{}", page.display());
            assert_eq!(bundle.run(place, ["-sS", &url]).success().out(), "a page\n", "{place}");
        }
    }
}

#[test]
fn python_loads_its_extension_modules() {
    let code = "import ssl, sqlite3, sys; c = sqlite3.connect(':memory:'); \
                print(c.execute('select 6 * 7').fetchone()[0], ssl.OPENSSL_VERSION.split()[0], sys.version_info.major)";
    everywhere(&PYTHON_LIBRARY, &["python3"], &["-c", code], |place, _, ended| {
        assert_eq!(ended.out(), "42 OpenSSL 3\n", "{place}");
    });
}

#[test]
fn git_says_its_version() {
    everywhere(&[], &["git"], &["--version"], |place, _, ended| {
        assert_eq!(
            ended.out().trim_end(),
            format!("git version {}", upstream_version("git")),
            "{place}"
        );
    });
}

#[test]
fn git_commits_in_the_working_directory() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let bundle = Bundle::debian(&["--also", "sh"], &["git"]);
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let name = format!("repository-{}-{}", place.id(), place.rung());
        let git = |arguments: &[&str]| {
            let mut command = bundle.start(place);
            command
                .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
                .args(arguments);
            let ended = support::exec::run(&mut command);
            assert_eq!(ended.code(), Some(0), "{place}: {ended}");
            ended
        };
        git(&["init", "--quiet", &name]);
        git(&["-C", &name, "commit", "--quiet", "--allow-empty", "--message", "first"]);
        assert_eq!(
            git(&["-C", &name, "log", "--format=%an %s"]).out(),
            "A first\n",
            "{place}"
        );
    }
}

#[test]
fn busybox_out_of_debian() {
    everywhere(&[], &["busybox"], &["expr", "6", "*", "7"], |place, _, ended| {
        assert_eq!(ended.out(), "42\n", "{place}");
    });
}

#[test]
fn a_script_brings_its_interpreter() {
    everywhere(
        &PYTHON_LIBRARY,
        &["hello-python"],
        &["a b", "--help"],
        |place, _, ended| {
            assert_eq!(
                ended.out(),
                "{\"version\": 3, \"arguments\": [\"a b\", \"--help\"]}\n",
                "{place}"
            );
        },
    );
}

#[test]
fn fixed_arguments_come_before_those_of_the_caller() {
    everywhere(
        &[],
        &["jq", "--null-input", "--raw-output"],
        &["1 + 1"],
        |place, _, ended| {
            assert_eq!(ended.out(), "2\n", "{place}");
        },
    );
}

#[test]
fn a_static_program_on_every_rung() {
    let mut needs = support::roots::TINY_NEEDS.to_vec();
    needs.push(Need::Polecat);
    if skip(&needs) {
        return;
    }
    let scratch = support::Scratch::new();
    let bundle = Bundle::pack(&[], &support::roots::tiny(&scratch), &["/bin/tiny"]);
    for place in Place::ALL {
        if !skip(place.needs()) {
            let ended = bundle.run(place, ["one", "two"].map(OsStr::new)).exits(2);
            assert_eq!(ended.out(), "one\ntwo\n", "{place}");
        }
    }
}
