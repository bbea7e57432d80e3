//! Standard input, output and error, open and closed, and further descriptors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::roots::compile;
use support::{Bundle, Place, exec};

use crate::{packed_probe, places, shell};

#[test]
fn large_data_goes_through_both_ways() {
    let Some(bundle) = shell() else { return };
    // Not a multiple of any buffer's size, no two blocks alike.
    let input: Vec<u8> = (0..3_000_001_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for place in places() {
        let ended =
            exec::run_with_input(bundle.start(place).args(["-c", "busybox cat; echo end >&2"]), &input).success();
        assert!(
            ended.stdout == input,
            "{place}: {} bytes of {}",
            ended.stdout.len(),
            input.len()
        );
        assert_eq!(ended.err(), "end\n", "{place}");
    }
}

/// What the probe finds open, packed or bare, when a shell starts it with this redirection: number and target of each.
fn seen(bundle: &Bundle, place: Place, packed: bool, redirection: &str) -> BTreeMap<u32, String> {
    let shell = ["sh", "-c", &format!("exec \"$@\" {redirection}"), "sh"];
    let mut command = if packed {
        bundle.start_behind(place, &shell)
    } else {
        let program = bundle.scratch().join("probe");
        if !program.exists() {
            compile("probe.c", &program);
        }
        place.command_behind(&shell, &program)
    };
    // Told through a file of its own, for tests share the bundle: the streams may be gone.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let file = format!("seen-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let _streams = exec::run(command.args(["descriptors", &file]).current_dir(bundle.work())).exits(9);
    let text = std::fs::read_to_string(bundle.work().join(&file)).expect("what was seen");
    let parse = |line: &str| {
        let (number, target) = line.split_once(' ').expect("number and target");
        (number.parse().expect("a number"), target.to_owned())
    };
    text.lines().map(parse).collect()
}

#[test]
fn closed_streams_stay_closed() {
    let Some(bundle) = packed_probe() else { return };
    for place in places() {
        for redirection in ["<&-", ">&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"] {
            let bare = seen(&bundle, place, false, redirection);
            let packed = seen(&bundle, place, true, redirection);
            // Then the program gets their numbers for what it opens, as bare.
            assert!(
                bare.keys().eq(packed.keys()),
                "{place}: {redirection}: bare {bare:?}, packed {packed:?}"
            );
        }
    }
}

/// The same open files, so that a shell's `>>` and the place in a file are as without us.
#[test]
fn files_are_read_and_written_where_the_caller_was() {
    let Some(bundle) = shell() else { return };
    let (input, output) = (bundle.scratch().join("input"), bundle.scratch().join("output"));
    for place in places() {
        std::fs::write(&input, "first\nsecond\nthird\n").expect("a file");
        std::fs::write(&output, "before\n").expect("a file");
        bundle.scratch().permit(&output, 0o666);
        // The shell reads a line, the program the next, and the shell the rest.
        let line = "exec <\"$IN\" >>\"$OUT\" 2>&1; read -r line; echo \"$line\"; \"$@\"; cat";
        let mut command = bundle.start_behind(place, &["sh", "-c", line, "sh"]);
        command.args(["-c", "read -r line; echo packed $line; echo and said >&2"]);
        command.env("IN", &input).env("OUT", &output);
        let ended = exec::run(&mut command).success();
        let written = std::fs::read_to_string(&output).expect("a file");
        let expected = "before\nfirst\npacked second\nand said\nthird\n";
        assert_eq!(written, expected, "{place}: {ended}");
    }
}

/// Nothing can take the place of a closed stream where no descriptor is to be had.
#[test]
fn a_stream_that_cannot_be_occupied_is_told() {
    let Some(bundle) = packed_probe() else { return };
    for place in places() {
        let mut command = bundle.start_behind(place, &["sh", "-c", "exec <&-; ulimit -n 0; exec \"$@\"", "sh"]);
        let ended = exec::run(&mut command).exits(125);
        assert!(
            ended.err().starts_with("polecat: occupy the standard streams"),
            "{place}: {ended}"
        );
    }
}

/// What cannot be said on stderr is said by the status.
#[test]
fn a_failure_without_streams_is_a_status() {
    let Some(bundle) = packed_probe() else { return };
    for place in places() {
        let mut command = bundle.start_behind(place, &["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"]);
        let _nothing = exec::run(command.arg("--polecat-nonsense")).exits(125);
    }
}

#[test]
fn the_program_has_the_callers_descriptors_and_no_others() {
    let Some(bundle) = packed_probe() else { return };
    let passed = bundle.scratch().file("passed", "passed on\n");
    for place in places() {
        let redirection = format!("5< {}", passed.display());
        let (bare, packed) = (
            seen(&bundle, place, false, &redirection),
            seen(&bundle, place, true, &redirection),
        );
        assert!(
            bare.keys().eq(packed.keys()),
            "{place}: bare {bare:?}, packed {packed:?}"
        );
        assert_eq!(packed.get(&5), bare.get(&5), "{place}");
    }
}

#[test]
fn descriptors_that_are_passed_on_can_be_read() {
    let Some(bundle) = shell() else { return };
    let passed = bundle.scratch().file("passed", "through descriptor 5\n");
    for place in places() {
        let line = format!("exec \"$@\" 5< {}", passed.display());
        let mut command = bundle.start_behind(place, &["sh", "-c", &line, "sh"]);
        let ended = exec::run(command.args(["-c", "busybox cat <&5"])).success();
        assert_eq!(ended.out(), "through descriptor 5\n", "{place}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_program() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        let mut command = bundle.start(place);
        command
            .args(["-c", "exec busybox yes"])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped());
        let mut child = exec::spawn(command.stderr(std::process::Stdio::null()));
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut start = [0; 4];
        std::io::Read::read_exact(&mut stdout, &mut start).expect("a pipe");
        assert_eq!(&start, b"y\ny\n", "{place}");
        drop(stdout);
        let status = exec::wait("yes", &mut child);
        assert!(!status.success(), "{place}: {status}");
    }
}
