//! What is refused: in one line, with a status, and without a trace.

use std::fs;
use std::process::Command;

use crate::common::{chmod, put, skip_without_root, succeed};
use crate::desk::{Desk, Ended};

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
fn too_little_memory_is_told_by_the_limit_and_never_waited_for() {
    let desk = Desk::new();
    desk.pack();
    let mut refused = 0;
    for kilobytes in [2_000, 6_000, 10_000, 16_000, 24_000, 40_000, 80_000] {
        let line = "--level 19 -o out.run root program";
        let packer = desk.command(line);
        let mut shell = Command::new("timeout");
        // Nothing takes a minute here but what waits for ever.
        shell.args(["60", "sh", "-c", &format!("ulimit -d {kilobytes}; exec \"$0\" \"$@\"")]);
        shell.arg(packer.get_program()).args(packer.get_args());
        shell.current_dir(desk.path("")).env("HOME", desk.path("home"));
        let ended = Ended::new(line, shell.output().expect("a shell"));
        if ended.status == Some(0) {
            continue;
        }
        refused += 1;
        let ended = ended.exits(1);
        assert!(ended.err.contains("ulimit -d"), "{kilobytes}: {ended:?}");
    }
    assert!(refused > 0, "2 MB are enough");
}
