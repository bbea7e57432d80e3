//! Profiles in the form of the OCI runtime specification and of Docker.

use crate::{
    Bundle, NEEDS, PLAIN, Place, Polecat, Scratch, Signal, answers, everywhere, fixtures, line, pack, root, skip, text,
    write_beside,
};

/// `mkdir` finds the disk full.
const FULL: &str = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
    {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}"#;

const MKDIR: &str = "busybox mkdir /tmp/x";

#[test]
fn the_callers() {
    everywhere(|place, bundle| {
        let profile = write_beside(bundle, "full.json", FULL);
        let ended = line(bundle, place, &["--polecat-seccomp", text(&profile)], MKDIR).exits(1);
        assert!(ended.err().contains("No space left on device"), "{place}: {ended}");
        let _made = line(bundle, place, &[], MKDIR).success();
    });
}

#[test]
fn the_packers_is_signed_and_the_caller_has_the_last_word() {
    if skip(&NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let profile = scratch.join("full.json");
    std::fs::write(&profile, FULL).expect("a file");
    let bundle = pack(&["--seccomp", text(&profile)]);
    // What is in force is the bundle's own.
    std::fs::remove_file(&profile).expect("the file");
    let shown = Polecat::new(&scratch).run(["inspect".as_ref(), "--json".as_ref(), bundle.path().as_os_str()]);
    let manifest = &shown.json()["manifest"];
    assert_eq!(manifest["isolation"]["seccomp"]["syscalls"][0]["errnoRet"], 28);
    assert_eq!(manifest["requires"][0], "isolation-options");
    assert!(manifest["isolation"]["options"].is_null(), "{manifest}");
    for place in Place::ALL {
        if skip(place.needs()) {
            continue;
        }
        let ended = line(&bundle, place, &[], MKDIR).exits(1);
        assert!(ended.err().contains("No space left on device"), "{place}: {ended}");
        for filter in ["default", "none"] {
            let option = format!("--polecat-seccomp={filter}");
            let _made = line(&bundle, place, &[&option], MKDIR).success();
        }
    }
    let own = bundle.run(Place::UserUnpack, ["--polecat-inspect"]).success();
    assert!(own.out().contains("its own profile"), "{own}");
}

/// A list of what is allowed, with conditions on arguments, capabilities, machines and kernels.
#[test]
fn a_list_of_dockers_form() {
    let list = fixtures().join("seccomp/list.json");
    everywhere(|place, bundle| {
        let option = format!("--polecat-seccomp={}", text(&list));
        let script = "busybox cat /proc/self/comm; calls personality personality=4294967295 personality=0 clone3 keyctl add_key unshare=0 quotactl_fd";
        let ended = line(bundle, place, &[&option], script).success();
        assert!(ended.out().starts_with("busybox\n"), "{ended}");
        let answer = |word: &str| {
            let prefix = format!("{word} ");
            let out = ended.out();
            let line = out
                .lines()
                .find_map(|line| line.strip_prefix(&prefix))
                .expect("an answer");
            line.parse::<i32>().expect("a number")
        };
        // EACCES is the list's own; what is newer than all that it names does not exist.
        for (word, errno) in [
            ("personality=4294967295", 0),
            ("personality=0", 13),
            ("clone3", 38),
            ("add_key", 13),
            ("unshare=0", 13),
            ("quotactl_fd", 38),
        ] {
            assert_eq!(answer(word), errno, "{place}: {word}");
        }
        // An ordinary user has no CAP_KILL.
        assert_eq!(answer("keyctl") == 13, place.is_user(), "{place}");
        // The argument that is given is -1 with all its 64 bits.
        assert_eq!(answer("personality"), 13, "{place}");
    });
}

#[test]
fn actions_that_kill() {
    everywhere(|place, bundle| {
        for (action, signal) in [
            ("SCMP_ACT_KILL_PROCESS", Signal::SIGSYS),
            ("SCMP_ACT_TRAP", Signal::SIGSYS),
        ] {
            let text_of = format!(
                r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":["personality"],"action":"{action}"}}]}}"#
            );
            let profile = write_beside(bundle, "kills.json", &text_of);
            let option = format!("--polecat-seccomp={}", text(&profile));
            let ended = line(bundle, place, &[&option], "exec calls getpid personality getpid");
            assert_eq!(ended.signal(), Some(signal), "{place}: {ended}");
            assert_eq!(answers(&ended), [("getpid".to_owned(), 0)], "{place}");
        }
    });
}

#[test]
fn what_is_no_profile_starts_nothing() {
    everywhere(|place, bundle| {
        for (contents, told) in [
            ("", "EOF while parsing"),
            ("[]", "expected an object"),
            (
                r#"{"defaultAction":"SCMP_ACT_FLY"}"#,
                "SCMP_ACT_FLY: no action of seccomp's",
            ),
            (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "nobody here who would answer"),
            (r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#, "the profile refuses execve(2)"),
        ] {
            let profile = write_beside(bundle, "bad.json", contents);
            let option = format!("--polecat-seccomp={}", text(&profile));
            let ended = line(bundle, place, &[&option], "echo started").exits(125);
            assert_eq!(ended.out(), "", "{place}: {ended}");
            assert!(ended.err().contains(told), "{place}: {contents}: {ended}");
        }
        let ended = line(bundle, place, &["--polecat-seccomp=/nowhere/p"], "echo started").exits(125);
        assert!(
            ended.err().contains("/nowhere/p: No such file or directory"),
            "{place}: {ended}"
        );
    });
}

#[test]
fn a_packer_checks_them() {
    if skip(&NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = root(&scratch);
    let polecat = Polecat::new(&scratch);
    let profile = scratch.join("p.json");
    let output = scratch.join("x.run");
    let packed = |contents: &str| {
        std::fs::write(&profile, contents).expect("a file");
        polecat.run([
            "-q".as_ref(),
            "-o".as_ref(),
            output.as_os_str(),
            "--seccomp".as_ref(),
            profile.as_ref(),
            root.as_ref(),
            "sh".as_ref(),
        ])
    };
    let ended = packed(r#"{"defaultAction":"SCMP_ACT_FLY"}"#).exits(1);
    assert!(ended.err().contains("SCMP_ACT_FLY") && !output.exists(), "{ended}");
    // Of 32-bit programs; of nobody.
    let ended = packed(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chown32","telepathy"],"action":"SCMP_ACT_LOG"}]}"#,
    );
    let told = ended.success().err();
    assert!(told.contains("no system calls, passed over: telepathy\n"), "{told}");
}

/// Announcements of calls need a filter of their own, which stands before a profile that allows none.
#[test]
fn misses_are_noted_behind_a_profile() {
    if skip(&NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = root(&scratch);
    std::fs::create_dir(root.join("etc")).expect("a directory");
    std::fs::write(root.join("etc/left-out"), "x").expect("a file");
    let bundle = Bundle::pack(&[], &root, &["/bin/sh"]);
    let profile = write_beside(
        &bundle,
        "no-seccomp.json",
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["seccomp","sendmsg","prctl"],"action":"SCMP_ACT_ERRNO"}]}"#,
    );
    for place in Place::BOTH_USERS {
        if skip(place.needs()) {
            continue;
        }
        let option = format!("--polecat-seccomp={}", text(&profile));
        for options in [&["--polecat-misses"][..], &["--polecat-misses", &option]] {
            let ended = line(&bundle, place, options, "busybox cat /etc/left-out");
            assert!(ended.err().contains("/etc/left-out"), "{place}: {ended}");
        }
    }
    let _plain = PLAIN.get();
}
