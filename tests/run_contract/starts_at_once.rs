//! Many starts at the same moment.

use std::process::Stdio;

use support::exec;

use crate::{places, printer};

const STARTS: usize = 50;

#[test]
fn fifty_starts_at_once_all_succeed() {
    let Some(bundle) = printer() else { return };
    for place in places() {
        let children: Vec<_> = (0..STARTS)
            .map(|index| {
                let mut command = bundle.start(place);
                command
                    .arg(index.to_string())
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped());
                exec::spawn(&mut command)
            })
            .collect();
        for (index, child) in children.into_iter().enumerate() {
            let ended = exec::finish(format!("start {index} of {STARTS}, {place}"), child).exits(1);
            assert_eq!(
                (ended.out(), ended.err()),
                (format!("{index}\n"), String::new()),
                "{place}"
            );
        }
    }
}

#[test]
fn fifty_that_all_run_at_the_same_time() {
    let Some(bundle) = crate::shell() else { return };
    for place in places() {
        // Each waits for the end of its input, so all are there before any ends.
        let mut children: Vec<_> = (0..STARTS)
            .map(|_| {
                let mut command = bundle.start(place);
                command.args(["-c", "echo ready; read line; exit 4"]);
                exec::spawn(
                    command
                        .stdin(Stdio::piped())
                        .stdout(Stdio::piped())
                        .stderr(Stdio::piped()),
                )
            })
            .collect();
        let mut inputs: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
        for child in &mut children {
            let mut first = [0; 6];
            let stdout = child.stdout.as_mut().expect("a pipe");
            std::io::Read::read_exact(stdout, &mut first).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(&first, b"ready\n", "{place}");
        }
        inputs.clear();
        for child in children {
            let ended = exec::finish(format!("one of {STARTS}, {place}"), child).exits(4);
            assert_eq!(ended.err(), "", "{place}");
        }
    }
}
