//! `--status`, `--status-fd` and `--require`.

use crate::{
    Bundle, Command, NEEDS, Place, Polecat, Scratch, Value, everywhere, exec, fs, line, pack, root, skip, text,
};

const LAYERS: [&str; 17] = [
    "user",
    "mount",
    "pid",
    "ipc",
    "uts",
    "net",
    "cgroup",
    "time",
    "memory",
    "cpus",
    "pids",
    "root",
    "capabilities",
    "no_new_privs",
    "rlimits",
    "landlock",
    "seccomp",
];

/// Name, degree and reason of each line.
fn told(text: &str) -> Vec<(String, String, String)> {
    let parts = |line: &str| {
        let mut parts = line
            .strip_prefix("polecat: status: ")?
            .splitn(3, ": ")
            .map(str::to_owned);
        Some((parts.next()?, parts.next()?, parts.next()?))
    };
    text.lines()
        .map(|line| parts(line).unwrap_or_else(|| panic!("{line:?} in {text}")))
        .collect()
}

fn degree<'told>(told: &'told [(String, String, String)], layer: &str) -> &'told str {
    let found = told.iter().find(|(name, ..)| name == layer);
    found.map_or("", |(_, degree, _)| degree)
}

#[test]
fn a_line_for_each_layer_before_the_program() {
    everywhere(|place, bundle| {
        let ended = line(bundle, place, &["--polecat-status"], "echo started >&2").success();
        let said = ended.err();
        let (status, rest) = said.split_once("started").expect("the program's line");
        assert_eq!(rest, "\n");
        let told = told(status);
        assert_eq!(
            told.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(),
            LAYERS,
            "{place}"
        );
        let user = if place.is_user() { "full" } else { "none" };
        for (layer, expected) in [
            ("user", user),
            ("mount", "full"),
            ("uts", "full"),
            ("cgroup", "none"),
            ("root", "full"),
            ("capabilities", "full"),
            ("no_new_privs", "full"),
            ("rlimits", "none"),
            ("seccomp", "full"),
        ] {
            assert_eq!(degree(&told, layer), expected, "{place}: {layer}: {said}");
        }
        assert!(
            said.contains(&format!("root: full: {}\n", place.rung())),
            "{place}: {said}"
        );
        let ended = line(bundle, place, &["--polecat-status", "--polecat-seccomp=none"], "true").success();
        assert!(
            ended.err().contains("seccomp: none: switched off\n"),
            "{place}: {ended}"
        );
        let silent = line(bundle, place, &[], "true").success();
        assert_eq!(silent.err(), "", "{place}");
    });
}

/// What the lines say must be so.
#[test]
fn namespaces_that_are_full_are_others_than_the_callers() {
    everywhere(|place, bundle| {
        let script = "for name in user mnt pid ipc uts net cgroup; do busybox readlink /proc/self/ns/$name; done";
        let ended = line(bundle, place, &["--polecat-status"], script).success();
        let told = told(&ended.err());
        let out = ended.out();
        for (layer, link) in ["user", "mount", "pid", "ipc", "uts", "net", "cgroup"]
            .iter()
            .zip(out.lines())
        {
            let (name, _) = link.split_once(':').expect("a link");
            let ours = fs::read_link(format!("/proc/self/ns/{name}")).expect("a link");
            let own = ours != std::path::Path::new(link);
            assert_eq!(degree(&told, layer) != "none", own, "{place}: {layer}");
        }
    });
}

/// Starts it with descriptor 7 open on a file of the caller's.
fn with_descriptor(bundle: &Bundle, place: Place, arguments: &[&str]) -> (exec::Ended, String) {
    let report = bundle.work().join("report");
    fs::write(&report, "").expect("a file");
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    fs::set_permissions(&report, open).expect("its mode");
    let script = format!("exec \"$@\" 7>{}", text(&report));
    let mut command = bundle.start_behind(place, &["sh", "-c", &script, "sh"]);
    let ended = exec::run(command.args(arguments));
    (ended, fs::read_to_string(&report).expect("the report"))
}

