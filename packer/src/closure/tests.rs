//! Small trees with ELF files put together byte by byte: nothing of the machine is needed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use goblin::elf::header as h;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;
use crate::elf::specimen::{DT_NEEDED, DT_RUNPATH, DT_SONAME, Specimen};
use crate::plan::{Node, WarningKind};

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A root file system under construction.
struct Tree(TempDir);

impl Tree {
    /// With a glibc loader, a libc and a static `/bin/static`.
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a temporary directory"));
        let mut loader = library("ld-linux-x86-64.so.2", &[]).build();
        loader.extend(b"\0/lib/\0/usr/lib/\0/etc/ld.so.cache\0glibc-hwcaps/\0");
        tree.file(LOADER, &loader, 0o755);
        tree.file("/lib/libc.so.6", library("libc.so.6", &[]).build(), 0o644);
        tree.file("/bin/static", static_program().build(), 0o755);
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn file(&self, path: &str, contents: impl AsRef<[u8]>, mode: u32) {
        let at = self.at(path);
        fs::create_dir_all(at.parent().expect("not the root")).expect("a directory");
        fs::write(&at, contents).expect("written");
        fs::set_permissions(&at, fs::Permissions::from_mode(mode)).expect("its mode");
    }

    fn link(&self, target: &str, path: &str) {
        fs::create_dir_all(self.at(path).parent().expect("not the root")).expect("a directory");
        symlink(target, self.at(path)).expect("a link");
    }

    fn try_plan(&self, request: &Request) -> Result<Plan, ClosureError> {
        plan(&Rootfs::open(self.0.path()).expect("a directory"), request)
    }

    fn plan(&self, request: &Request) -> Plan {
        self.try_plan(request).unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(&self, command: &str) -> ClosureError {
        self.try_plan(&command_only(command)).expect_err("an error")
    }
}

fn command_only(command: &str) -> Request {
    Request {
        command: command.into(),
        ..Request::default()
    }
}

fn including(command: &str, include: &[&str]) -> Request {
    Request {
        include: include.iter().map(|&text| text.to_owned()).collect(),
        ..command_only(command)
    }
}

/// A program that needs libc and the libraries given.
fn program(needed: &[&'static str]) -> Specimen {
    let strings = needed
        .iter()
        .chain(&["libc.so.6"])
        .map(|&name| (DT_NEEDED, name))
        .collect();
    Specimen {
        strings,
        symbols: Vec::new(),
        values: Vec::new(),
        ..Specimen::program()
    }
}

fn static_program() -> Specimen {
    Specimen {
        interpreter: None,
        strings: Vec::new(),
        ..program(&[])
    }
}

fn library(soname: &'static str, needed: &[&'static str]) -> Specimen {
    let mut strings: Vec<_> = needed.iter().map(|&name| (DT_NEEDED, name)).collect();
    strings.push((DT_SONAME, soname));
    Specimen {
        interpreter: None,
        strings,
        symbols: Vec::new(),
        values: Vec::new(),
        ..Specimen::program()
    }
}

fn has(plan: &Plan, path: &str) -> bool {
    plan.entries.contains_key(&RootPath::new(path))
}

fn reason(plan: &Plan, path: &str) -> (ReasonKind, String) {
    let entry = plan
        .entries
        .get(&RootPath::new(path))
        .unwrap_or_else(|| panic!("no {path}"));
    (
        entry.reason.kind,
        entry.reason.by.as_ref().map(ToString::to_string).unwrap_or_default(),
    )
}

fn warnings(plan: &Plan) -> Vec<(WarningKind, String)> {
    plan.warnings
        .iter()
        .map(|warning| (warning.kind, warning.path.to_string()))
        .collect()
}

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
fn scripts_bring_their_interpreters() {
    let tree = Tree::new();
    tree.file("/usr/bin/env", program(&[]).build(), 0o755);
    tree.file("/usr/bin/real", program(&[]).build(), 0o755);
    tree.link("real", "/usr/bin/lang");
    tree.file("/bin/script", "#!/opt/outer -x\n", 0o755);
    tree.file("/opt/outer", "#! /usr/bin/env -S A=1 lang -u\n", 0o755);
    let plan = tree.plan(&command_only("script"));
    assert_eq!(
        reason(&plan, "/opt/outer"),
        (ReasonKind::Shebang, "/bin/script".to_owned())
    );
    assert_eq!(
        reason(&plan, "/usr/bin/env"),
        (ReasonKind::Shebang, "/opt/outer".to_owned())
    );
    assert_eq!(
        reason(&plan, "/usr/bin/lang"),
        (ReasonKind::Shebang, "/opt/outer".to_owned())
    );
    assert_eq!(
        reason(&plan, "/usr/bin/real"),
        (ReasonKind::Symlink, "/usr/bin/lang".to_owned())
    );
    assert!(has(&plan, "/lib/libc.so.6"));
    assert_eq!(plan.architecture, "x86_64");
}

#[test]
fn commands_that_cannot_be_packed() {
    let tree = Tree::new();
    let arm = Specimen {
        machine: h::EM_AARCH64,
        ..program(&[])
    };
    tree.file("/bin/plain", "#!/bin/static\n", 0o644);
    tree.file("/bin/text", "hello\n", 0o755);
    tree.file("/bin/lost", "#!/opt/nothing\n", 0o755);
    tree.file("/bin/env-lost", "#!/bin/env nothing\n", 0o755);
    tree.link("static", "/bin/env");
    tree.file("/bin/round", "#!/bin/round\n", 0o755);
    tree.file("/bin/cut", &program(&[]).build()[..200], 0o755);
    tree.file(
        "/bin/object",
        Specimen {
            file_type: h::ET_REL,
            ..program(&[])
        }
        .build(),
        0o755,
    );
    tree.file("/bin/arm", arm.build(), 0o755);
    tree.file(
        "/bin/strange",
        Specimen {
            interpreter: Some("/no/ld.so"),
            ..program(&[])
        }
        .build(),
        0o755,
    );
    for (command, text, hint, not_found) in [
        (
            "statik",
            "command: statik: not found in the root file system's PATH, /usr",
            Some("static"),
            true,
        ),
        (
            "/bin/statik",
            "command: /bin/statik: not in the root file system",
            Some("inside"),
            true,
        ),
        ("", "command: : not found", Some("path"), true),
        ("plain", "command: /bin/plain: not executable", Some("chmod"), false),
        ("/bin", "command: /bin: not a regular file", None, false),
        (
            "text",
            "command: /bin/text: neither an ELF executable nor a script",
            Some("#!"),
            false,
        ),
        (
            "lost",
            "interpreter of /bin/lost: /opt/nothing: not in the root file system",
            Some("install"),
            true,
        ),
        (
            "env-lost",
            "interpreter of /bin/env-lost: nothing: not in the root file system",
            Some("install"),
            true,
        ),
        (
            "round",
            "interpreter of /bin/round: /bin/round: scripts interpret scripts",
            None,
            false,
        ),
        (
            "cut",
            "command: /bin/cut: a damaged ELF file: it is truncated",
            None,
            false,
        ),
        (
            "object",
            "command: /bin/object: an ELF file, but not an executable",
            None,
            false,
        ),
        (
            "arm",
            "is for x86_64, 64-bit, the program for aarch64, 64-bit",
            None,
            false,
        ),
        (
            "strange",
            "interpreter of /bin/strange: /no/ld.so: not in the root file system",
            Some("install"),
            true,
        ),
    ] {
        let error = tree.error(command);
        assert!(error.to_string().contains(text), "{command}: {error}");
        assert!(!error.to_string().contains('\n'));
        match (error.hint(), hint) {
            (Some(found), Some(part)) => assert!(found.contains(part), "{command}: {found}"),
            (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "{command}"),
        }
        assert_eq!(error.is_not_found(), not_found, "{command}");
    }
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
        (WarningKind::Skipped, "/opt/fifo".to_owned()),
        (WarningKind::EmptyPattern, "/usr/nothing*".to_owned()),
    ];
    assert_eq!(warnings(&plan), expected);
}

