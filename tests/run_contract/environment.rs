//! Environment, working directory, home, and what a process inherits.

use std::fs;
use std::os::unix::fs::symlink;

use support::exec;

use crate::{places, shell};

#[test]
fn environment_passes_and_path_is_the_images() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let mut command = bundle.start(place);
        command
            .args(["-c", "busybox env"])
            .env("GREETING", "a = b\nc")
            .env("EMPTY", "")
            .env("PATH", "/of/the/host:/bin:/usr/bin");
        let printed = exec::run(&mut command).success().out();
        assert!(printed.contains("GREETING=a = b\nc\n"), "{place}: {printed}");
        assert!(printed.lines().any(|line| line == "EMPTY="), "{place}: {printed}");
        let path = printed
            .lines()
            .find_map(|line| line.strip_prefix("PATH="))
            .unwrap_or_else(|| panic!("{place}: {printed}"));
        assert!(path.split(':').any(|directory| directory == "/bin"), "{place}: {path}");
        assert!(!path.contains("/of/the/host"), "{place}: {path}");
        // What controls the stub is none of the program's business.
        assert!(!printed.contains("POLECAT_"), "{place}: {printed}");
    }
}

#[test]
fn working_directory_and_home_are_the_callers() {
    let Some(bundle) = shell() else { return };
    let deep = bundle.scratch().open_directory("work/a b/\u{fc}");
    for place in places() {
        let mut command = bundle.start(place);
        command
            .args(["-c", "pwd; echo $HOME; cd $HOME && pwd"])
            .current_dir(&deep);
        let home = bundle.home().display().to_string();
        let wanted = format!("{}\n{home}\n{home}\n", deep.display());
        assert_eq!(exec::run(&mut command).success().out(), wanted, "{place}");
    }
}

/// A mount point in place of the link would have to be made in the host's own directory.
#[test]
fn a_home_behind_a_link_in_the_working_directory_stays_a_link() {
    let Some(bundle) = shell() else { return };
    let real = bundle.scratch().open_directory("disk/ada");
    let above = bundle.scratch().open_directory("people");
    let home = above.join("ada");
    symlink(&real, &home).unwrap();
    for place in places() {
        let mut command = bundle.start(place);
        command
            .args(["-c", "cd $HOME && pwd -P"])
            .current_dir(&above)
            .env("HOME", &home);
        let printed = exec::run(&mut command).success().out();
        assert_eq!(printed, format!("{}\n", real.display()), "{place}");
        assert_eq!(fs::read_link(&home).unwrap(), real, "{place}");
        assert_eq!(fs::read_dir(&above).unwrap().count(), 1, "{place}");
    }
}

#[test]
fn a_working_directory_that_cannot_be_shared_becomes_the_root() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for directory in ["/", "/proc", "/usr"] {
            let mut command = bundle.start(place);
            command
                .args(["-c", "pwd; test -e /bin/busybox && echo image"])
                .current_dir(directory);
            let printed = exec::run(&mut command).success().out();
            assert!(printed.ends_with("\nimage\n"), "{place}: {directory}: {printed}");
        }
    }
}

#[test]
fn a_home_that_is_missing_or_relative_or_unset_is_no_error() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for home in [Some("/does/not/exist"), Some("relative"), Some(""), Some("/"), None] {
            let mut command = bundle.start(place);
            command.args(["-c", "echo ran"]);
            match home {
                Some(home) => command.env("HOME", home),
                None => command.env_remove("HOME"),
            };
            assert_eq!(exec::run(&mut command).success().out(), "ran\n", "{place}: {home:?}");
        }
    }
}

#[test]
fn umask_and_limits_are_inherited() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        // The limits are set by a shell outside that becomes the bundle.
        let line = "umask 027; ulimit -n 123; exec \"$@\"";
        let mut command = bundle.start_behind(place, &["sh", "-c", line, "sh"]);
        command.args(["-c", "umask; ulimit -n"]);
        assert_eq!(exec::run(&mut command).success().out(), "0027\n123\n", "{place}");
    }
}

/// What the runtime writes itself is none of the program's files.
#[test]
fn a_limit_of_the_size_of_files_is_the_programs_alone() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for (limit, wanted) in [
            ("ulimit -S -f 0", "0\nunlimited\n"),
            ("ulimit -S -f 1", "1\nunlimited\n"),
            ("ulimit -S -f 0; ulimit -H -f 100000", "0\n100000\n"),
            ("ulimit -f 100000", "100000\n100000\n"),
        ] {
            let line = format!("{limit}; exec \"$@\"");
            let mut command = bundle.start_behind(place, &["sh", "-c", &line, "sh"]);
            command.args(["-c", "ulimit -S -f; ulimit -H -f"]);
            let ended = exec::run(&mut command).success();
            assert_eq!(ended.out(), wanted, "{place}: {limit}");
            assert_eq!(ended.err(), "", "{place}: {limit}");
        }
        let mut command = bundle.start_behind(place, &["sh", "-c", "ulimit -f 0; exec \"$@\"", "sh"]);
        let ended = exec::run(command.args(["-c", "echo ran"])).exits(125);
        assert!(ended.err().contains("ulimit -H -f"), "{place}: {ended}");
    }
}

#[test]
fn files_that_are_made_belong_to_the_caller() {
    use std::os::unix::fs::MetadataExt as _;
    let Some(bundle) = shell() else { return };
    for place in places() {
        let name = format!("made-{}-{}", place.id(), place.rung());
        let _no_output = bundle.run(place, ["-c", &format!("echo x > {name}")]).success();
        let metadata = std::fs::metadata(bundle.work().join(&name)).expect("the file");
        assert_eq!((metadata.uid(), metadata.gid()), (place.id(), place.id()), "{place}");
    }
}
