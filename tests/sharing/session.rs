//! The caller's session, by the names of what is shared.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use support::requirement::skip;
use support::roots::busybox;
use support::{Bundle, Need, Place, Polecat, Scratch, exec};

use crate::{SHELL, bind, host, places, run, runtime_directory};

#[test]
fn a_closed_box_gets_what_is_named_back() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let (home, work) = (bundle.home().display().to_string(), bundle.work().display().to_string());
        let line = format!("echo $HOME; pwd; test -d {home} && echo home; test -d {work} && echo work; true");
        for (options, expected) in [
            (
                &["--polecat-contain", "--polecat-share=home"][..],
                format!("{home}\n/\nhome\n"),
            ),
            (
                &["--polecat-contain", "--polecat-share", "cwd"],
                format!("HOME\n{work}\nwork\n"),
            ),
            (&["--polecat-share=home", "--polecat-contain"], "HOME\n/\n".to_owned()),
            (&["--polecat-contain=no"], format!("{home}\n{work}\nhome\nwork\n")),
            (
                &["--polecat-contain", "--polecat-contain=no"],
                format!("{home}\n{work}\nhome\nwork\n"),
            ),
            (&["--polecat-share=none"], format!("{home}\n/\n")),
            (&["--polecat-share=none,cwd"], format!("{home}\n{work}\nwork\n")),
        ] {
            let own = if place.is_user() { "/tmp" } else { "/root" };
            let ended = run(bundle.as_ref(), place, options, &line).success();
            assert_eq!(
                ended.out(),
                expected.replace("HOME", own),
                "{place}: {options:?}: {ended}"
            );
        }
    }
}

#[test]
fn a_variable_closes_what_was_packed_and_an_option_opens_it() {
    if places(&[Place::RootUnpack]).is_empty() {
        return;
    }
    let scratch = Scratch::new();
    let data = host(&scratch, "data");
    let packed = format!("--bind={}:/data", data.display());
    let bundle = Bundle::pack(&[&packed, "--share=tmp"], &busybox(&scratch), &["/bin/sh"]);
    for place in places(&Place::ALL) {
        let line = "busybox cat /data/file 2> /dev/null; echo end";
        let ended = run(&bundle, place, &[""; 0], line).success();
        assert_eq!(ended.out(), "of the host\nend\n", "{place}: {ended}");
        for (option, expected) in [(None, "end\n"), (Some(bind(&data, ":/data")), "of the host\nend\n")] {
            let mut command = bundle.start(place);
            let dashes = option.as_ref().map(|_| "--");
            command
                .env("POLECAT_CONTAIN", "1")
                .args(option)
                .args(dashes)
                .args(["-c", line]);
            let ended = exec::run(&mut command).success();
            assert_eq!(ended.out(), expected, "{place}: {ended}");
        }
    }
}

#[test]
fn sockets_of_the_session_are_where_their_variables_say() {
    for place in places(&Place::ALL) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let runtime = runtime_directory(&scratch, place);
        fs::create_dir(runtime.join("pulse")).expect("a directory");
        let names = ["wayland-7", "bus", "pulse/native", "pipewire-0", "agent", "private"];
        let _listeners: Vec<UnixListener> = names
            .map(|name| UnixListener::bind(runtime.join(name)).expect("a socket"))
            .into();
        let authority = scratch.file("authority", "cookie\n");
        let start = |options: &[&str], line: &str| {
            let mut command = bundle.start(place);
            command
                .env("XDG_RUNTIME_DIR", &runtime)
                .env("WAYLAND_DISPLAY", "wayland-7")
                .env("SSH_AUTH_SOCK", runtime.join("agent"))
                .env("DISPLAY", "far.example:0")
                .env("XAUTHORITY", &authority)
                .env("POLECAT_DEBUG", "1")
                .args(options)
                .args(["--", "-c", line]);
            exec::run(&mut command).success()
        };
        let line = "cd $XDG_RUNTIME_DIR; busybox find . -type s; busybox stat -c %a .; echo $WAYLAND_DISPLAY $SSH_AUTH_SOCK; \
                    busybox cat $XAUTHORITY; echo $DISPLAY";
        let all = "--polecat-share=wayland,dbus,audio,ssh-agent,x11,gpu";
        for contain in [&["--polecat-contain"][..], &[]] {
            let ended = start(&[contain, &[all]].concat(), line);
            let printed = ended.out();
            let found = |name: &str| printed.lines().any(|line| line == format!("./{name}"));
            assert!(
                names[..5].iter().all(|name| found(name)) && !found("private"),
                "{place}: {ended}"
            );
            let agent = runtime.join("agent").display().to_string();
            assert!(
                printed.contains(&format!("700\nwayland-7 {agent}\ncookie\nfar.example:0\n")),
                "{place}: {ended}"
            );
            assert!(
                ended
                    .err()
                    .contains("/run/dbus/system_bus_socket is not shared for dbus"),
                "{place}: {ended}"
            );
        }
        let ended = start(
            &["--polecat-contain", "--polecat-share=wayland"],
            "echo $SSH_AUTH_SOCK; busybox env; \
            busybox find $XDG_RUNTIME_DIR -type s",
        );
        assert!(ended.out().ends_with("/wayland-7\n"), "{place}: {ended}");
        assert!(
            !ended.out().contains("agent") && !ended.out().contains("XAUTHORITY"),
            "{place}: {ended}"
        );
    }
}

