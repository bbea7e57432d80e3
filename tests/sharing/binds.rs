//! Parts of the host that are named one by one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::requirement::{skip, tool};
use support::roots::busybox;
use support::status::mounts;
use support::{Bundle, Ended, Need, Place, Scratch, exec};

use crate::{SHELL, bind, host, places, run};

/// What a run of bubblewrap by root prints, with these options over the root file system.
fn bubblewrap(root: &Path, options: &[&OsStr], line: &str) -> Ended {
    let mut command = Command::new(tool("bwrap"));
    command
        .arg("--bind")
        .arg(root)
        .args(["/", "--proc", "/proc", "--dev", "/dev"])
        .args(options);
    exec::run(command.args(["/bin/busybox", "sh", "-c", line])).success()
}

/// The options of the mounts at these places, as far as they restrict.
fn restrictions(mountinfo: &str, points: &[&str]) -> Vec<Vec<String>> {
    let mounts = mounts(mountinfo);
    let of = |point: &&str| {
        let mount = mounts.iter().rev().find(|mount| mount.point == **point);
        let mount = mount.unwrap_or_else(|| panic!("nothing at {point}: {mountinfo}"));
        let known = ["ro", "nosuid", "nodev", "noexec"];
        let options = mount.options.split(',').filter(|option| known.contains(option));
        let mut options: Vec<String> = options.map(str::to_owned).collect();
        options.sort_unstable();
        options.dedup();
        options
    };
    points.iter().map(of).collect()
}

#[test]
fn what_is_bound_is_what_bubblewrap_binds() {
    if skip(&[Need::Root, Need::Tool("bwrap")]) {
        return;
    }
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let source = host(&scratch, "source");
        let file = source.join("file");
        let line = "busybox cat /proc/self/mountinfo; echo --; busybox cat /data/file /deep/in/file; \
                    echo x > /ro/x || echo refused; echo x > /data/new && echo written";
        let options = [
            bind(&source, ":/data"),
            bind(&source, ":/ro:ro"),
            bind(&file, ":/deep/in/file:ro"),
        ];
        let ours = run(bundle.as_ref(), place, &options, line).success();
        fs::remove_file(source.join("new")).expect("what was written");
        let root = busybox(&scratch);
        let (flag, read_only) = (OsStr::new("--bind"), OsStr::new("--ro-bind"));
        let source = source.as_os_str();
        let theirs = [
            [flag, source, OsStr::new("/data")],
            [read_only, source, OsStr::new("/ro")],
            [read_only, file.as_os_str(), OsStr::new("/deep/in/file")],
        ];
        let theirs = bubblewrap(&root, &theirs.concat(), line);
        let (ours, theirs) = (ours.out(), theirs.out());
        let table = |printed: &str| printed.split_once("--\n").expect("two parts").0.to_owned();
        let points = ["/data", "/ro", "/deep/in/file"];
        assert_eq!(
            restrictions(&table(&ours), &points),
            restrictions(&table(&theirs), &points),
            "{place}"
        );
        let said = |printed: &str| printed.split_once("--\n").expect("two parts").1.to_owned();
        assert_eq!(said(&ours), "of the host\nof the host\nrefused\nwritten\n", "{place}");
        assert_eq!(said(&ours), said(&theirs), "{place}");
    }
}

#[test]
fn read_only_holds_for_what_is_mounted_below() {
    for place in places(&[Place::RootLoop, Place::RootUnpack]) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let source = host(&scratch, "source");
        let script = format!("mount -t tmpfs below '{}/sub' && exec \"$@\"", source.display());
        let mut command = bundle.start_behind(place, &["unshare", "--mount", "sh", "-c", &script, "sh"]);
        let line = "echo x > /data/sub/x && echo written; busybox grep ' /data/sub ' /proc/self/mountinfo";
        command.arg(bind(&source, ":/data:ro")).args(["--", "-c", line]);
        let ended = exec::run(&mut command).success();
        assert!(
            ended.out().contains("tmpfs below") && !ended.out().contains("written"),
            "{place}: {ended}"
        );
    }
}

