//! What programs, patterns and exclusions bring, and what is said about it.

use super::*;

#[test]
fn reasons_lead_back_to_the_command() {
    let tree = Tree::new();
    tree.file("/usr/bin/prog", program(&["liba.so.1"]).build(), 0o755);
    tree.file(
        "/usr/lib/liba.so.1.2",
        library("liba.so.1", &["libb.so"]).build(),
        0o644,
    );
    tree.link("liba.so.1.2", "/usr/lib/liba.so.1");
    tree.file("/lib/libb.so", library("libb.so", &[]).build(), 0o644);
    let plan = tree.plan(&command_only("prog"));
    for (path, kind, by) in [
        ("/usr/bin/prog", ReasonKind::Command, ""),
        (LOADER, ReasonKind::Interpreter, "/usr/bin/prog"),
        ("/usr/lib/liba.so.1", ReasonKind::Needed, "/usr/bin/prog"),
        ("/usr/lib/liba.so.1.2", ReasonKind::Symlink, "/usr/lib/liba.so.1"),
        ("/lib/libb.so", ReasonKind::Needed, "/usr/lib/liba.so.1.2"),
        ("/lib/libc.so.6", ReasonKind::Needed, "/usr/bin/prog"),
        ("/lib", ReasonKind::Parent, ""),
    ] {
        let (found, found_by) = reason(&plan, path);
        assert_eq!(found, kind, "{path}");
        assert!(by.is_empty() || found_by == by, "{path} by {found_by}");
    }
    assert_eq!(plan.warnings, []);
}

#[test]
fn libraries_that_are_missing_or_foreign() {
    let tree = Tree::new();
    tree.file("/bin/prog", program(&["liba.so", "libgone.so"]).build(), 0o755);
    tree.file(
        "/lib/liba.so",
        Specimen {
            machine: h::EM_AARCH64,
            ..library("liba.so", &[])
        }
        .build(),
        0o644,
    );
    let plan = tree.plan(&command_only("prog"));
    let messages: Vec<_> = plan.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "needs liba.so, which is not found in the root file system",
            "needs libgone.so, which is not found in the root file system",
        ]
    );
    assert!(
        plan.warnings
            .iter()
            .all(|warning| warning.kind == WarningKind::MissingLibrary && warning.path.to_string() == "/bin/prog")
    );
    assert!(!has(&plan, "/lib/liba.so"));

    // Truncated behind its header: the loader stops there.
    tree.file("/lib/liba.so", &library("liba.so", &[]).build()[..100], 0o644);
    let plan = tree.plan(&command_only("prog"));
    let stop = plan
        .warnings
        .iter()
        .find(|warning| warning.kind == WarningKind::LoaderStops)
        .expect("a warning");
    assert!(
        stop.message.contains("/lib/liba.so") && stop.message.contains("truncated"),
        "{}",
        stop.message
    );
}

#[test]
fn exclusion_wins_and_is_told_where_it_hurts() {
    let tree = Tree::new();
    tree.file("/bin/prog", program(&["liba.so"]).build(), 0o755);
    tree.file("/lib/liba.so", library("liba.so", &["libb.so"]).build(), 0o644);
    tree.file("/lib/libb.so", library("libb.so", &[]).build(), 0o644);
    tree.file("/usr/share/app/keep", "", 0o644);
    tree.file("/usr/share/app/doc/drop", "", 0o644);
    let request = Request {
        exclude: vec!["/lib/liba.*".into(), "/usr/share/app/doc".into(), "/etc/passwd".into()],
        ..including("prog", &["/usr/share/app/**"])
    };
    let plan = tree.plan(&request);
    assert!(!has(&plan, "/lib/liba.so") && !has(&plan, "/usr/share/app/doc") && !has(&plan, "/usr/share/app/doc/drop"));
    assert!(has(&plan, "/usr/share/app/keep") && !has(&plan, "/etc/passwd"));
    assert_eq!(warnings(&plan), [(WarningKind::Excluded, "/lib/liba.so".to_owned())]);
    assert!(
        plan.warnings[0]
            .message
            .contains("needed by /bin/prog, but excluded by /lib/liba.*")
    );

    let all = Request {
        exclude: vec!["/bin/*".into()],
        ..command_only("prog")
    };
    assert!(matches!(tree.try_plan(&all), Err(ClosureError::CommandExcluded { .. })));
}

