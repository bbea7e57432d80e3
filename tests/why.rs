//! Why a path is in a bundle.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use support::bundle::{Shared, debian};
use support::requirement::skip;
use support::{Bundle, Ended, Need, Place, Polecat, exec, roots};

const NEEDS: [Need; 2] = [Need::Polecat, Need::Rootfs];

static BUNDLE: Shared = Shared::new(|| Bundle::debian(&["--also", "sh", "--include", "/etc/apt/apt.conf.d"], &["top"]));

fn why(file: &Path, rest: &[&str]) -> Ended {
    let bundle = BUNDLE.get();
    let polecat = Polecat::new(bundle.scratch());
    let words = ["why".as_ref(), file.as_os_str()];
    polecat.run(words.into_iter().chain(rest.iter().map(OsStr::new)))
}

#[test]
fn chains_lead_from_the_command_to_the_path() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = BUNDLE.get();
    for (path, expected) in [
        ("/usr/bin/top", &["/usr/bin/top: command: top"][..]),
        (
            "/etc/apt/apt.conf.d",
            &["/etc/apt/apt.conf.d: --include: /etc/apt/apt.conf.d"],
        ),
        ("/etc/passwd", &["/etc/passwd: base set: the /etc skeleton"]),
    ] {
        let told = why(bundle.path(), &[path]).success().out();
        assert_eq!(told.lines().collect::<Vec<_>>(), expected, "{path}");
    }
    let told = why(bundle.path(), &["/lib64/ld-linux-x86-64.so.2"]).success().out();
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].ends_with(" is a link to usr/lib64") || lines[0].ends_with(" is a link to usr/lib"),
        "{told}"
    );
    assert!(lines.contains(&"/usr/bin/top: command: top"), "{told}");
    assert!(
        told.contains("interpreter of /usr/bin/top: /lib64/ld-linux-x86-64.so.2\n"),
        "{told}"
    );
}

#[test]
fn a_library_of_a_library_has_a_chain_through_it() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = BUNDLE.get();
    let listing = Polecat::new(bundle.scratch());
    let root = debian();
    let plan = listing.run(["plan".as_ref(), "--json".as_ref(), root.as_os_str(), "top".as_ref()]);
    let plan = plan.success().json();
    // Each library's reason names the one that needs it, up to the program: the bundle tells the same.
    let entries = plan["entries"].as_object().expect("entries");
    let needed = entries.iter().filter(|(_, entry)| entry["reason"]["kind"] == "needed");
    let mut deep = 0;
    for (path, entry) in needed {
        let told = why(bundle.path(), &["--json", path]).success().json();
        let chain = told["chains"].as_array().expect("chains").last().expect("one");
        let steps = chain["steps"].as_array().expect("steps");
        assert_eq!(steps[0]["path"], "/usr/bin/top", "{path}");
        assert_eq!(steps[0]["kind"], "command", "{path}");
        let step = steps
            .iter()
            .find(|step| step["path"] == path.as_str())
            .expect("the path itself");
        assert_eq!(
            (&step["by"], &step["detail"]),
            (&entry["reason"]["by"], &entry["reason"]["detail"]),
            "{path}"
        );
        for pair in steps.windows(2) {
            assert_eq!(pair[1]["by"], pair[0]["path"], "{path}");
        }
        deep += usize::from(steps.iter().filter(|step| step["kind"] == "needed").count() > 1);
    }
    assert!(deep > 0, "top's libraries need libraries");
}

