//! Packs and plans that are made with traces.

use std::path::Path;

use support::bundle::debian;
use support::requirement::skip;
use support::tracer::Tracer;
use support::{Bundle, Ended, Need, Place, Polecat, Scratch};

/// Traces as root, packs with what was seen and what loaders read, and runs that in every place.
fn packs_with_its_trace(words: &[&str], missing_without: bool, check: impl Fn(Place, &Ended)) {
    if skip(&[Need::Polecat, Need::Rootfs, Need::Root, Need::Overlay]) {
        return;
    }
    let scratch = Scratch::new();
    let _traced = Tracer::Root.run(&scratch, &[], &debian(), words).success();
    let file = Tracer::file(&scratch);
    let options = ["--closure", "elf", "--trace", file.to_str().expect("UTF-8")];
    let bundle = Bundle::debian(&options, words);
    for place in Place::ALL {
        if !skip(place.needs()) {
            check(place, &bundle.run(place, [""; 0]).success());
        }
    }
    if missing_without && !skip(Place::RootUnpack.needs()) {
        let ended = Bundle::debian(&options[..2], words).run(Place::RootUnpack, [""; 0]);
        assert_ne!(ended.code(), Some(0), "the trace brings nothing: {ended}");
    }
}

#[test]
fn python_is_packed_with_the_modules_that_it_was_seen_to_load() {
    let code = "import json, ssl; print(json.dumps(ssl.OPENSSL_VERSION.split()[0]))";
    packs_with_its_trace(&["python3", "-c", code], true, |place, ended| {
        assert_eq!(ended.out(), "\"OpenSSL\"\n", "{place}");
    });
}

#[test]
fn a_shell_is_packed_with_its_helpers_and_the_directories_that_it_writes_to() {
    let line = "mkdir /var/lib/dpkg/made && echo x | sed s/x/y/ > /var/lib/dpkg/made/f && cat /var/lib/dpkg/made/f";
    packs_with_its_trace(&["bash", "-c", line], true, |place, ended| {
        assert_eq!(ended.out(), "y\n", "{place}");
    });
}

#[test]
fn a_plan_says_what_a_trace_brought_and_what_is_gone() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let trace = |name: &str, lines: &[&str]| {
        let text = format!("{{\"polecatTrace\":1,\"commands\":[[\"x\"]]}}\n{}\n", lines.join("\n"));
        scratch.file(name, text)
    };
    let one = trace(
        "one",
        &[
            r#"{"path":"/bin/cat","kinds":["exec"]}"#,
            r#"{"path":"/etc/apt","kinds":["list"]}"#,
            r#"{"path":"/etc/shadow","kinds":["open"]}"#,
            r#"{"path":"/gone","kinds":["open"]}"#,
            r#"{"path":"/never","kinds":["missing"]}"#,
            r#"{"path":"/usr/bin","kinds":["list"]}"#,
        ],
    );
    let two = trace(
        "two",
        &[
            r#"{"path":"/bin/cat","kinds":["stat"]}"#,
            r#"{"path":"/var/spool","kinds":["create-parent"]}"#,
        ],
    );
    let merged = scratch.join("merged");
    let arguments = ["trace", "--merge"]
        .map(Into::into)
        .into_iter()
        .chain([one.clone(), two.clone()]);
    let _quiet = polecat.run(arguments.chain(["-o".into(), merged.clone()])).success();
    let plan = |traces: &[&Path]| {
        let mut arguments = vec![Path::new("plan")];
        for trace in traces {
            arguments.extend([Path::new("--trace"), trace]);
        }
        let root = debian();
        arguments.extend([root.as_path(), Path::new("/bin/true")]);
        polecat.run(arguments).success().out()
    };
    let (apart, together) = (plan(&[&one, &two]), plan(&[&merged]));
    assert_eq!(apart, together);
    for (expected, times) in [
        ("(--trace: exec, stat)", 1),
        ("/etc/apt/apt.conf.d  (--trace", 1),
        ("/var/spool  (--trace: create-parent)", 1),
        (
            "warning: /gone: is in a trace (open), but not in the root file system",
            1,
        ),
        ("never", 0),
        (" /usr/bin/perl  (", 0),
        // Not what is in a listed directory's directories.
        (" /etc/apt/apt.conf.d/", 0),
    ] {
        assert_eq!(apart.matches(expected).count(), times, "{expected}:\n{apart}");
    }
    // With every password locked, or not at all.
    let shadow = [
        " /etc/shadow  (--trace: open)",
        "refused: /etc/shadow: it holds password hashes",
    ];
    assert!(shadow.iter().any(|told| apart.contains(told)), "{apart}");
}

#[test]
fn what_is_no_trace_is_told() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    for (text, said) in [
        ("", "is not a trace"),
        ("{\"polecatTrace\":9}", "is of version 9"),
        ("{\"polecatTrace\":1}\n{\"path\":\"x\"}\n", "line 2: no absolute path"),
    ] {
        let file = scratch.file("a.trace", text);
        let words = [
            Path::new("plan"),
            Path::new("--trace"),
            &file,
            &debian(),
            Path::new("true"),
        ]
        .map(Path::to_owned);
        let ended = polecat.run(words).exits(1);
        assert!(ended.err().contains(said) && ended.err().contains("(try: "), "{ended}");
    }
}
