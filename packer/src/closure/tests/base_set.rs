//! What is there without being asked for.

use super::*;

#[test]
fn a_static_program_needs_little_more_than_itself() {
    let tree = Tree::new();
    let plan = tree.plan(&command_only("static"));
    assert_eq!(plan.entry.to_string(), "/bin/static");
    assert_eq!(plan.architecture, "x86_64");
    assert!(has(&plan, "/bin/static") && has(&plan, "/etc/passwd") && has(&plan, "/proc") && has(&plan, "/tmp"));
    assert!(!has(&plan, "/lib/libc.so.6") && !has(&plan, LOADER));
    assert!(plan.entries.len() < 40, "{}", plan.entries.len());
    assert_eq!(plan.entries[&RootPath::new("/tmp")].mode, 0o1777);
}

#[test]
fn secrets_come_only_by_name() {
    let tree = Tree::new();
    tree.file("/etc/shadow", "root:$6$x:1::::::\n", 0o640);
    tree.file("/etc/passwd", "root:$1$abcdef:0:0::/root:/bin/sh\n", 0o644);
    tree.file("/etc/ssh/ssh_host_rsa_key", "key", 0o600);
    let plan = tree.plan(&including("static", &["/etc/**"]));
    assert!(!has(&plan, "/etc/ssh/ssh_host_rsa_key"));
    let Node::Synthetic { contents } = &plan.entries[&RootPath::new("/etc/shadow")].node else {
        panic!("not locked")
    };
    assert_eq!(contents, b"root:*:1::::::\n");
    let Node::Synthetic { contents } = &plan.entries[&RootPath::new("/etc/passwd")].node else {
        panic!("not hidden")
    };
    assert_eq!(contents, b"root:x:0:0::/root:/bin/sh\n");
    assert!(!has(&tree.plan(&command_only("static")), "/etc/shadow"));
}

#[test]
fn top_level_links_and_standard_directories() {
    let tree = Tree::new();
    fs::create_dir_all(tree.at("/usr/sbin")).expect("a directory");
    tree.link("usr/sbin", "/sbin");
    tree.link("/boot/vmlinuz", "/vmlinuz");
    tree.link("/run", "/var/run");
    tree.link("var/home", "/home");
    fs::create_dir_all(tree.at("/var/home")).expect("a directory");
    tree.link("/proc/self/mounts", "/etc/mtab");
    let plan = tree.plan(&command_only("static"));
    assert!(has(&plan, "/sbin") && has(&plan, "/usr/sbin") && has(&plan, "/var/home"));
    assert!(!has(&plan, "/vmlinuz"));
    for link in ["/sbin", "/var/run", "/home", "/etc/mtab"] {
        assert!(
            matches!(plan.entries[&RootPath::new(link)].node, Node::Symlink { .. }),
            "{link}"
        );
    }
    assert_eq!(plan.warnings, []);
}

/// A link or a file at a standard place, what else is there, and where standard directories and files come to be, if anywhere.
type Displaced<'a> = (&'a str, Option<&'a str>, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

#[test]
fn standard_places_behind_links() {
    let cases: [Displaced<'_>; 11] = [
        ("/var", Some("/run"), &["/run"], &["/run/lib/misc", "/run/tmp"], &[]),
        ("/var", Some("run"), &[], &["/run/lib/misc", "/run/tmp"], &[]),
        ("/var", Some("/nowhere/at/all"), &[], &["/nowhere/at/all/lib/misc"], &[]),
        ("/tmp", Some("var/tmp"), &["/var/tmp"], &["/var/tmp"], &[]),
        ("/run", Some("var/run"), &["/var/run"], &["/var/run"], &[]),
        (
            "/etc",
            Some("usr/etc"),
            &["/usr/etc"],
            &["/usr/etc/passwd", "/usr/etc/hosts"],
            &[],
        ),
        (
            "/etc",
            Some("../../usr/etc"),
            &[],
            &["/usr/etc/passwd", "/usr/etc/hosts"],
            &[],
        ),
        ("/var", Some("var"), &[], &[], &["/var/lib/misc", "/var/tmp"]),
        ("/var", Some("gone/../var"), &[], &[], &["/var/lib/misc", "/var/tmp"]),
        ("/var", Some("usr/../v/at"), &["/usr"], &["/v/at/lib/misc"], &[]),
        ("/etc", None, &[], &[], &["/etc/passwd", "/etc/hosts"]),
    ];
    for (place, target, directories, made, left_out) in cases {
        let tree = Tree::new();
        for directory in directories {
            fs::create_dir_all(tree.at(directory)).expect("a directory");
        }
        match target {
            Some(target) => tree.link(target, place),
            None => tree.file(place, "no directory", 0o644),
        }
        let plan = tree.plan(&command_only("static"));
        for path in made {
            assert!(has(&plan, path), "{place} {target:?}: {path}");
        }
        for path in left_out {
            let warned =
                |warning: &Warning| warning.kind == WarningKind::Skipped && warning.path == RootPath::new(path);
            assert!(
                plan.warnings.iter().any(warned),
                "{place} {target:?}: {path}: {:?}",
                plan.warnings
            );
        }
        let told = |warning: &Warning| warning.kind == WarningKind::Condition && warning.path == RootPath::new("/etc");
        let is_link = place == "/etc" && target.is_some();
        assert_eq!(
            plan.warnings.iter().any(told),
            is_link,
            "{place} {target:?}: {:?}",
            plan.warnings
        );
        // Nothing is below what is no directory: no image could hold it.
        for path in plan.entries.keys() {
            for above in path.ancestors().filter(|above| above != path) {
                let is_directory = above.is_root() || matches!(plan.entries[&above].node, Node::Directory);
                assert!(is_directory, "{place} {target:?}: {path} below {above}");
            }
        }
    }
}

#[test]
fn what_the_runtime_hides_is_told() {
    let tree = Tree::new();
    tree.file("/tmp/prog", static_program().build(), 0o755);
    tree.file("/dev/thing", "x", 0o644);
    let plan = tree.plan(&including("/tmp/prog", &["/dev/**"]));
    assert_eq!(warnings(&plan), [(WarningKind::Hidden, "/tmp/prog".to_owned())]);
    assert!(has(&plan, "/dev") && !has(&plan, "/dev/thing"));
}

#[test]
fn parents_are_always_there() {
    let tree = Tree::new();
    tree.file("/bin/prog", program(&["liba.so"]).build(), 0o755);
    tree.link("../usr/./lib/../lib/liba.so", "/lib/liba.so");
    tree.file("/usr/lib/liba.so", library("liba.so", &[]).build(), 0o644);
    let plan = tree.plan(&including("prog", &["/usr/**"]));
    for path in plan.entries.keys() {
        let parent = path.parent();
        let is_directory = |parent: &RootPath| {
            plan.entries
                .get(parent)
                .is_some_and(|entry| entry.node == Node::Directory)
        };
        assert!(parent.as_ref().is_none_or(is_directory), "{path}");
    }
    assert!(has(&plan, "/"));
}

#[test]
fn every_link_on_the_way_to_a_standard_place_is_packed() {
    let tree = Tree::new();
    tree.link("/v2", "/var");
    tree.link("v3/at", "/v2");
    tree.link("/nowhere", "/v3");
    let plan = tree.plan(&command_only("static"));
    for path in ["/var", "/v2", "/v3", "/nowhere/at/lib/misc", "/nowhere/at/tmp"] {
        assert!(has(&plan, path), "{path}");
    }
    assert_eq!(plan.warnings, []);
}
