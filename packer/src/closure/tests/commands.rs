//! Which command is found, and why one is not packed.

use super::*;

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

/// A command, what is said about it, a part of the hint, and whether it is that something is not there.
const REFUSALS: &[(&str, &str, Option<&str>, bool)] = &[
    (
        "statik",
        "command: statik: not found in the root file system's PATH, /usr",
        None,
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
        "dangling",
        "command: /bin/dangling: a link that leads to /gone, which is not in the root file system",
        Some("install"),
        true,
    ),
    (
        "/bin/dangling",
        "command: /bin/dangling: a link that leads to /gone, which is not in the root file system",
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
];

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
    tree.link("/gone", "/bin/dangling");
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
    for &(command, text, hint, not_found) in REFUSALS {
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
fn a_name_that_is_near_is_asked_about() {
    let tree = Tree::new();
    tree.file("/bin/stati", "no program\n", 0o644);
    tree.file("/sbin/statik/inside", "", 0o644);
    tree.link("/bin/static", "/usr/bin/statik2");
    let error = tree.error("statik");
    let (_, question) = error
        .to_string()
        .split_once("; ")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert_eq!(question, "did you mean static or statik2?");
    assert!(!tree.error("nothing-like-it").to_string().contains("did you mean"));

    // A directory of the very name is no command, and no suggestion.
    tree.file("/sbin/tool/inside", "", 0o644);
    let error = tree.error("tool");
    assert!(!error.to_string().contains("did you mean"), "{error}");
}

#[test]
fn another_program_is_called_by_its_option() {
    let tree = Tree::new();
    tree.file("/bin/text", "hello\n", 0o755);
    tree.file("/bin/plain", "", 0o644);
    tree.link("/gone", "/bin/dangling");
    let cases = [
        (
            "statik",
            "--also statik: not found in the root file system's PATH, ",
            true,
        ),
        ("/opt/x", "--also /opt/x: not in the root file system", true),
        ("text", "--also /bin/text: neither an ELF executable", false),
        ("plain", "--also /bin/plain: not executable", false),
        ("dangling", "--also /bin/dangling: a link that leads to /gone", true),
    ];
    for (name, text, not_found) in cases {
        let request = Request {
            also: vec![name.into()],
            ..command_only("static")
        };
        let error = tree.try_plan(&request).expect_err("an error");
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(error.is_not_found(), not_found, "{error}");
    }
}

#[test]
fn users_are_known_to_what_is_packed() {
    use runtime::options::{Name, UserOption};
    let named = |name: &str| Name::Named(name.to_owned());
    let tree = Tree::new();
    let error = |user: Name, group: Option<Name>, exclude: &[&str]| {
        let request = Request {
            user: Some(UserOption { user, group }),
            exclude: exclude.iter().map(|&glob| glob.to_owned()).collect(),
            ..command_only("static")
        };
        tree.try_plan(&request).err().map(|error| error.to_string())
    };
    // Those of the files that are made where there are none.
    assert_eq!(error(named("nobody"), Some(named("nogroup")), &[]), None);
    let missing = "--user: www-data: not in /etc/passwd of what is packed";
    assert_eq!(error(named("www-data"), None, &[]).as_deref(), Some(missing));
    tree.file("/etc/passwd", "www-data:x:33:33::/:\nbroken:x:y:1::/:\n", 0o644);
    tree.file("/etc/group", "www-data:x:33:\ntape:x:7:\n", 0o644);
    assert_eq!(error(named("www-data"), Some(named("tape")), &[]), None);
    assert_eq!(error(Name::Id(4711), Some(Name::Id(4711)), &[]), None);
    let gone: &[&str] = &["/etc/passwd"];
    for (user, group, exclude, expected) in [
        (
            named("wwwdata"),
            None,
            &[][..],
            "wwwdata: not in /etc/passwd of what is packed; did you mean www-data?",
        ),
        (
            named("broken"),
            None,
            &[],
            "broken: not in /etc/passwd of what is packed",
        ),
        (
            Name::Id(1),
            Some(named("tap")),
            &[],
            "tap: not in /etc/group of what is packed; did you mean tape?",
        ),
        (
            named("www-data"),
            None,
            gone,
            "www-data: not in /etc/passwd of what is packed",
        ),
    ] {
        assert_eq!(error(user, group, exclude), Some(format!("--user: {expected}")));
    }
    // A start follows no link to it.
    fs::remove_file(tree.at("/etc/passwd")).expect("a file of ours");
    tree.file("/usr/lib/passwd", "www-data:x:33:33::/:\n", 0o644);
    tree.link("../usr/lib/passwd", "/etc/passwd");
    assert_eq!(error(named("www-data"), None, &[]).as_deref(), Some(missing));
}

#[test]
fn files_that_arguments_name_come_along() {
    let tree = Tree::new();
    tree.file("/opt/app/main", "#!/opt/interpreter\n", 0o644);
    tree.file("/opt/interpreter", static_program().build(), 0o755);
    tree.file("/opt/app/tool", program(&["libt.so"]).build(), 0o755);
    tree.file("/lib/libt.so", library("libt.so", &[]).build(), 0o644);
    tree.file("/opt/app/conf", "x", 0o644);
    tree.file("/opt/app/other", "x", 0o644);
    let arguments = [
        "/opt/app/main",
        "/opt/app/tool",
        "--conf=/opt/app/conf",
        "/opt/app",
        "/gone",
        "other",
    ];
    let plan = tree.plan(&Request {
        arguments: arguments.map(Into::into).to_vec(),
        ..command_only("static")
    });
    for path in ["/opt/app/main", "/opt/interpreter", "/lib/libt.so", "/opt/app/conf"] {
        assert!(has(&plan, path), "{path}");
    }
    assert!(
        !has(&plan, "/opt/app/other") && plan.warnings.is_empty(),
        "{:?}",
        plan.warnings
    );
    let reason = &plan.entries[&RootPath::new("/opt/app/conf")].reason;
    assert_eq!(
        (reason.kind, reason.detail.as_str()),
        (ReasonKind::Argument, "/opt/app/conf")
    );
}
