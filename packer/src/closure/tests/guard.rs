//! What the guard keeps out, and how it is let in.

use super::*;
use crate::plan::{Refusal, Secret};

/// What dpkg knows of a package.
const PACKAGE: &str = "Package: x\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";

/// A key that is none.
fn key() -> String {
    let letters: String = (0..320u32)
        .map(|number| char::from(b'A' + u8::try_from(number * 7 % 26).expect("a letter")))
        .collect();
    let lines: Vec<&str> = letters
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("letters"))
        .collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

fn allowing(command: &str, include: &[&str], allow: &[&str]) -> Request {
    Request {
        allow: allow.iter().map(|&text| text.to_owned()).collect(),
        ..including(command, include)
    }
}

/// Secrets among other files.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("/opt/app/data", "x", 0o644);
    tree.file("/opt/app/tls.pem", key(), 0o644);
    tree.file("/opt/app/.npmrc", "token", 0o644);
    tree.file("/root/.ssh/id_ed25519", "not even a key", 0o600);
    tree.file("/root/.ssh/known_hosts", "host", 0o600);
    tree.file("/root/.bash_history", "typed", 0o600);
    tree.file("/root/.bashrc", "x", 0o600);
    tree.file("/etc/machine-id", "0123456789abcdef\n", 0o444);
    tree.file("/etc/shadow", "root:$6$x:1::::::\n", 0o640);
    tree
}

fn told(refusals: &[Refusal]) -> Vec<(String, Secret, bool)> {
    let told = refusals
        .iter()
        .map(|refusal| (refusal.path.to_string(), refusal.secret, refusal.locked));
    told.collect()
}

#[test]
fn secrets_among_many_files_stay_behind_and_are_told() {
    let tree = tree();
    let plan = tree.plan(&including("static", &["/**"]));
    let secret = |path: &str, secret| (path.to_owned(), secret, false);
    assert_eq!(
        told(&plan.refusals),
        [
            secret("/etc/machine-id", Secret::MachineIdentity),
            ("/etc/shadow".to_owned(), Secret::PasswordHashes, true),
            secret("/opt/app/.npmrc", Secret::Credentials),
            secret("/opt/app/tls.pem", Secret::PrivateKey),
            secret("/root/.bash_history", Secret::History),
            secret("/root/.ssh/id_ed25519", Secret::PrivateKey),
            secret("/root/.ssh/known_hosts", Secret::PrivateKey),
        ]
    );
    for refusal in plan.refusals.iter().filter(|refusal| !refusal.locked) {
        assert!(!plan.entries.contains_key(&refusal.path), "{}", refusal.path);
        assert_eq!(refusal.reason.kind, ReasonKind::Include);
    }
    assert!(has(&plan, "/opt/app/data") && has(&plan, "/root/.bashrc") && has(&plan, "/root/.ssh"));
    assert_eq!(plan.faults(), []);
}

#[test]
fn who_names_secrets_alone_must_let_them_in() {
    let tree = tree();
    for pattern in [
        "/opt/app/tls.pem",
        "/root/.ssh",
        "/root/.ssh/**",
        "/root/.ssh/id_*",
        "/etc/shadow",
        "/opt/app/*.pem",
    ] {
        let error = tree.try_plan(&including("static", &[pattern])).expect_err(pattern);
        assert!(matches!(error, ClosureError::Refused { .. }), "{pattern}: {error}");
        assert!(!error.is_not_found());
        assert!(
            error.hint().is_some_and(|hint| hint.starts_with("--allow /")),
            "{error}"
        );

        let plan = tree.plan(&allowing("static", &[pattern], &[pattern]));
        assert_eq!(plan.refusals, [], "{pattern}");
        assert_eq!(plan.warnings, [], "{pattern}");
    }
    let plan = tree.plan(&allowing("static", &["/root/**"], &["/root/.ssh"]));
    assert!(has(&plan, "/root/.ssh/id_ed25519"));
    assert_eq!(
        told(&plan.refusals),
        [("/root/.bash_history".to_owned(), Secret::History, false)]
    );
    let Node::File { size: 18 } = tree
        .plan(&allowing("static", &["/etc/shadow"], &["/etc/shadow"]))
        .entries[&RootPath::new("/etc/shadow")]
        .node
    else {
        panic!("not the real one")
    };
}

#[test]
fn what_is_let_in_for_nothing_is_told() {
    let plan = tree().plan(&allowing(
        "static",
        &["/opt/app/data"],
        &["/opt/app/data", "/root/.ssh"],
    ));
    assert_eq!(
        warnings(&plan),
        ["/opt/app/data", "/root/.ssh"].map(|path| (WarningKind::EmptyPattern, path.to_owned()))
    );
    assert!(!has(&plan, "/root/.ssh"));
}

