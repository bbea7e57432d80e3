//! The command line, through the real executable: what is printed, where, and with which status.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use polecat::stubs::{Stub, embedded};
use serde_json::Value;
use tempfile::TempDir;

use common::{chmod, noise, put, skip_without_root, succeed};

/// A directory to work in, with a root file system in `root` and a home.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(TempDir::new().expect("a directory"));
        let stub = Stub::choose(embedded().architecture, None).expect("embedded");
        // A static executable: it needs nothing, and its closure is itself.
        put(&desk.path("root"), "usr/bin/program", stub.bytes());
        chmod(&desk.path("root/usr/bin/program"), 0o755);
        put(&desk.path("root"), "usr/share/program/data", &noise(1, 50_000));
        fs::create_dir(desk.path("home")).expect("a directory");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_polecat"));
        command
            .args(line.split(' ').filter(|word| !word.is_empty()))
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .stdin(Stdio::null());
        command
    }

    /// Runs polecat with these words.
    fn run(&self, line: &str) -> Ended {
        Ended::new(line, self.command(line).output().expect("polecat starts"))
    }

    /// Packs the program to `program.run`.
    fn pack(&self) -> PathBuf {
        self.run("--level 1 root program").exits(0);
        self.path("program.run")
    }

    /// Changes one byte of a file.
    fn damage(&self, name: &str, offset: usize) {
        let mut bytes = fs::read(self.path(name)).expect("there");
        bytes[offset] ^= 1;
        fs::write(self.path(name), bytes).expect("room");
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a directory");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("a name").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// How polecat ended.
#[derive(Debug)]
struct Ended {
    line: String,
    status: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn new(line: &str, output: Output) -> Self {
        Self {
            line: line.to_owned(),
            status: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}: {self:?}", self.line);
        self
    }

    /// One line on standard error, in the common form, that says this, and nothing on standard output.
    fn complains(&self, what: &str) {
        assert!(self.err.starts_with("polecat: "), "{self:?}");
        assert!(self.err.ends_with('\n') && self.err.lines().count() == 1, "{self:?}");
        assert!(self.err.contains(what), "no {what:?} in {self:?}");
        assert_eq!(self.out, "", "{self:?}");
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[test]
fn the_first_pack_makes_a_key_and_says_so() {
    let desk = Desk::new();
    let first = desk.run("root program -x").exits(0);
    assert_eq!(first.err.lines().count(), 1, "{first:?}");
    let key = fs::metadata(desk.path("home/.config/polecat/signing.key")).expect("made");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let id = first.err.split("key id ").nth(1).expect("announced")[..16].to_owned();
    let lines: Vec<&str> = first.out.lines().collect();
    assert!(
        lines[0].starts_with("program.run: ") && lines[0].contains(" packed into "),
        "{first:?}"
    );
    assert_eq!(
        lines[1..],
        [format!("signed by key {id}").as_str(), "run it: ./program.run"]
    );
    let mode = fs::metadata(desk.path("program.run"))
        .expect("packed")
        .permissions()
        .mode();
    assert_eq!(mode & 0o700, 0o700);

    let second = desk.run("pack -q root program").exits(0);
    assert_eq!((second.out.as_str(), second.err.as_str()), ("", ""));
    assert_eq!(desk.names(), ["home", "program.run", "root"]);
}

#[test]
fn a_pack_reports_as_json() {
    let desk = Desk::new();
    let report = desk
        .run("--json -o out.run --include /usr/share/** root program")
        .exits(0)
        .json();
    assert_eq!(report["output"], "out.run");
    assert_eq!(report["entry"], "/usr/bin/program");
    assert_eq!(report["architecture"], embedded().architecture);
    let plan = desk
        .run("plan --json --include /usr/share/** root program")
        .exits(0)
        .json();
    assert_eq!(report["files"], plan["totals"]["files"]);
    assert_eq!(report["unpackedSize"], plan["totals"]["bytes"]);
    assert_eq!(report["keyCreated"], true);
    let length = fs::metadata(desk.path("out.run")).expect("packed").len();
    assert_eq!(report["fileLength"], length);
    assert_eq!(report["warnings"], Value::Array(Vec::new()));
}

#[test]
fn a_working_directory_is_stored_plainly_and_looked_for() {
    let desk = Desk::new();
    let packed = desk.run("-q --workdir /usr//share/program/ root program").exits(0);
    assert!(
        packed.err.contains("warning: /usr/share/program: is not packed"),
        "{packed:?}"
    );
    let report = desk.run("inspect --json program.run").exits(0).json();
    assert_eq!(report["manifest"]["process"]["cwd"], "/usr/share/program");
    let packed = desk
        .run("-q --workdir /usr/share/program --include /usr/share/program root program")
        .exits(0);
    assert_eq!(packed.err, "");
    let plan = desk.run("plan --workdir /no/such root program").exits(0);
    assert!(plan.out.contains("warning: /no/such: "), "{plan:?}");
}

#[test]
fn two_packs_are_the_same_file() {
    let desk = Desk::new();
    desk.run("-o one root program").exits(0);
    desk.run("-o two root program").exits(0);
    assert!(fs::read(desk.path("one")).expect("packed") == fs::read(desk.path("two")).expect("packed"));
}

#[test]
fn a_plan_names_reasons_and_writes_nothing() {
    let desk = Desk::new();
    let plan = desk.run("plan --include /usr/share/program/* root program -x").exits(0);
    let line = |path: &str| plan.out.lines().find(|line| line.contains(path)).map(str::to_owned);
    assert!(
        line(" /usr/bin/program ").is_some_and(|line| line.starts_with("-0755 ")),
        "{plan:?}"
    );
    assert!(
        line(" /usr/bin/program ").is_some_and(|line| line.ends_with("(command: program)")),
        "{plan:?}"
    );
    assert!(
        line(" /usr/share/program/data ").is_some_and(|line| line.contains("--include")),
        "{plan:?}"
    );
    assert!(plan.out.contains("starts /usr/bin/program on"), "{plan:?}");
    assert_eq!(desk.names(), ["home", "root"]);
    assert!(!desk.path("home/.config").exists(), "no key is made for a plan");

    let json = desk.run("plan --json root program").exits(0).json();
    assert_eq!(json["entries"]["/usr/bin/program"]["reason"]["kind"], "command");
    let entries = json["entries"].as_object().expect("entries").values();
    let files = entries
        .filter(|entry| ["file", "synthetic"].iter().any(|kind| entry["node"]["type"] == *kind))
        .count();
    assert_eq!(json["totals"]["files"], files);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let desk = Desk::new();
    desk.pack();
    for line in [
        "plan --include /** root program",
        "inspect --json program.run",
        "--help",
        "verify program.run",
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ended = desk.command(line).stdout(writer).output().expect("polecat starts");
        assert_eq!(ended.status.code(), Some(0), "{line}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{line}");
    }
}

#[test]
fn verify_tells_what_was_signed_by_whom() {
    let desk = Desk::new();
    desk.pack();
    let valid = desk.run("verify program.run").exits(0);
    for check in ["layout", "signatures", "manifest", "stub", "image", "trust"] {
        assert!(valid.out.contains(&format!("{check:<10} ok: ")), "{check}: {valid:?}");
    }
    assert!(valid.out.ends_with("program.run: valid\n"), "{valid:?}");
    for line in [
        "verify -q program.run",
        "-q verify program.run",
        "--quiet verify program.run",
    ] {
        assert_eq!(desk.run(line).exits(0).out, "", "{line}");
    }

    // For somebody else the key is a stranger's.
    let stranger = desk.path("stranger");
    fs::create_dir(&stranger).expect("a directory");
    let verify = |line: &str| {
        let output = desk
            .command(line)
            .env("HOME", &stranger)
            .output()
            .expect("polecat starts");
        Ended::new(line, output)
    };
    let key = "home/.config/polecat/signing.key.pub";
    verify("verify -q program.run")
        .exits(4)
        .complains("signed by nobody you trust: key ");
    verify(&format!("verify --key {key} program.run")).exits(0);
    let json = verify("verify --json program.run").exits(4).json();
    assert_eq!(
        (&json["verdict"], &json["signers"][0]["trusted"]),
        (&"untrusted".into(), &false.into())
    );

    // As the hint says.
    let trusted = stranger.join(".config/polecat/trusted.d");
    fs::create_dir_all(&trusted).expect("a directory");
    let pem = verify("key show --pem program.run").exits(0).out;
    fs::write(trusted.join("friend.pem"), pem).expect("room");
    verify("verify program.run").exits(0);

    desk.run("key generate -o other.key").exits(0);
    let other = verify("verify -q --key other.key.pub program.run").exits(4);
    other.complains("signed by none of the keys asked for");
}

#[test]
fn a_bundle_that_is_not_what_was_signed_is_refused() {
    let desk = Desk::new();
    let bytes = fs::read(desk.pack()).expect("packed");
    let report = desk.run("inspect --json program.run").exits(0).json();
    let number = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    let offset_of = |kind: &str| {
        let sections = report["sections"].as_array().expect("sections");
        let section = sections
            .iter()
            .find(|section| section["kind"].as_str().is_some_and(|name| name.contains(kind)));
        number(&section.expect(kind)["offset"])
    };
    let cases = [
        (100, "not a polecat bundle"),
        (
            number(&report["manifest"]["stub"]["length"]) / 2,
            "the executable at the front",
        ),
        (number(&report["superblockOffset"]) + 2000, "damaged"),
        (offset_of("manifest") + 3, "checksum"),
        (offset_of("signature") + 60, "checksum"),
        (offset_of("image") + 200, "is not what was signed"),
        (offset_of("tree") + 1, "is not what was signed"),
    ];
    for (offset, expected) in cases {
        fs::write(desk.path("bad.run"), &bytes).expect("room");
        desk.damage("bad.run", offset);
        let ended = desk.run("verify -q bad.run");
        // The first is in the ELF header's neighbourhood: whatever it hits, it is told.
        if offset != 100 {
            assert!(ended.err.contains(expected), "{offset}: {ended:?}");
        }
        ended.exits(3);
        let json = desk.run("verify --json bad.run").exits(3).json();
        assert_eq!(json["verdict"], "invalid", "{offset}");
    }
    for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        fs::write(desk.path("bad.run"), &bytes[..length]).expect("room");
        desk.run("verify -q bad.run").exits(3);
    }
    fs::write(desk.path("longer.run"), [bytes.as_slice(), b"junk"].concat()).expect("room");
    assert!(desk.run("verify longer.run").exits(0).out.contains("4 bytes follow"));
}

#[test]
fn signatures_are_added_in_place() {
    let desk = Desk::new();
    desk.pack();
    chmod(&desk.path("program.run"), 0o750);
    desk.run("key generate --out second.key").exits(0);
    let signed = desk.run("sign --json --key second.key program.run").exits(0).json();
    assert_eq!(signed["keyIds"].as_array().map(Vec::len), Some(2));
    let mode = fs::metadata(desk.path("program.run"))
        .expect("signed")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
    desk.run("verify --key second.key.pub program.run").exits(0);
    desk.run("verify program.run").exits(0);
    // Once more changes nothing.
    let before = fs::read(desk.path("program.run")).expect("signed");
    desk.run("sign --key second.key program.run").exits(0);
    assert!(fs::read(desk.path("program.run")).expect("signed") == before);

    let length = before.len();
    desk.damage("program.run", length - 1);
    let damaged = fs::read(desk.path("program.run")).expect("signed");
    desk.run("sign --key second.key program.run").exits(3);
    assert!(fs::read(desk.path("program.run")).expect("there") == damaged);
}

#[test]
fn extract_gives_the_tree_and_touches_nothing_else() {
    let desk = Desk::new();
    desk.pack();
    let report = desk.run("extract --json program.run out").exits(0).json();
    assert_eq!(report["directory"], "out");
    let program = fs::read(desk.path("out/usr/bin/program")).expect("unpacked");
    assert!(program == fs::read(desk.path("root/usr/bin/program")).expect("there"));
    desk.run("extract program.run out").exits(1).complains("not empty");

    let image = desk.run("inspect --json program.run").json()["manifest"]["image"].clone();
    let middle = image["offset"].as_u64().expect("offset") + image["length"].as_u64().expect("length") / 2;
    desk.damage("program.run", usize::try_from(middle).expect("small"));
    desk.run("extract program.run bad").exits(3);
    assert!(!desk.path("bad").exists(), "half a tree");
}

#[test]
fn encrypted_keys_open_with_a_file_or_a_variable() {
    let desk = Desk::new();
    fs::write(desk.path("passphrase"), "correct horse\n").expect("room");
    fs::write(desk.path("wrong"), "battery staple\n").expect("room");
    let made = desk
        .run("key generate --json --out k --passphrase-file passphrase")
        .exits(0)
        .json();
    assert_eq!(made["encrypted"], true);
    desk.run("--key k --passphrase-file passphrase root program").exits(0);
    let by_variable = desk
        .command("--key k root program")
        .env("POLECAT_PASSPHRASE_FILE", desk.path("passphrase"))
        .output();
    Ended::new("variable", by_variable.expect("polecat starts")).exits(0);
    desk.run("--key k --passphrase-file wrong root program")
        .exits(1)
        .complains("passphrase is wrong");
    desk.run("--key k --passphrase-file none root program")
        .exits(1)
        .complains("passphrase: none");
    desk.run("--key k root program").exits(1).complains("--passphrase-file");
    let shown = desk.run("key show k.pub").exits(0);
    assert!(shown.out.contains(made["keyId"].as_str().expect("an id")), "{shown:?}");
    desk.run("key generate --out k")
        .exits(1)
        .complains("there is one already");
}

#[test]
fn bad_input_is_told_in_one_line_and_leaves_the_output_alone() {
    let desk = Desk::new();
    fs::create_dir(desk.path("directory")).expect("a directory");
    fs::write(desk.path("file"), "no directory").expect("room");
    fs::write(desk.path("out"), "mine").expect("room");
    fs::write(desk.path("private"), "no key").expect("room");
    chmod(&desk.path("private"), 0o600);
    let root = desk.path("root");
    let program = fs::read(root.join("usr/bin/program")).expect("there");
    put(&root, "usr/bin/cut", &program[..100]);
    put(&root, "usr/bin/text", b"no program\n");
    put(&root, "usr/bin/script", b"#!/no/such/interpreter\n");
    let mut foreign = program.clone();
    // e_machine: EM_SPARCV9, which no stub is built for here.
    foreign[18..20].copy_from_slice(&43_u16.to_le_bytes());
    put(&root, "usr/bin/foreign", &foreign);
    for name in ["cut", "text", "script", "foreign"] {
        chmod(&root.join("usr/bin").join(name), 0o755);
    }
    put(&root, "usr/bin/plain", &program);
    chmod(&root.join("usr/bin/plain"), 0o644);
    let cases = [
        ("-o out missing program", 1, "missing: no such directory"),
        ("-o out file program", 1, "file: not a directory"),
        ("-o out root nosuch", 5, "nosuch: not found"),
        ("-o out root /usr/bin/nosuch", 5, "not in the root file system"),
        ("-o out root script", 5, "/no/such/interpreter"),
        ("-o out root cut", 1, "/usr/bin/cut"),
        ("-o out root text", 1, "/usr/bin/text"),
        ("-o out root plain", 1, "not executable"),
        ("-o out root foreign", 1, "--stub"),
        ("-o out --stub file root program", 1, "the stub file: "),
        ("-o directory root program", 1, "is a directory"),
        ("-o directory/ root program", 1, "is a directory"),
        ("-o missing/out root program", 1, "No such file or directory"),
        ("-o /dev/null root program", 1, "not a regular file"),
        ("-o out --key missing root program", 1, "missing"),
        ("-o out --key file root program", 1, "mode 0644"),
        ("-o out --key private root program", 1, "not a key"),
        ("-o out --level 99 root program", 2, "--level"),
        ("-o out --block-size 5 root program", 2, "--block-size"),
        ("-o out --include usr root program", 2, "usr"),
        ("-o out --env A root program", 2, "--env"),
        ("verify missing", 1, "missing: cannot open"),
        ("verify directory", 1, "is a directory"),
        ("inspect file", 3, "not a polecat bundle"),
        ("extract file x", 3, "not a polecat bundle"),
        ("sign file", 3, "not a polecat bundle"),
        ("key show file", 1, "neither a key nor a bundle"),
        ("vreify out", 1, "verbs"),
        ("--key k verify out", 1, "put the verb first: polecat verify"),
        ("-o out --workdir srv root program", 2, "--workdir: \"srv\""),
        ("-o out --workdir /srv/.. root program", 2, "--workdir"),
    ];
    for (line, status, expected) in cases {
        let ended = desk.run(line);
        ended.complains(expected);
        ended.exits(status);
        assert_eq!(fs::read(desk.path("out")).expect("there"), b"mine", "{line}");
    }
    assert_eq!(desk.names(), ["directory", "file", "home", "out", "private", "root"]);
    assert!(!desk.path("home/.config").exists(), "no key is made in vain");
}

#[test]
fn what_would_not_start_is_not_packed() {
    let desk = Desk::new();
    let root = desk.path("root");
    let program = fs::read(root.join("usr/bin/program")).expect("there");
    for name in ["tmp/program", "run/program", "dev/shm/program"] {
        put(&root, name, &program);
        chmod(&root.join(name), 0o755);
    }
    put(&root, "usr/bin/script", b"#!/run/program\n");
    chmod(&root.join("usr/bin/script"), 0o755);
    for (line, file, why, hint) in [
        (
            "root /tmp/program",
            "/tmp/program",
            "/tmp is private and empty",
            "such as /opt",
        ),
        (
            "root /run/program",
            "/run/program",
            "/run is private and empty",
            "such as /opt",
        ),
        (
            "root /dev/shm/program",
            "/dev/shm/program",
            "/dev is the kernel's",
            "such as /opt",
        ),
        (
            "root script",
            "/run/program",
            "/run is private and empty",
            "such as /opt",
        ),
        (
            "--exclude /run/* root script",
            "/run/program",
            "needed by /usr/bin/script, but excluded by /run/*",
            "--exclude",
        ),
        (
            "--exclude /usr/bin/* root program",
            "/usr/bin/program",
            "excluded by /usr/bin/*",
            "--exclude",
        ),
    ] {
        let ended = desk.run(&format!("-o out {line}")).exits(5);
        assert!(
            ended.err.contains(&format!("{file}: ")) && ended.err.contains(hint),
            "{ended:?}"
        );
        ended.complains(why);
        let ended = desk.run(&format!("plan {line}")).exits(5);
        assert!(ended.err.contains(why), "{ended:?}");
    }
    assert!(!desk.path("out").exists());
    assert!(!desk.path("home/.config").exists(), "no key is made in vain");
    let plan = desk.run("plan --json root script").exits(5).json();
    assert_eq!(plan["warnings"][0]["kind"], "hidden");
}

#[test]
fn a_key_that_cannot_be_made_is_told() {
    let desk = Desk::new();
    fs::write(desk.path("file"), "no directory").expect("room");
    for (home, why) in [("none", "No such file or directory"), ("file", "not a directory")] {
        let home = desk.path(home);
        for line in ["-o out root program", "key generate"] {
            let output = desk.command(line).env("HOME", &home).output().expect("polecat starts");
            let ended = Ended::new(line, output).exits(1);
            let place = home.join(".config/polecat/signing.key");
            let told = format!("none could be made at {}: {why}", place.display());
            assert!(ended.err.contains("--key") && ended.err.contains("HOME"), "{ended:?}");
            ended.complains(&told);
        }
    }
    assert_eq!(desk.names(), ["file", "home", "root"]);
}

#[test]
fn a_link_is_replaced_and_not_written_through() {
    let desk = Desk::new();
    fs::write(desk.path("target"), "mine").expect("room");
    for target in ["target", "nowhere"] {
        std::os::unix::fs::symlink(target, desk.path("link")).expect("a link");
        desk.run("-q -o link root program").exits(0);
        assert!(fs::symlink_metadata(desk.path("link")).expect("packed").is_file());
        fs::remove_file(desk.path("link")).expect("packed");
    }
    assert_eq!(fs::read(desk.path("target")).expect("there"), b"mine");
    assert!(!desk.path("nowhere").exists());
    let help = desk.run("pack --help").exits(0).out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("a symbolic link and not what that leads to"), "{help}");
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    if skip_without_root() {
        return;
    }
    let desk = Desk::new();
    let small = desk.path("small");
    fs::create_dir(&small).expect("a directory");
    succeed(
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(&small),
    );
    let ended = desk.run("-o small/out root program");
    let left = fs::read_dir(&small).map(|entries| entries.count());
    succeed(Command::new("umount").arg(&small));
    // The first line announces the key.
    let last = ended.err.lines().last().unwrap_or_default();
    assert!(
        last.contains("small/out") && last.contains("No space left on device") && last.contains("--output"),
        "{ended:?}"
    );
    assert_eq!(left.expect("mounted"), 0);
    ended.exits(1);
}

#[test]
fn usage_errors_and_help() {
    let desk = Desk::new();
    for line in ["root", "--levle 3 root program", "verify", "extract file", "key"] {
        let ended = desk.run(line).exits(2);
        assert!(ended.out.is_empty() && !ended.err.is_empty(), "{ended:?}");
    }
    let help = desk.run("--help").exits(0);
    for word in [
        "Exit status:",
        "  3  ",
        "  4  ",
        "  5  ",
        "SOURCE_DATE_EPOCH",
        "ROOTFS COMMAND",
    ] {
        assert!(help.out.contains(word), "{word}: {help:?}");
    }
    let version = desk.run("--version").exits(0);
    assert!(
        version.out.contains("stub ") && version.out.contains("bundle format 1"),
        "{version:?}"
    );
}

#[test]
fn an_epoch_that_makes_no_sense_is_a_usage_error() {
    let desk = Desk::new();
    let run = |epoch: &str| {
        let output = desk
            .command("--json root program")
            .env("SOURCE_DATE_EPOCH", OsStr::new(epoch))
            .output();
        Ended::new(epoch, output.expect("polecat starts"))
    };
    run("yesterday").exits(2).complains("SOURCE_DATE_EPOCH");
    run("1000").exits(0);
    let created = desk.run("inspect --json program.run").exits(0).json()["manifest"]["created"].clone();
    assert_eq!(created, 1000);
}
