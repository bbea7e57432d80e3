//! What was missed brings into a plan.

use super::*;
use crate::trace::Misses;

fn missed(paths: &[&str], uncertain: &[&str]) -> Request {
    let bytes = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec()).collect();
    Request {
        misses: vec![Misses {
            file: "a.misses".into(),
            paths: bytes(paths),
            uncertain: bytes(uncertain),
        }],
        ..command_only("static")
    }
}

fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("/opt/tool", program(&["libt.so"]).build(), 0o755);
    tree.file("/lib/libt.so", library("libt.so", &[]).build(), 0o644);
    tree.file("/opt/script", "#!/opt/interpreter\n", 0o755);
    tree.file("/opt/interpreter", static_program().build(), 0o755);
    tree.file(
        "/opt/app/deep/plugin.so",
        library("plugin.so", &["libp.so"]).build(),
        0o644,
    );
    tree.file("/lib/libp.so", library("libp.so", &[]).build(), 0o644);
    tree.file("/usr/share/fonts/one/a.ttf", "x", 0o644);
    tree.file("/usr/share/fonts/list", "x", 0o644);
    tree.file("/etc/ssh/ssh_host_rsa_key", "root:hash", 0o600);
    tree.link("app", "/opt/linked");
    tree.link("/etc/ssh/ssh_host_rsa_key", "/opt/hidden");
    tree
}

#[test]
fn each_path_brings_what_it_is_good_for() {
    /// What was missed, what was perhaps, what is in the plan by it, what is not, and how many warnings there are.
    type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str], &'a [&'a str], usize);
    let cases: [Case<'_>; 9] = [
        (
            &["/opt/tool"],
            &[],
            &["/opt/tool", LOADER, "/lib/libt.so"],
            &["/opt/script"],
            0,
        ),
        (&["/opt/script"], &[], &["/opt/script", "/opt/interpreter"], &[], 0),
        (
            &["/opt/linked"],
            &[],
            &["/opt/linked", "/opt/app/deep/plugin.so", "/lib/libp.so"],
            &[],
            0,
        ),
        (
            &[],
            &["/opt/linked/deep"],
            &["/opt/linked", "/opt/app/deep/plugin.so"],
            &[],
            0,
        ),
        // Shared by many, and the whole system's.
        (
            &["/usr/share/fonts"],
            &[],
            &["/usr/share/fonts/list", "/usr/share/fonts/one"],
            &["/usr/share/fonts/one/a.ttf"],
            0,
        ),
        (&["/usr/share"], &[], &["/usr/share"], &["/usr/share/fonts"], 0),
        (
            &["/opt/gone", "/opt/tool/x"],
            &["/opt/gone/too"],
            &[],
            &["/opt/gone"],
            2,
        ),
        (
            &["/etc/ssh/ssh_host_rsa_key", "/opt/hidden"],
            &[],
            &[],
            &["/etc/ssh/ssh_host_rsa_key"],
            1,
        ),
        (&["/../../opt/tool"], &[], &["/opt/tool"], &[], 0),
    ];
    let tree = tree();
    for (paths, uncertain, there, not_there, count) in cases {
        let plan = tree.plan(&missed(paths, uncertain));
        for path in there {
            assert!(has(&plan, path), "{paths:?} {uncertain:?}: no {path}");
        }
        for path in not_there {
            assert!(!has(&plan, path), "{paths:?} {uncertain:?}: {path}");
        }
        let told = warnings(&plan);
        let gone = told.iter().filter(|(kind, _)| *kind == WarningKind::Gone);
        assert_eq!(
            gone.count() + plan.refusals.len(),
            count,
            "{paths:?}: {:?}",
            plan.warnings
        );
    }
    let plan = tree.plan(&missed(&["/opt/tool"], &[]));
    let reason = &plan.entries[&RootPath::new("/opt/tool")].reason;
    assert_eq!((reason.kind, reason.detail.as_str()), (ReasonKind::Missed, "a.misses"));
}

#[test]
fn what_was_missed_and_is_excluded_is_left_out_as_meant() {
    let request = Request {
        exclude: vec!["/opt/script".to_owned()],
        ..missed(&["/opt/script", "/opt/tool"], &[])
    };
    let plan = tree().plan(&request);
    assert!(!has(&plan, "/opt/script") && has(&plan, "/opt/tool"));
    assert_eq!(warnings(&plan), []);
}