#[test]
fn inclusion_follows_programs_and_libraries() {
    let tree = Tree::new();
    tree.file("/opt/tool", program(&["libt.so"]).build(), 0o755);
    tree.file(
        "/opt/plugin.so",
        Specimen {
            strings: vec![(DT_NEEDED, "libp.so"), (DT_RUNPATH, "$ORIGIN/private")],
            ..library("", &[])
        }
        .build(),
        0o644,
    );
    tree.file("/opt/private/libp.so", library("libp.so", &[]).build(), 0o644);
    tree.file("/opt/run", "#!/bin/sh\n", 0o755);
    tree.file("/opt/data", "#!/bin/other\n", 0o644);
    tree.file("/lib/libt.so", library("libt.so", &[]).build(), 0o644);
    tree.link("static", "/bin/sh");
    tree.file("/bin/other", "x", 0o755);
    tree.link("/nowhere", "/opt/dangling");
    let arm = |specimen: Specimen| Specimen {
        machine: h::EM_AARCH64,
        ..specimen
    };
    tree.file(
        "/opt/arm",
        arm(Specimen {
            interpreter: Some("/lib/ld-arm.so"),
            ..program(&[])
        })
        .build(),
        0o755,
    );
    tree.file("/opt/libarm.so", arm(library("libarm.so", &[])).build(), 0o644);
    tree.file("/usr/share/app/data", "", 0o644);
    tree.link("/usr/share/app", "/opt/app");
    mkfifo(&tree.at("/opt/fifo"), Mode::S_IRWXU).expect("a FIFO");
    let plan = tree.plan(&including("static", &["/opt/*", "/usr/nothing*"]));
    for path in [
        "/lib/libt.so",
        "/lib/libc.so.6",
        LOADER,
        "/opt/private/libp.so",
        "/bin/sh",
        "/opt/data",
        "/opt/dangling",
        "/opt/arm",
        "/usr/share/app/data",
    ] {
        assert!(has(&plan, path), "{path}");
    }
    assert!(!has(&plan, "/bin/other"), "what is not executable is data");
    assert_eq!(reason(&plan, "/opt/data"), (ReasonKind::Include, String::new()));
    assert_eq!(
        reason(&plan, "/lib/libt.so"),
        (ReasonKind::Needed, "/opt/tool".to_owned())
    );
    let expected = [
        (WarningKind::ForeignFile, "/opt/arm".to_owned()),
        (WarningKind::Skipped, "/opt/fifo".to_owned()),
        (WarningKind::EmptyPattern, "/usr/nothing*".to_owned()),
        (WarningKind::ForeignFile, "/opt/libarm.so".to_owned()),
    ];
    assert_eq!(warnings(&plan), expected);
}

#[test]
fn what_is_hidden_or_excluded_at_the_start_is_a_fault() {
    let tree = Tree::new();
    let needy = |run_path| Specimen {
        strings: vec![(DT_NEEDED, "libt.so"), (DT_RUNPATH, run_path)],
        ..program(&[])
    };
    for path in ["/tmp/prog", "/run/prog", "/dev/prog", "/sys/prog", "/var/tmp/prog"] {
        tree.file(path, static_program().build(), 0o755);
    }
    tree.file("/bin/needy", needy("/tmp/lib").build(), 0o755);
    tree.file("/tmp/lib/libt.so", library("libt.so", &[]).build(), 0o644);
    tree.file("/bin/script", "#!/run/interpreter\n", 0o755);
    tree.file("/run/interpreter", static_program().build(), 0o755);
    tree.link("/dev/prog", "/bin/to-dev");
    tree.link("/run/hop", "/bin/hops");
    tree.link("/bin/static", "/run/hop");
    tree.link("/bin", "/run/system");
    tree.file("/bin/prog", program(&[]).build(), 0o755);
    let excluding = |command: &str, pattern: &str| Request {
        exclude: vec![pattern.into()],
        ..command_only(command)
    };
    let cases = [
        (command_only("/tmp/prog"), Some("/tmp/prog")),
        (command_only("/run/prog"), Some("/run/prog")),
        (command_only("/dev/prog"), Some("/dev/prog")),
        (command_only("/sys/prog"), Some("/sys/prog")),
        (command_only("/var/tmp/prog"), None),
        (command_only("needy"), Some("/tmp/lib/libt.so")),
        (command_only("script"), Some("/run/interpreter")),
        (command_only("to-dev"), Some("/dev/prog")),
        (command_only("hops"), Some("/run/hop")),
        (command_only("/run/system/static"), Some("/run/system")),
        (command_only("prog"), None),
        (excluding("prog", "/lib64/ld-*"), Some(LOADER)),
        (excluding("prog", "/lib/libc.*"), Some("/lib/libc.so.6")),
        (excluding("script", "/run/*"), Some("/run/interpreter")),
        (excluding("prog", "/etc/**"), None),
    ];
    for (request, expected) in cases {
        let plan = tree.plan(&request);
        let found: Vec<_> = plan.faults().iter().map(|fault| fault.path.to_string()).collect();
        assert_eq!(found, expected.as_slice(), "{request:?}");
    }
    let plan = tree.plan(&including("static", &["/tmp/prog"]));
    assert_eq!(warnings(&plan), [(WarningKind::Hidden, "/tmp/prog".to_owned())]);
    assert_eq!(plan.faults(), [], "it is not the command");
}