#[test]
fn what_is_missing_is_said() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        for options in [
            vec![OsString::from("--polecat-bind=/no/such/thing:/data")],
            vec!["--polecat-bind".into(), "/no/such/thing".into()],
        ] {
            let ended = run(bundle.as_ref(), place, &options, "echo started");
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {ended}"
            );
            assert!(ended.err().contains("/no/such/thing: No such file"), "{place}: {ended}");
        }
    }
}

#[test]
fn nothing_is_bound_over_what_is_the_boxs_own() {
    for place in places(&[Place::RootLoop, Place::UserUnpack]) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let source = host(&scratch, "source");
        for target in [
            "/",
            "/proc",
            "/proc/sys",
            "/sys",
            "/dev",
            "/dev/pts",
            "relative",
            "/a/../proc",
            "/x:ro:y",
        ] {
            let ended = run(
                bundle.as_ref(),
                place,
                &[bind(&source, &format!(":{target}"))],
                "echo started",
            );
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {target}: {ended}"
            );
            assert!(ended.err().contains("SRC[:DST[:ro]]"), "{place}: {target}: {ended}");
        }
    }
}

#[test]
fn what_cannot_be_bound_stops_the_start_in_every_way() {
    for place in places(&[Place::RootUnpack, Place::UserUnpack]) {
        let bundle = SHELL.get();
        for (option, home) in [
            ("--polecat-bind=/dev/ptmx", "/work"),
            ("--polecat-bind=/dev/fd", "/work"),
            ("--polecat-bind=~", "/"),
            ("--polecat-bind=~", "/proc"),
        ] {
            let mut command = bundle.start(place);
            command.env_remove("POLECAT_MOUNT").env("HOME", home);
            let ended = exec::run(command.args([option, "--polecat-share=none", "--", "-c", "echo started"]));
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {option}: {ended}"
            );
        }
    }
}

#[test]
fn a_file_is_bound_on_a_file_and_a_directory_on_a_directory() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let source = host(&scratch, "source");
        for (option, told) in [
            (
                bind(&source.join("file"), ":/etc"),
                "polecat: bind a file on /etc in the new root: Is a directory (try: another DST",
            ),
            (
                bind(&source, ":/bin/busybox"),
                "polecat: bind a directory on /bin/busybox in the new root: Not a directory (try: another DST",
            ),
        ] {
            let ended = run(bundle.as_ref(), place, &[option], "echo started").exits(125);
            assert!(ended.err().starts_with(told), "{place}: {ended}");
        }
    }
}

