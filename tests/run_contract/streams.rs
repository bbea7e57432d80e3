//! Standard input, output and error, open and closed, and further descriptors.

use support::exec;

use crate::{places, shell};

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

#[test]
fn closed_streams_stay_closed_and_harm_nothing() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        for (closed, descriptor) in [("<&-", 0), (">&-", 1), ("2>&-", 2), ("<&- >&- 2>&-", 0)] {
            let mut command = bundle.start_behind(place, &["sh", "-c", &format!("exec \"$@\" {closed}"), "sh"]);
            // Written to a file of its own: the streams may be gone.
            let name = format!("seen-{}-{}-{descriptor}", place.id(), place.rung());
            let line = format!("busybox readlink /proc/$$/fd/{descriptor} > {name}; exit 9");
            let _streams = exec::run(command.args(["-c", &line])).exits(9);
            let seen = std::fs::read_to_string(bundle.work().join(&name)).expect("what was seen");
            // Closed, or harmless: never a descriptor of ours in the place of a stream.
            assert!(matches!(seen.trim_end(), "" | "/dev/null"), "{place}: {closed}: {seen}");
        }
    }
}

#[test]
fn the_program_has_the_callers_descriptors_and_no_others() {
    let Some(bundle) = shell() else { return };
    let passed = bundle.scratch().file("passed", "through descriptor 5\n");
    for place in places() {
        let line = format!("exec \"$@\" 5< {}", passed.display());
        let mut command = bundle.start_behind(place, &["sh", "-c", &line, "sh"]);
        let inside = "busybox cat <&5; cd /proc/$$/fd; for f in *; do echo $f; done";
        let ended = exec::run(command.args(["-c", inside])).success();
        let printed = ended.out();
        let (text, list) = printed.split_once('\n').unwrap_or_else(|| panic!("{place}: {ended}"));
        assert_eq!(text, "through descriptor 5", "{place}");
        let list: Vec<&str> = list.lines().collect();
        assert_eq!(list, ["0", "1", "2", "5"], "{place}: {ended}");
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