#[test]
fn a_working_directory_that_is_not_there_is_told() {
    let tree = Tree::new();
    tree.file("/srv/app/data", "", 0o644);
    tree.file("/tmp/work/data", "", 0o644);
    tree.link("/srv/app", "/srv/current");
    let starting_in = |directory: &str, include: &[&str]| Request {
        workdir: Some(RootPath::new(directory)),
        ..including("static", include)
    };
    for (directory, include, expected) in [
        ("/", &[][..], None),
        ("/srv", &[], None),
        ("/var/lib", &[], None),
        ("/tmp", &[], None),
        ("/dev/shm", &[], None),
        ("/srv/app", &["/srv/app"], None),
        ("/srv/current", &["/srv/current"], None),
        ("/srv/app", &[], Some("is not packed")),
        ("/srv/current", &["/srv/app"], Some("is not packed")),
        ("/srv/none", &[], Some("is not in the root file system")),
        ("/bin/static", &[], Some("is no directory")),
        ("/tmp/work", &[], Some("is not packed")),
    ] {
        let plan = tree.plan(&starting_in(directory, include));
        let told: Vec<_> = plan.warnings.iter().map(|warning| warning.message.as_str()).collect();
        match expected {
            None => assert_eq!(told, [""; 0], "{directory}"),
            Some(text) => assert!(told.len() == 1 && told[0].contains(text), "{directory}: {told:?}"),
        }
    }
}

#[test]
fn hard_links_are_told_once() {
    let tree = Tree::new();
    tree.file("/opt/a", "one", 0o644);
    tree.file("/opt/c", "other", 0o644);
    for (name, other) in [("/opt/a", "/opt/b"), ("/opt/c", "/opt/d"), ("/opt/c", "/srv/e")] {
        fs::create_dir_all(tree.at("/srv")).expect("a directory");
        fs::hard_link(tree.at(name), tree.at(other)).expect("a link");
    }
    for (include, expected) in [
        (
            &["/opt/*", "/srv/*"][..],
            Some((
                "/opt/b",
                "the same file as /opt/a: a hard link becomes a copy, and so do 2 other",
            )),
        ),
        (&["/opt/*"], Some(("/opt/b", "a copy, and so does another file"))),
        (
            &["/opt/c", "/srv/*"],
            Some(("/srv/e", "the same file as /opt/c: a hard link becomes a copy (equal")),
        ),
        (&["/opt/a", "/srv/*"], None),
    ] {
        let plan = tree.plan(&including("static", include));
        match (expected, plan.warnings.as_slice()) {
            (None, []) => {}
            (Some((path, text)), [warning]) => {
                assert_eq!(
                    (warning.kind, warning.path.to_string().as_str()),
                    (WarningKind::HardLink, path)
                );
                assert!(warning.message.contains(text), "{}", warning.message);
            }
            (_, warnings) => panic!("{include:?}: {warnings:?}"),
        }
    }
}