#[test]
fn links_are_followed_and_told() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = BUNDLE.get();
    let told = why(bundle.path(), &["bin/sh"]).success().out();
    let expected = "/bin is a link to usr/bin\n/usr/bin/sh is a link to dash\n\
        /usr/bin/sh: --also: sh\n/usr/bin/dash: where the link /usr/bin/sh leads\n";
    assert_eq!(told, expected);
    let json = why(bundle.path(), &["/bin/sh", "--json"]).success().json();
    assert_eq!(json["leadsTo"], "/usr/bin/dash");
    assert_eq!(json["links"][1]["path"], "/usr/bin/sh");
    assert_eq!(json["chains"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_not_there_is_told_with_what_may_have_been_meant() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = BUNDLE.get();
    let ended = why(bundle.path(), &["/bin/topp"]).exits(5);
    assert!(
        ended
            .err()
            .contains("/usr/bin/topp is not in the bundle (try: /usr/bin/top)"),
        "{ended}"
    );
    let ended = why(bundle.path(), &["/opt/ld-linux-x86-64.so.2"]).exits(5);
    assert!(
        ended.err().contains("ld-linux-x86-64.so.2)") || ended.err().contains("ld-linux-x86-64.so.2,"),
        "{ended}"
    );
    let ended = why(bundle.path(), &["/no/such/thing/at-all", "--json"]).exits(5);
    assert_eq!(ended.json()["inBundle"], false);
}

#[test]
fn a_link_that_leads_nowhere_is_explained_all_the_same() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let scratch = support::Scratch::new();
    let root = roots::busybox(&scratch);
    std::os::unix::fs::symlink("/no/where", root.join("bin/out")).expect("a link");
    let bundle = Bundle::pack(&["--include", "/bin/out"], &root, &["busybox", "true"]);
    let ended = why(bundle.path(), &["/bin/out"]).exits(5);
    assert_eq!(
        ended.out(),
        "/bin/out is a link to /no/where\n/bin/out: --include: /bin/out\n"
    );
    assert!(
        ended
            .err()
            .contains("/bin/out leads to /no/where, which is not in the bundle"),
        "{ended}"
    );
}

#[test]
fn a_bundle_without_reasons_says_what_to_do() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let scratch = support::Scratch::new();
    let root = roots::busybox(&scratch);
    let bundle = Bundle::pack(&["--no-reasons"], &root, &["busybox", "true"]);
    let ended = why(bundle.path(), &["/bin/busybox"]).exits(1);
    assert!(
        ended.err().contains("it does not say why") && ended.err().contains("(try: polecat plan"),
        "{ended}"
    );
    let _absent = why(bundle.path(), &["/bin/nothing"]).exits(5);
    let polecat = Polecat::new(&scratch);
    let inspected = polecat
        .run(["inspect".as_ref(), "--json".as_ref(), bundle.path().as_os_str()])
        .success()
        .json();
    assert!(inspected["manifest"].get("reasons").is_none(), "{inspected}");
}

#[test]
fn changed_reasons_are_found_and_the_program_runs_all_the_same() {
    if skip(&NEEDS) {
        return;
    }
    let bundle = Bundle::debian(&["--closure", "elf"], &["true"]);
    let polecat = Polecat::new(bundle.scratch());
    let inspected = polecat
        .run(["inspect".as_ref(), "--json".as_ref(), bundle.path().as_os_str()])
        .success()
        .json();
    let offset = inspected["manifest"]["reasons"]["offset"].as_u64().expect("an offset");
    let length = inspected["manifest"]["reasons"]["length"].as_u64().expect("a length");
    assert!(
        length * 100 < inspected["manifest"]["image"]["length"].as_u64().expect("a length"),
        "small beside the image"
    );
    let mut bytes = fs::read(bundle.path()).expect("a bundle");
    let at = usize::try_from(offset + length / 2).expect("small");
    bytes[at] ^= 1;
    exec::write(bundle.path(), &bytes);
    for words in [&["why", "/etc/passwd"][..], &["verify"]] {
        let (verb, rest) = words.split_first().expect("a verb");
        let arguments = [verb.as_ref(), bundle.path().as_os_str()];
        let ended = polecat
            .run(arguments.into_iter().chain(rest.iter().map(OsStr::new)))
            .exits(3);
        assert!(
            ended
                .err()
                .contains("reasons: the list in the bundle is not what was signed"),
            "{ended}"
        );
    }
    for place in Place::ALL {
        if !skip(place.needs()) {
            let _ended = bundle.run(place, [""; 0]).success();
        }
    }
}

#[test]
fn the_golden_bundle_tells_its_reasons() {
    if skip(&[Need::Polecat]) {
        return;
    }
    let scratch = support::Scratch::new();
    let golden = roots::fixtures().join("golden/v1/reasons.bundle");
    let told = Polecat::new(&scratch)
        .run(["why".as_ref(), golden.as_os_str(), "/bin".as_ref()])
        .success();
    assert_eq!(
        told.out(),
        "/bin/hello: command: hello\n/bin: directory on the way to /bin/hello\n"
    );
}
