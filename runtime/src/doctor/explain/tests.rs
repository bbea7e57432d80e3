use super::*;

fn sound() -> Findings {
    Findings {
        uid: 1000,
        privileged: false,
        namespace: Namespace::Works,
        fuse: None,
        loop_control: None,
        filesystems: Some([true; 3]),
        settings: Vec::new(),
        filtered: false,
    }
}

fn told(rung: Rung, findings: &Findings, message: &str) -> String {
    let failure = Failure {
        status: 125,
        message: message.into(),
        hint: Some("a hint".into()),
    };
    let found = remedies(rung, findings, &failure, Path::new("/opt/my app.run"));
    let line = |remedy: &Remedy| format!("{}: {}", remedy.cause, remedy.command.as_deref().unwrap_or("-"));
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_cause_has_its_remedy() {
    let namespace = |namespace, settings: &[(&'static str, i64)]| Findings {
        namespace,
        settings: settings.to_vec(),
        ..sound()
    };
    let made = Namespace::NotMade;
    let cases: [(Rung, Findings, &str, &str); 25] = [
        (
            Rung::Loop,
            sound(),
            "",
            "only root may use loop devices: sudo '/opt/my app.run'",
        ),
        (
            Rung::Loop,
            Findings { uid: 0, ..sound() },
            "",
            "this container's has not: docker run --privileged",
        ),
        (
            Rung::Loop,
            Findings {
                privileged: true,
                loop_control: Some(Errno::ENOENT),
                ..sound()
            },
            "",
            "no loop devices: sudo modprobe loop",
        ),
        (
            Rung::Loop,
            Findings {
                privileged: true,
                filesystems: Some([false, true, true]),
                ..sound()
            },
            "",
            "sudo modprobe squashfs",
        ),
        (
            Rung::Loop,
            Findings {
                privileged: true,
                ..sound()
            },
            "",
            "CONFIG_SQUASHFS_ZSTD",
        ),
        (
            Rung::Fuse,
            namespace(made(Errno::EPERM), &[("kernel.unprivileged_userns_clone", 0)]),
            "",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            Rung::Unpack,
            namespace(made(Errno::ENOSPC), &[("user.max_user_namespaces", 0)]),
            "",
            "sudo sysctl -w user.max_user_namespaces=15000",
        ),
        (
            Rung::Unpack,
            namespace(made(Errno::ENOSPC), &[("user.max_user_namespaces", 5)]),
            "",
            "sudo sysctl -w user.max_user_namespaces=15000",
        ),
        (
            Rung::Unpack,
            namespace(
                Namespace::Useless(Errno::EACCES),
                &[("kernel.apparmor_restrict_unprivileged_userns", 1)],
            ),
            "",
            "profile polecat.my_app.run \"/opt/my app.run\" flags=(unconfined) {\\n  userns,",
        ),
        (
            Rung::Unpack,
            Findings {
                namespace: made(Errno::EPERM),
                filtered: true,
                ..sound()
            },
            "",
            "seccomp=unconfined",
        ),
        (Rung::Fuse, namespace(made(Errno::EINVAL), &[]), "", "CONFIG_USER_NS"),
        (Rung::Fuse, namespace(made(Errno::EPERM), &[]), "", "chroot(2)"),
        (
            Rung::Fuse,
            namespace(Namespace::Useless(Errno::ENOENT), &[]),
            "",
            "no /proc: sudo mount -t proc proc /proc",
        ),
        (
            Rung::Fuse,
            namespace(Namespace::Useless(Errno::EPERM), &[]),
            "",
            "nothing mounted in it (Operation not permitted)",
        ),
        (
            Rung::Fuse,
            Findings {
                fuse: Some(Errno::ENOENT),
                ..sound()
            },
            "",
            "docker run --device /dev/fuse",
        ),
        (
            Rung::Fusermount,
            Findings {
                fuse: Some(Errno::EACCES),
                ..sound()
            },
            "",
            "sudo chmod 666 /dev/fuse",
        ),
        (
            Rung::Fuse,
            Findings {
                filesystems: Some([true, false, true]),
                ..sound()
            },
            "",
            "sudo modprobe overlay",
        ),
        (
            Rung::Fusermount,
            sound(),
            "could not determine username",
            "sudo useradd -u 1000 polecat",
        ),
        (
            Rung::Fusermount,
            sound(),
            "mount failed: Operation not permitted",
            "no_new_privs",
        ),
        (
            Rung::Disk,
            sound(),
            "a rung without a root of its own is refused: --strict",
            "try: a hint: -",
        ),
        (
            Rung::Disk,
            sound(),
            "write: No space left on device",
            "there is no room where",
        ),
        (
            Rung::Fusermount,
            sound(),
            "no fusermount3 in PATH",
            "apt-get install fuse3",
        ),
        (Rung::Disk, sound(), "", "XDG_CACHE_HOME=DIR '/opt/my app.run'"),
        (
            Rung::Unpack,
            sound(),
            "No space left on device",
            "three quarters of the memory",
        ),
        (Rung::Fuse, sound(), "", "try: a hint: -"),
    ];
    for (rung, findings, message, expected) in cases {
        let found = told(rung, &findings, message);
        assert!(found.contains(expected), "{rung}: {findings:?}: {found}");
    }
    let privileged = Findings {
        privileged: true,
        ..namespace(made(Errno::EPERM), &[])
    };
    assert_eq!(told(Rung::Unpack, &privileged, ""), "try: a hint: -");
    let full = namespace(made(Errno::ENOSPC), &[]);
    let found = told(Rung::Unpack, &full, "make namespaces: No space left on device");
    assert!(!found.contains("memory"), "{found}");
}

#[test]
fn odd_names_are_in_no_profile() {
    for name in [
        "a\"b",
        "a\\n",
        "a\nb",
        "a*",
        "a?",
        "[ab]",
        "{a,b}",
        "@{HOME}",
        "^a",
        "a\u{fffd}",
    ] {
        assert_eq!(apparmor(&Path::new("/opt").join(name)), None, "{name}");
    }
    let command = apparmor(Path::new("/opt/it's 100%")).unwrap();
    assert!(command.contains("/opt/it'\\''s 100%%"), "{command}");
}

#[test]
fn words_of_a_shell() {
    for (text, expected) in [
        ("a/b.run", "a/b.run"),
        ("a b", "'a b'"),
        ("it's", "'it'\\''s'"),
        ("", "''"),
    ] {
        assert_eq!(quote(text), expected);
    }
}
