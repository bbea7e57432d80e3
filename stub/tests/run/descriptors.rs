//! Descriptors are the app's alone: what it closes is closed.

use std::io::Read as _;

use support::processes::Process;

use crate::bundle::start_reading;
use crate::{places, shell};

#[test]
fn what_the_app_closes_is_at_its_end() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        // Until it is killed below nothing else can close the pipe.
        let (run, mut printed) = start_reading(
            bundle
                .command(place, &["-c", "echo said; exec >/dev/null 2>&1; exec sleep 1000"])
                .stderr(std::process::Stdio::null()),
        );
        let mut all = String::new();
        printed.read_to_string(&mut all).unwrap();
        assert_eq!(all, "said\n", "{place}");
        assert!(Process::find(run.id()).is_some(), "{place}: ended instead");
    }
}

#[test]
fn further_descriptors_are_handed_on_and_let_go() {
    let Some(bundle) = shell() else { return };
    for place in places() {
        // Number 5 is the pipe that is read here, and stdout is not.
        let prefix = ["sh", "-c", "exec \"$@\" 5>&1 >/dev/null", "sh"];
        let script = "echo through >&5; exec 5>&-; exec sleep 1000";
        let (run, mut printed) = start_reading(&mut bundle.command_behind(place, &prefix, &["-c", script]));
        let mut all = String::new();
        printed.read_to_string(&mut all).unwrap();
        assert_eq!(all, "through\n", "{place}");
        assert!(Process::find(run.id()).is_some(), "{place}: ended instead");
    }
}
