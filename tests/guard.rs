//! The guard against leaks: what holds a secret is left out, listed, and comes only with `--allow`.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use support::requirement::skip;
use support::{Ended, Polecat, Scratch, roots};

/// A root file system with secrets of all sorts, and a real private key under an innocent name.
struct Case {
    scratch: Scratch,
    root: PathBuf,
}

const SECRETS: [(&str, &str, &str); 11] = [
    (
        "etc/machine-id",
        "0123456789abcdef0123456789abcdef\n",
        "machine-identity",
    ),
    ("etc/ssh/ssh_host_rsa_key", "a key", "private-key"),
    ("home/ann/.aws/credentials", "[default]\n", "credentials"),
    ("home/ann/.bash_history", "mysql -pgeheim\n", "history"),
    ("home/ann/.docker/config.json", "{}", "credentials"),
    (
        "home/ann/.git-credentials",
        "https://ann:geheim@example.org\n",
        "credentials",
    ),
    (
        "home/ann/.gnupg/private-keys-v1.d/1.key",
        "(21:protected-private-key",
        "private-key",
    ),
    ("home/ann/.ssh/known_hosts", "example.org\n", "private-key"),
    (
        "etc/shadow.bak",
        "root:$6$saltsalt$abcdefghijklmnopqrstuvwxyz:1:0:::::\n",
        "password-hashes",
    ),
    (
        "srv/www/users",
        "ann:$apr1$saltsalt$abcdefghijklmnopqrstuv\n",
        "password-hashes",
    ),
    ("root/.kube/config", "users:\n", "credentials"),
];

impl Case {
    fn new() -> Self {
        let scratch = Scratch::new();
        let root = roots::busybox(&scratch);
        for (path, contents, _) in SECRETS {
            let _file = scratch.file(&format!("busybox/{path}"), contents);
        }
        let _hashes = scratch.file("busybox/etc/shadow", "root:$6$salt$hash:1:0:::::\nann:!:1::::::\n");
        let _plain = scratch.file("busybox/opt/app/settings", "plain\n");
        let polecat = Polecat::new(&scratch);
        let key = scratch.directory("busybox/opt/app").join("settings.bak");
        let _made = polecat
            .run(["key".as_ref(), "generate".as_ref(), "--out".as_ref(), key.as_os_str()])
            .success();
        Self { scratch, root }
    }

    /// Packs with these options; busybox names `/etc/shadow` itself, which is not followed.
    fn pack(&self, options: &[&str], json: bool) -> Ended {
        let output = self.output();
        let mut words: Vec<&OsStr> = ["pack", "--no-evidence", "paths", "-o"].map(OsStr::new).to_vec();
        words.push(output.as_os_str());
        words.extend(options.iter().map(OsStr::new));
        words.extend(json.then_some(OsStr::new("--json")));
        words.extend([self.root.as_os_str(), "busybox".as_ref(), "true".as_ref()]);
        Polecat::new(&self.scratch).run(words)
    }

    fn output(&self) -> PathBuf {
        self.scratch.join("out.run")
    }

    /// A directory is only written where none is, or an empty one.
    fn remove_output(&self) {
        let output = self.output();
        let removed = match output.is_dir() {
            true => fs::remove_dir_all(&output),
            false => fs::remove_file(&output),
        };
        removed.expect("what was packed");
    }

    /// The bundle's files, unpacked.
    fn extracted(&self) -> PathBuf {
        let (output, directory) = (self.output(), self.scratch.join("extracted"));
        drop(fs::remove_dir_all(&directory));
        let words = [
            "extract".as_ref(),
            "-q".as_ref(),
            output.as_os_str(),
            directory.as_os_str(),
        ];
        let _quiet = Polecat::new(&self.scratch).run(words).success();
        directory
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[test]
fn secrets_stay_behind_and_each_is_listed() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let report = case.pack(&["--include", "/**"], true).success().json();
    let refused: Vec<(&str, &str, bool)> = report["refusals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|refusal| {
            assert_eq!(refusal["reason"]["kind"], "include");
            let word = |key: &str| refusal[key].as_str().expect("a word");
            (
                word("path"),
                word("secret"),
                refusal["locked"].as_bool().expect("a boolean"),
            )
        })
        .collect();
    let mut expected: Vec<(String, &str, bool)> = SECRETS
        .iter()
        .map(|(path, _, secret)| (format!("/{path}"), *secret, false))
        .collect();
    expected.push(("/etc/shadow".to_owned(), "password-hashes", true));
    expected.push(("/opt/app/settings.bak".to_owned(), "private-key", false));
    expected.sort();
    let refused_paths: Vec<(String, &str, bool)> = refused
        .into_iter()
        .map(|(path, secret, locked)| (path.to_owned(), secret, locked))
        .collect();
    assert_eq!(refused_paths, expected);