#[test]
fn one_object_to_a_descriptor_that_the_program_has_not() {
    everywhere(|place, bundle| {
        let look = "exec 9>&7 || echo closed";
        let arguments = ["--polecat-status-fd", "7", "--polecat-rlimit=nofile=99", "-c", look];
        let (ended, report) = with_descriptor(bundle, place, &arguments);
        assert!(
            ended.err().contains("7"),
            "{place}: the shell has no descriptor 7: {ended}"
        );
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {report}"));
        let object = report.as_object().expect("an object");
        assert_eq!(object.keys().len(), LAYERS.len());
        for layer in LAYERS {
            let degree = object[layer]["degree"].as_str().expect("a degree");
            assert!(["full", "partial", "none"].contains(&degree), "{layer}");
            assert!(
                object[layer]["reason"]
                    .as_str()
                    .is_some_and(|reason| !reason.is_empty()),
                "{layer}"
            );
        }
        assert_eq!(object["rlimits"]["reason"], "nofile=99:99", "{place}");
        // Without the option it is the program's.
        let (ended, report) = with_descriptor(bundle, place, &["-c", "echo mine >&7"]);
        assert_eq!((ended.code(), report.as_str()), (Some(0), "mine\n"), "{place}: {ended}");
    });
}

#[test]
fn a_descriptor_that_is_not_there() {
    everywhere(|place, bundle| {
        let ended = line(bundle, place, &["--polecat-status-fd=7"], "echo started").exits(125);
        assert!(ended.err().contains("descriptor 7: Bad file"), "{place}: {ended}");
        for number in ["1", "-1", "x", ""] {
            let option = format!("--polecat-status-fd={number}");
            let ended = line(bundle, place, &[&option], "echo started").exits(125);
            assert!(
                ended.err().contains("above 2") && ended.out().is_empty(),
                "{place}: {ended}"
            );
        }
    });
}

#[test]
fn what_is_required_and_missing_stops_the_start() {
    everywhere(|place, bundle| {
        let _held = line(bundle, place, &["--polecat-require=seccomp,mount,root"], "true").success();
        for (options, told) in [
            (
                &["--polecat-require=seccomp,cgroup"][..],
                "cgroup is required in full and is none: the caller's",
            ),
            (
                &["--polecat-require=seccomp", "--polecat-seccomp=none"],
                "seccomp is required in full and is none: switched off",
            ),
            (
                &["--polecat-require=rlimits"],
                "rlimits is required in full and is none: not asked for",
            ),
            (&["--polecat-require=cgroups"], "expected layers"),
        ] {
            let ended = line(bundle, place, options, "echo started").exits(125);
            assert_eq!(ended.out(), "", "{place}: {ended}");
            assert!(ended.err().contains(told), "{place}: {ended}");
        }
        let user = line(bundle, place, &["--polecat-require=user"], "true").code();
        assert_eq!(user, Some(if place.is_user() { 0 } else { 125 }), "{place}");
    });
}

#[test]
fn packed_requirements() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = pack(&["--require", "seccomp,no_new_privs"]);
    for place in Place::BOTH_USERS {
        if skip(place.needs()) {
            continue;
        }
        let _held = line(&bundle, place, &[], "true").success();
        let ended = line(&bundle, place, &["--polecat-seccomp=none"], "true").exits(125);
        assert!(ended.err().contains("seccomp is required"), "{place}: {ended}");
    }
}

#[test]
fn a_directory_says_it_too() {
    if skip(&NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = root(&scratch);
    let polecat = Polecat::new(&scratch);
    let ended = polecat
        .run(["run", "--status", "--cap-drop", "all", text(&root), "busybox", "true"])
        .success();
    assert!(
        ended.err().contains("polecat: status: root: full: directory\n"),
        "{ended}"
    );
    assert!(ended.err().contains("capabilities: full: none\n"), "{ended}");
    let ended = polecat
        .run(["run", "--require=time", text(&root), "busybox", "true"])
        .exits(125);
    assert!(ended.err().contains("time is required"), "{ended}");
    let mut command = Command::new("sh");
    let script = "exec \"$0\" run --status-fd 7 \"$1\" busybox true 7>&1";
    command.args(["-c", script]).arg(Polecat::executable()).arg(&root);
    let ended = exec::run(&mut command).success();
    assert_eq!(ended.json()["seccomp"]["degree"], "full", "{ended}");
}