#[test]
fn links_do_not_lead_around_the_guard() {
    let tree = tree();
    tree.file("/etc/ok", "x", 0o644);
    tree.file("/data/hashes", "root:$6$x:1::::::\n", 0o640);
    tree.file("/data/keys/one", "plain", 0o640);
    tree.file("/data/token", "plain", 0o640);
    fs::remove_file(tree.at("/etc/shadow")).expect("a file");
    tree.link("/data/hashes", "/etc/shadow");
    fs::create_dir_all(tree.at("/home/ann")).expect("a directory");
    tree.link("/data/keys", "/home/ann/.ssh");
    tree.link("../../data/token", "/home/ann/.netrc");
    tree.link("/home/ann/.netrc", "/opt/app/harmless");
    tree.link("../../../../../../../../etc/shadow", "/opt/app/outside");
    for asked in [
        "/etc/{shadow,ok}",
        "/{opt/app/harmless,bin/static}",
        "/{opt/app/outside,bin/static}",
    ] {
        let plan = tree.plan(&including("static", &[asked]));
        assert!(!has(&plan, "/data/hashes") && !has(&plan, "/data/token"), "{asked}");
        assert_eq!(plan.refusals.len(), 1, "{asked}");
    }
    let shadow = tree.plan(&including("static", &["/etc/{shadow,ok}"]));
    let shadow = &shadow.entries[&RootPath::new("/etc/shadow")];
    assert!(matches!(&shadow.node, Node::Synthetic { contents } if contents == b"root:*:1::::::\n"));
    assert_eq!(shadow.mode, 0o640);
    let error = tree
        .try_plan(&including("static", &["/home/ann/.ssh/one"]))
        .expect_err("a secret by the way to it");
    assert!(matches!(error, ClosureError::Refused { .. }), "{error}");
}

#[test]
fn a_command_that_holds_a_key_is_not_packed() {
    let tree = tree();
    tree.file("/bin/tool", format!("#!/bin/static\n{}", key()), 0o755);
    assert!(matches!(tree.error("tool"), ClosureError::Refused { .. }));
    let also = Request {
        also: vec!["tool".into()],
        ..command_only("static")
    };
    let error = tree.try_plan(&also).expect_err("refused");
    assert!(
        error.hint().is_some_and(|hint| hint.starts_with("--allow /bin/tool")),
        "{error}"
    );
    assert!(has(&tree.plan(&allowing("tool", &[], &["/bin/tool"])), "/bin/tool"));
}

#[test]
fn a_library_that_holds_a_key_keeps_its_program_from_starting() {
    let tree = tree();
    let with_key = |elf: Vec<u8>| [elf, key().into_bytes()].concat();
    tree.file("/bin/prog", program(&["libk.so"]).build(), 0o755);
    tree.file("/lib/libk.so", with_key(library("libk.so", &[]).build()), 0o644);
    // Whose packages are not known may be the distribution's.
    assert_eq!(tree.plan(&command_only("prog")).faults(), []);
    tree.file("/opt/app/libl.so", with_key(library("libl.so", &[]).build()), 0o644);
    let refused = tree.try_plan(&including("prog", &["/opt/app/libl.so"]));
    assert!(matches!(refused, Err(ClosureError::Refused { .. })), "{refused:?}");
    tree.file("/var/lib/dpkg/status", PACKAGE, 0o644);
    let plan = tree.plan(&command_only("prog"));
    let [fault] = &plan.faults()[..] else {
        panic!("{:?}", plan.faults())
    };
    assert_eq!(
        (fault.kind, fault.path.to_string().as_str()),
        (WarningKind::Refused, "/lib/libk.so")
    );
    assert_eq!(tree.plan(&allowing("prog", &[], &["/lib/*.so"])).faults(), []);
}

#[test]
fn keys_that_everybody_has_are_none() {
    let tree = tree();
    tree.file("/usr/lib/python3.11/test/keycert.pem", key(), 0o644);
    tree.file("/usr/share/doc/x/server.key", key(), 0o644);
    tree.file("/usr/lib/packaged.py", format!("KEY = \"\"\"{}\"\"\"", key()), 0o644);
    tree.file("/usr/lib/mine.py", format!("KEY = \"\"\"{}\"\"\"", key()), 0o644);
    tree.file("/usr/lib/packaged.pem", key(), 0o644);
    tree.file("/var/lib/dpkg/status", PACKAGE, 0o644);
    tree.file(
        "/var/lib/dpkg/info/x.list",
        "/.\n/usr/lib/packaged.py\n/usr/lib/packaged.pem\n",
        0o644,
    );
    let plan = tree.plan(&including("static", &["/usr/**"]));
    let refused: Vec<String> = plan.refusals.iter().map(|refusal| refusal.path.to_string()).collect();
    assert_eq!(refused, ["/usr/lib/mine.py", "/usr/lib/packaged.pem"]);
}

#[test]
fn a_link_to_a_directory_is_no_way_around_the_names_behind_it() {
    let tree = tree();
    tree.file("/data/nm/home.nmconnection", "psk=1", 0o600);
    tree.link("/data/nm", "/etc/NetworkManager/system-connections");
    for pattern in ["/etc/NetworkManager/**", "/etc/NetworkManager/system-connections"] {
        let plan = tree.plan(&including("static", &[pattern, "/opt/app/data"]));
        assert!(
            plan.entries
                .iter()
                .all(|entry| !entry.0.as_bytes().starts_with(b"/data/nm/"))
        );
        assert_eq!(
            told(&plan.refusals),
            [("/data/nm/home.nmconnection".to_owned(), Secret::Credentials, false)]
        );
    }
}

#[test]
fn hashes_are_known_in_files_of_any_name() {
    let tree = tree();
    let hash = "$6$saltsalt$abcdefghijklmnopqrstuvwxyz";
    tree.file("/opt/app/users", format!("ann:{hash}:1::::::\n"), 0o600);
    tree.file("/opt/passwd", format!("ann:{hash}:1:1::/:/bin/sh\n"), 0o644);
    tree.link("/opt/passwd", "/etc/passwd");
    let plan = tree.plan(&including("static", &["/opt/**"]));
    let hashes = |path: &str, locked| (path.to_owned(), Secret::PasswordHashes, locked);
    let told = told(&plan.refusals);
    assert!(
        told.contains(&hashes("/opt/app/users", false)) && told.contains(&hashes("/opt/passwd", true)),
        "{told:?}"
    );
}