    let extracted = case.extracted();
    for (path, _, locked) in &expected {
        assert_eq!(exists(&extracted.join(&path[1..])), *locked, "{path}");
    }
    assert_eq!(
        fs::read_to_string(extracted.join("etc/shadow")).expect("there"),
        "root:*:1:0:::::\nann:!:1::::::\n"
    );
    assert!(exists(&extracted.join("opt/app/settings")) && exists(&extracted.join("opt/app/settings.bak.pub")));
}

#[test]
fn refusals_are_the_last_lines_of_packing_and_planning() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let line = "refused: /opt/app/settings.bak: it holds a private key: left out  (--include: /opt/**)";
    let packed = case.pack(&["--include", "/opt/**"], false).success();
    let lines = packed.err();
    let lines: Vec<&str> = lines.lines().collect();
    let expected = [
        format!("polecat: {line}"),
        "polecat: 1 secret kept out; --allow PATH lets one in".to_owned(),
    ];
    assert_eq!(lines[lines.len() - 2..], expected, "{packed}");
    let quiet = case.pack(&["-q", "--include", "/opt/**"], false).success();
    assert!(quiet.err().contains(line) && quiet.out().is_empty(), "{quiet}");
    let words = ["plan", "--no-evidence", "paths", "--include", "/opt/**"]
        .map(OsStr::new)
        .into_iter();
    let planned = Polecat::new(&case.scratch)
        .run(words.chain([case.root.as_os_str(), "busybox".as_ref()]))
        .success();
    assert!(planned.out().ends_with(&format!("{line}\n")), "{planned}");
}

#[test]
fn refusals_are_told_in_every_format() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    for format in ["squashfs", "tgz", "dir"] {
        let options = ["--format", format, "--include", "/opt/**"];
        let packed = case.pack(&options, false).success();
        let last = "polecat: 1 secret kept out; --allow PATH lets one in\n";
        assert!(packed.err().ends_with(last), "{format}: {packed}");
        case.remove_output();
        let report = case.pack(&options, true).success().json();
        assert_eq!(
            report["refusals"][0]["path"], "/opt/app/settings.bak",
            "{format}: {report}"
        );
        case.remove_output();
    }
}

#[test]
fn who_asks_for_a_secret_by_name_is_told_how_to_get_it() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    for pattern in [
        "/opt/app/settings.bak",
        "/home/ann/.ssh",
        "/home/ann/.ssh/*",
        "/etc/shadow",
    ] {
        let ended = case.pack(&["--include", pattern], false).exits(1);
        assert!(
            ended.err().contains("refused: it holds") && ended.err().contains("(try: --allow /"),
            "{ended}"
        );
        assert!(!exists(&case.output()), "{pattern}");

        let ended = case.pack(&["--include", pattern, "--allow", pattern], false).success();
        assert!(
            !ended.err().contains("refused") && !ended.err().contains("warning"),
            "{ended}"
        );
        fs::remove_file(case.output()).expect("a bundle");
    }
    let _packed = case
        .pack(
            &[
                "--include",
                "/{opt,etc,home}",
                "--allow",
                "/etc/shadow",
                "--allow",
                "/opt",
            ],
            false,
        )
        .success();
    let extracted = case.extracted();
    let real = |path: &str| fs::read(extracted.join(path)).ok() == fs::read(case.root.join(path)).ok();
    assert!(real("etc/shadow") && real("opt/app/settings.bak") && !exists(&extracted.join("home/ann/.bash_history")));
}

#[test]
fn an_allowance_for_nothing_is_told_and_no_pattern_is_refused() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let ended = case.pack(&["--allow", "/home/ann/.ssh/id_rsa"], false).success();
    assert!(
        ended
            .err()
            .contains("/home/ann/.ssh/id_rsa: nothing that is refused matches this --allow"),
        "{ended}"
    );
    let _usage = case.pack(&["--allow", "not/absolute"], false).exits(2);
}

#[test]
fn nothing_outside_the_root_file_system_comes() {
    if skip(&roots::BUSYBOX_NEEDS) {
        return;
    }
    let case = Case::new();
    let outside = case.scratch.file("outside", "hidden treasure of nobody");
    for (target, link) in [
        ("../../../outside".into(), "up"),
        (outside.display().to_string(), "absolute"),
    ] {
        symlink(target, case.root.join("opt/app").join(link)).expect("a link");
    }
    let up = format!("/../../../../../../../..{}", outside.display());
    let ended = case.pack(
        &[
            "--include",
            "/opt/app/{up,absolute,settings}",
            "--include",
            &up,
            "--allow",
            "/**",
        ],
        false,
    );
    let ended = ended.success();
    assert!(
        ended.err().contains("nothing in the root file system matches"),
        "{ended}"
    );
    let extracted = case.extracted();
    assert!(extracted.join("opt/app/up").is_symlink() && extracted.join("opt/app/absolute").is_symlink());
    let bytes = fs::read(case.output()).expect("a bundle");
    assert!(!bytes.windows(15).any(|window| window == b"hidden treasure"));
}