/// A bundle whose image has these links.
fn with_links(links: &[(&str, &str)]) -> Bundle {
    let scratch = Scratch::new();
    let root = busybox(&scratch);
    for (link, target) in links {
        symlink(target, root.join(link)).expect("a link");
    }
    let mut options = Vec::new();
    for (link, _) in links {
        options.extend(["--include".to_owned(), format!("/{link}")]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Bundle::pack(&options, &root, &["/bin/sh"])
}

#[test]
fn links_of_the_image_lead_nowhere_but_into_the_image() {
    if places(&[Place::RootUnpack, Place::UserUnpack]).is_empty() {
        return;
    }
    let scratch = Scratch::new();
    let victim = scratch.open_directory("victim");
    let text = victim.display().to_string();
    let up = format!("../../../../../..{text}");
    let bundle = with_links(&[
        ("absolute", &text),
        ("up", &up),
        ("kernel", "/proc"),
        ("loop", "loop"),
        ("opt", "/run"),
    ]);
    let source = host(&scratch, "source");
    for place in places(&Place::ALL) {
        for (target, seen) in [
            ("/absolute/x", format!("{text}/x/file")),
            ("/up/x", format!("{text}/x/file")),
            ("/opt/x", "/run/x/file".into()),
            ("/absolute", format!("{text}/file")),
        ] {
            let line = format!("busybox cat {seen}");
            let ended = run(&bundle, place, &[bind(&source, &format!(":{target}"))], &line);
            assert_eq!(ended.out(), "of the host\n", "{place}: {target}: {ended}");
        }
        for (target, told) in [
            ("/kernel/x", "the box's own"),
            ("/kernel", "the box's own"),
            ("/loop/x", "loop"),
        ] {
            let ended = run(&bundle, place, &[bind(&source, &format!(":{target}"))], "echo started");
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {target}: {ended}"
            );
            assert!(ended.err().contains(told), "{place}: {target}: {ended}");
        }
        assert_eq!(
            fs::read_dir(&victim).expect("a directory").count(),
            0,
            "{place}: made on the host"
        );
    }
}

#[test]
fn a_bind_in_a_bind_takes_a_place_that_is_there_and_makes_none() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let (outer, inner) = (host(&scratch, "outer"), host(&scratch, "inner"));
        fs::write(inner.join("file"), "inner\n").expect("a file");
        symlink("/tmp", outer.join("link")).expect("a link");
        let before = fs::read_dir(&outer).expect("a directory").count();
        let line = "busybox cat /data/sub/file /data/file";
        // In whatever order.
        for swapped in [false, true] {
            let mut options = vec![
                bind(&outer, ":/data"),
                bind(&inner, ":/data/sub"),
                bind(&inner.join("file"), ":/data/file"),
            ];
            if swapped {
                options.reverse();
            }
            let ended = run(bundle.as_ref(), place, &options, line).success();
            assert_eq!(ended.out(), "inner\ninner\n", "{place}: {ended}");
        }
        for target in [
            "/data/none",
            "/data/none/deep",
            "/data/link",
            "/data/link/x",
            "/data/file",
        ] {
            let options = [bind(&outer, ":/data"), bind(&inner, &format!(":{target}"))];
            let ended = run(bundle.as_ref(), place, &options, "echo started");
            assert_eq!(
                (ended.code(), ended.out().as_str()),
                (Some(125), ""),
                "{place}: {target}: {ended}"
            );
        }
        assert_eq!(
            fs::read_dir(&outer).expect("a directory").count(),
            before,
            "{place}: made on the host"
        );
    }
}

#[test]
fn paths_need_not_be_text() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let odd = scratch.path().join(OsStr::from_bytes(b"o\xff d: \\"));
        fs::create_dir(&odd).expect("a directory");
        fs::write(odd.join("file"), "odd\n").expect("a file");
        let mut option = OsString::from("--polecat-bind=");
        let escaped: Vec<u8> = odd
            .as_os_str()
            .as_bytes()
            .iter()
            .flat_map(|&byte| {
                let escape = (b":\\".contains(&byte)).then_some(b'\\');
                escape.into_iter().chain([byte])
            })
            .collect();
        option.push(OsStr::from_bytes(&escaped));
        option.push(":/in/");
        option.push(OsStr::from_bytes(b"\xfe"));
        let ended = run(bundle.as_ref(), place, &[option], "busybox cat /in/*/file").success();
        assert_eq!(ended.out(), "odd\n", "{place}: {ended}");
    }
}

#[test]
fn a_source_that_is_swapped_for_a_link_shows_nothing_else() {
    for place in places(&[Place::RootUnpack, Place::UserUnpack]) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let secret = host(&scratch, "secret");
        fs::write(secret.join("file"), "secret\n").expect("a file");
        let source = host(&scratch, "source");
        let [link, away] = ["link", "away"].map(|name| scratch.join(name));
        // Nowhere on the host: but where the root is built the host is at /old, and whoever follows a link there gets it.
        symlink(format!("/old{}", secret.display()), &link).expect("a link");
        let over = AtomicBool::new(false);
        let (mut seen, mut refused) = (0, 0);
        thread::scope(|scope| {
            let _swapper = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // The directory goes, the link comes, and back.
                    for (from, to) in [(&source, &away), (&link, &source), (&source, &link), (&away, &source)] {
                        fs::rename(from, to).expect("a rename");
                    }
                }
            });
            for _ in 0..40 {
                let ended = run(
                    bundle.as_ref(),
                    place,
                    &[bind(&source, ":/data")],
                    "busybox cat /data/file",
                );
                match ended.code() {
                    Some(0) => seen += 1,
                    _ => refused += 1,
                }
                assert!(!ended.out().contains("secret"), "{place}: {ended}");
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(seen + refused, 40, "{place}");
        assert!(seen > 0, "{place}");
    }
}