#[test]
fn secrets_come_only_by_name() {
    let tree = Tree::new();
    tree.file("/etc/shadow", "root:$6$x:1::::::\n", 0o640);
    tree.file("/etc/passwd", "root:$1$abcdef:0:0::/root:/bin/sh\n", 0o644);
    tree.file("/etc/ssh/ssh_host_rsa_key", "key", 0o600);
    let plan = tree.plan(&including("static", &["/etc/**"]));
    assert!(!has(&plan, "/etc/shadow") && !has(&plan, "/etc/ssh/ssh_host_rsa_key"));
    assert_eq!(
        warnings(&plan)
            .iter()
            .filter(|(kind, _)| *kind == WarningKind::Secret)
            .count(),
        2
    );
    let Node::Synthetic { contents } = &plan.entries[&RootPath::new("/etc/passwd")].node else {
        panic!("not hidden")
    };
    assert_eq!(contents, b"root:x:0:0::/root:/bin/sh\n");
    assert!(has(&tree.plan(&including("static", &["/etc/shadow"])), "/etc/shadow"));
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

#[test]
fn the_search_path_is_the_root_file_systems() {
    let tree = Tree::new();
    tree.file("/opt/bin/only", static_program().build(), 0o755);
    assert!(matches!(tree.error("only"), ClosureError::CommandNotFound { .. }));
    tree.file("/etc/login.defs", "ENV_SUPATH\tPATH=/opt/bin:relative:/bin\n", 0o644);
    let plan = tree.plan(&command_only("only"));
    assert_eq!(
        (plan.entry.to_string().as_str(), plan.search_path.as_str()),
        ("/opt/bin/only", "/opt/bin:/bin")
    );
    tree.file("/etc/environment", "PATH=\"/bin\"\n", 0o644);
    assert!(matches!(tree.error("only"), ClosureError::CommandNotFound { .. }));
}

#[test]
fn what_the_runtime_hides_is_told() {
    let tree = Tree::new();
    tree.file("/tmp/prog", static_program().build(), 0o755);
    tree.file("/dev/thing", "x", 0o644);
    let plan = tree.plan(&including("/tmp/prog", &["/dev/**"]));
    assert_eq!(warnings(&plan), [(WarningKind::Condition, "/tmp/prog".to_owned())]);
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
