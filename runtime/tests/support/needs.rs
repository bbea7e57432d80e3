//! What a test needs of the machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An id that nothing on the machine belongs to.
pub(crate) const USER: u32 = 65_533;

/// Whether the test that asks must be skipped. Panics where `POLECAT_TEST_REQUIRE` names what is missing.
pub(crate) fn skip(needs: &[&str]) -> bool {
    let required = std::env::var("POLECAT_TEST_REQUIRE").unwrap_or_default();
    let Some(missing) = needs.iter().find(|need| !is_there(need)) else {
        return false;
    };
    let forbidden = required.split(',').any(|word| word == "all" || word == *missing);
    assert!(
        !forbidden,
        "{missing} is missing, and POLECAT_TEST_REQUIRE says it is there"
    );
    // Not through eprintln!, which the test harness hides of a test that passes.
    let thread = std::thread::current();
    let line = format!("SKIP: {}: no {missing}\n", thread.name().unwrap_or("test"));
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    true
}

fn is_there(need: &str) -> bool {
    match need {
        "root" => nix::unistd::geteuid().is_root(),
        "fuse" => std::fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .is_ok(),
        "loop" => {
            let kernel = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
            kernel.split_whitespace().any(|word| word == "squashfs") && Path::new("/dev/loop-control").exists()
        }
        "userns" => {
            let mut command = as_user("unshare");
            command.args(["--user", "--map-current-user", "true"]);
            command
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        }
        tool => find_tool(tool.strip_prefix("tool:").expect("a known need")).is_some(),
    }
}

/// `program` run as an ordinary user: as [`USER`] by root, as themselves by others.
pub(crate) fn as_user(program: &str) -> Command {
    if !nix::unistd::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([
        &format!("--reuid={USER}"),
        &format!("--regid={USER}"),
        "--clear-groups",
        program,
    ]);
    command
}

/// The path of a program.
pub(crate) fn find_tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    directories
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}