#[test]
fn a_variable_shows_nothing_but_what_it_is_for() {
    for place in places(&[Place::RootUnpack, Place::UserUnpack]) {
        let bundle = SHELL.get();
        let scratch = Scratch::new();
        let hidden = scratch.open_directory("hidden");
        fs::write(hidden.join("file"), "of the host\n").expect("a file");
        let socket = hidden.join("socket");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        let bus = |path: &Path| format!("unix:path={}", path.display());
        let cases = [
            ("SSH_AUTH_SOCK", hidden.display().to_string(), "ssh-agent"),
            ("SSH_AUTH_SOCK", hidden.join("file").display().to_string(), "ssh-agent"),
            ("SSH_AUTH_SOCK", "/dev".to_owned(), "ssh-agent"),
            ("SSH_AUTH_SOCK", "/dev/log/x".to_owned(), "ssh-agent"),
            ("DBUS_SYSTEM_BUS_ADDRESS", bus(Path::new("/proc")), "dbus"),
            ("CUPS_SERVER", "/".to_owned(), "printer"),
            ("XAUTHORITY", hidden.display().to_string(), "x11"),
        ];
        for (variable, value, share) in cases {
            let mut command = bundle.start(place);
            command
                .env_remove("POLECAT_MOUNT")
                .env(variable, &value)
                .args(["--polecat-contain", &format!("--polecat-share={share}"), "--"])
                .args(["-c", "echo $$; busybox cat \"$0\"/file \"$0\" 2>/dev/null", &value]);
            let ended = exec::run(&mut command);
            // Process 2: in a PID namespace, so with a root of its own.
            assert_eq!(ended.out(), "2\n", "{place}: {variable}={value}: {ended}");
        }
        // A runtime directory that is anybody's is not made the box's own.
        let mut command = bundle.start(place);
        command
            .env("XDG_RUNTIME_DIR", "/usr")
            .env("DBUS_SESSION_BUS_ADDRESS", bus(&socket))
            .args([
                "--polecat-share=dbus",
                "--",
                "-c",
                "busybox stat -c %a /usr; busybox ls $0",
            ])
            .arg(&socket);
        let ended = exec::run(&mut command).success();
        assert_eq!(ended.out(), format!("755\n{}\n", socket.display()), "{place}: {ended}");
    }
}

#[test]
fn a_socket_that_is_bound_is_answered() {
    if skip(&[Need::Polecat, Need::Rootfs]) {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.join("socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("a mode");
    let answering = thread::spawn(move || {
        use std::io::Write as _;
        let (mut connection, _) = listener.accept().expect("a connection");
        connection.write_all(b"answer").expect("a connection");
    });
    let polecat = Polecat::new(&scratch);
    let line = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/it'); print(s.recv(9).decode())";
    let option = format!("--bind={}:/run/it:ro", path.display());
    let root = support::bundle::debian();
    let words: [&OsStr; 6] = [
        "run".as_ref(),
        option.as_ref(),
        root.as_ref(),
        "python3".as_ref(),
        "-c".as_ref(),
        line.as_ref(),
    ];
    let ended = polecat.run(words).success();
    assert_eq!(ended.out(), "answer\n", "{ended}");
    answering.join().expect("the thread that answers");
}
