//! Rules and evidence, on trees where it is plain what each brings.

use std::collections::BTreeSet;

use super::*;
use crate::evidence::EvidenceKind;
use crate::rules::RuleSet;

/// polecat's rules and these.
fn rules(text: &str) -> RuleSet {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("test.toml"), text).expect("written");
    RuleSet::load(&[directory.path().to_owned()]).expect("valid rules")
}

fn extent(rules: RuleSet, evidence: &[EvidenceKind]) -> Extent {
    Extent {
        rules,
        evidence: evidence.iter().copied().collect::<BTreeSet<_>>(),
        ..Extent::elf()
    }
}

fn plan_within(tree: &Tree, command: &str, extent: &Extent) -> Plan {
    let rootfs = Rootfs::open(tree.0.path()).expect("a directory");
    plan(&rootfs, &command_only(command), extent).unwrap_or_else(|error| panic!("{error}"))
}

/// The program with constants behind it.
fn with_constants(constants: &[&str]) -> Vec<u8> {
    let mut bytes = program(&[]).build();
    bytes.push(0);
    for constant in constants {
        bytes.extend(constant.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[test]
fn a_rule_asks_what_package_something_is_of() {
    let tree = Tree::new();
    tree.file("/usr/bin/prog", program(&[]).build(), 0o755);
    tree.file("/usr/bin/other", program(&[]).build(), 0o755);
    tree.file("/opt/data", "x", 0o644);
    let status = |name: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nMaintainer: x\nDescription: x\n\n"
        )
    };
    tree.file("/var/lib/dpkg/status", status("prog-core") + &status("rest"), 0o644);
    tree.file("/var/lib/dpkg/info/prog-core.list", "/usr/bin/prog\n", 0o644);
    tree.file("/var/lib/dpkg/info/rest.list", "/usr/bin/other\n", 0o644);
    let rules = rules("[[rule]]\nname = 'test'\nwhen.package = ['prog-*']\nthen.files = ['/opt/data']\n");
    let extent = extent(rules, &[]);
    for (command, expected) in [("prog", true), ("other", false)] {
        assert_eq!(
            has(&plan_within(&tree, command, &extent), "/opt/data"),
            expected,
            "{command}"
        );
    }
}

#[test]
fn a_rule_brings_files_programs_and_directories_to_a_program() {
    let tree = Tree::new();
    tree.file("/usr/bin/prog", program(&[]).build(), 0o755);
    tree.file("/usr/bin/helper", program(&["libh.so.1"]).build(), 0o755);
    tree.file("/usr/lib/libh.so.1", library("libh.so.1", &[]).build(), 0o644);
    tree.file("/usr/share/prog/a/data", "x", 0o644);
    tree.file("/usr/share/prog/b/data", "x", 0o644);
    tree.file(
        "/usr/lib/prog/plugin.so",
        library("plugin.so", &["libp.so.1"]).build(),
        0o644,
    );
    tree.file("/usr/lib/libp.so.1", library("libp.so.1", &[]).build(), 0o644);
    tree.file("/var/lib/prog/state", "x", 0o600);
    let rules = rules(
        "[[rule]]\nname = 'test'\nwhen.program = ['prog']\n\
         then.files = ['$PREFIX/share/prog/**', '$LIB/prog/*']\nthen.except = ['/usr/share/prog/b/**']\n\
         then.programs = ['helper', 'absent']\nthen.directories = ['/var/lib/prog', '/var/lib/absent']\n",
    );
    let plan = plan_within(&tree, "prog", &extent(rules, &[]));
    for (path, expected) in [
        ("/usr/share/prog/a/data", true),
        ("/usr/share/prog/b/data", false),
        ("/usr/lib/prog/plugin.so", true),
        ("/usr/lib/libp.so.1", true),
        ("/usr/bin/helper", true),
        ("/usr/lib/libh.so.1", true),
        ("/var/lib/prog", true),
        ("/var/lib/prog/state", false),
    ] {
        assert_eq!(has(&plan, path), expected, "{path}");
    }
    assert_eq!(reason(&plan, "/usr/share/prog/a/data").0, ReasonKind::Rule);
    assert_eq!(reason(&plan, "/usr/share/prog/a/data").1, "/usr/bin/prog");
    assert!(!has(
        &plan_within(&tree, "helper", &Extent::elf()),
        "/usr/share/prog/a/data"
    ));
}

#[test]
fn constants_bring_paths_that_are_there_and_small() {
    let tree = Tree::new();
    let constants = [
        "/usr/share/prog/table",
        "/usr/share/fonts-of-prog/%s.flf",
        "/usr/share",
        "/home/ann/x",
        "/etc/shadow",
    ];
    tree.file("/usr/bin/prog", with_constants(&constants), 0o755);
    for path in [
        "/usr/share/prog/table",
        "/usr/share/prog/other",
        "/usr/share/fonts-of-prog/a.flf",
        "/home/ann/x",
    ] {
        tree.file(path, "x", 0o644);
    }
    tree.file("/etc/shadow", "root:$6$abc$def:1::\n", 0o640);
    let plan = plan_within(&tree, "prog", &extent(RuleSet::none(), &[EvidenceKind::Paths]));
    for (path, expected) in [
        ("/usr/share/prog/table", true),
        ("/usr/share/prog/other", false),
        ("/usr/share/fonts-of-prog/a.flf", true),
        ("/home/ann/x", false),
    ] {
        assert_eq!(has(&plan, path), expected, "{path}");
    }
    // It is wanted, so it is there, with nothing to be cracked.
    let Node::Synthetic { contents } = &plan.entries[&RootPath::new("/etc/shadow")].node else {
        panic!("the file itself");
    };
    assert_eq!(contents, b"root:*:1::\n");
    let off = plan_within(&tree, "prog", &extent(RuleSet::none(), &[]));
    assert!(!has(&off, "/usr/share/prog/table"));
}

#[test]
fn a_script_brings_its_commands_and_what_lies_beside_it() {
    let tree = Tree::new();
    tree.file("/bin/sh", static_program().build(), 0o755);
    for name in ["grep", "sort", "seq", "never"] {
        tree.file(&format!("/usr/bin/{name}"), static_program().build(), 0o755);
    }
    let script = "#!/bin/sh\nHERE=$(dirname \"$0\")\n. \"$HERE/../lib/wrap/env.sh\"\ngrep x y | sort\nexec \"$HERE/../lib/wrap/real-$X\"\n";
    tree.file("/usr/bin/wrap", script, 0o755);
    tree.file("/usr/lib/wrap/env.sh", "X=one\n", 0o644);
    tree.file("/usr/lib/wrap/real-one", "#!/bin/sh\nseq 3\n", 0o755);
    let plan = plan_within(&tree, "wrap", &extent(RuleSet::none(), &[EvidenceKind::Shell]));
    for (path, expected) in [
        ("/usr/bin/grep", true),
        ("/usr/bin/sort", true),
        ("/usr/lib/wrap/env.sh", true),
        ("/usr/lib/wrap/real-one", true),
        ("/usr/bin/seq", true),
        ("/usr/bin/never", false),
    ] {
        assert_eq!(has(&plan, path), expected, "{path}");
    }
}

#[test]
fn library_names_count_where_libraries_are_opened() {
    let tree = Tree::new();
    tree.file("/usr/lib/libopt.so.1", library("libopt.so.1", &[]).build(), 0o644);
    let mut opens = Specimen {
        symbols: vec![("dlopen", false)],
        ..program(&[])
    }
    .build();
    opens.extend(b"\0libopt.so.1\0");
    tree.file("/usr/bin/opens", opens, 0o755);
    tree.file("/usr/bin/names", with_constants(&["libopt.so.1"]), 0o755);
    let extent = extent(RuleSet::none(), &[EvidenceKind::LibraryNames]);
    assert!(has(&plan_within(&tree, "opens", &extent), "/usr/lib/libopt.so.1"));
    assert!(!has(&plan_within(&tree, "names", &extent), "/usr/lib/libopt.so.1"));
}

#[test]
fn a_damaged_package_database_is_told_and_not_used() {
    let tree = Tree::new();
    tree.file("/var/lib/dpkg/status", "no field\n", 0o644);
    let plan = plan_within(&tree, "static", &extent(RuleSet::none(), &[EvidenceKind::Packages]));
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.message.contains("package database"))
    );
}
