//! What a test needs of the machine.

use std::process::Command;

/// Whether all that a test needs is there. If not: says `SKIP`, or panics if `POLECAT_TEST_REQUIRE` names what is
/// missing (a comma list of the same words, or `all`).
pub(crate) fn met(needs: &[&str]) -> bool {
    let Some(missing) = needs.iter().find(|need| !is_there(need)) else {
        return true;
    };
    let required = std::env::var("POLECAT_TEST_REQUIRE").unwrap_or_default();
    let must = required
        .split(',')
        .map(str::trim)
        .any(|word| word == "all" || word == *missing);
    assert!(!must, "{missing} is required here and missing");
    println!("SKIP: {missing} is missing");
    false
}

fn is_there(need: &str) -> bool {
    match need.split_once(':') {
        Some(("tool", name)) => {
            std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|dir| dir.join(name).is_file())
        }
        _ if need == "root" => run_says("id", &["-u"]).trim() == "0",
        _ if need == "loop" => {
            std::path::Path::new("/dev/loop-control").exists()
                && std::fs::read_to_string("/proc/filesystems").is_ok_and(|list| list.contains("squashfs"))
        }
        _ => panic!("no such need: {need}"),
    }
}

/// Runs a program, which must succeed, and gives what it says.
pub(crate) fn run_says(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {args:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}
