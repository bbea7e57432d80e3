//! Which rung is taken when nobody forces one.

use support::requirement::skip;
use support::{Need, Place, exec};

use crate::shell;

/// What the root of the box is made of, told by the box itself, and whether there is a server process for it.
fn taken(place: Place) -> Option<(String, bool)> {
    let bundle = shell()?;
    if skip(place.needs()) || skip(&[Need::Root]) {
        return None;
    }
    let mut command = bundle.start(place);
    // What awk says is told when awk has ended: it is none of the processes that are counted.
    let line = "kind=$(busybox awk '$5 == \"/\" { for (i = 7; i < NF; i++) if ($i == \"-\") print $(i + 1) }' \
                /proc/self/mountinfo); echo $kind; read wait";
    command.args(["-c", line]).env_remove("POLECAT_MOUNT");
    let mut child = exec::spawn(
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped()),
    );
    let mut printed = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let mut kind = String::new();
    std::io::BufRead::read_line(&mut printed, &mut kind).expect("a line");
    // Monitor, init, program: one more is the server.
    let family = support::processes::family(child.id()).len();
    drop(child.stdin.take());
    let status = exec::wait("the shell", &mut child);
    assert!(status.code().is_some(), "{status}");
    Some((kind.trim().to_owned(), family > 3))
}

#[test]
fn root_takes_the_loop_device() {
    if !skip(Place::RootLoop.needs())
        && let Some(taken) = taken(Place::RootLoop)
    {
        assert_eq!(taken, ("overlay".to_owned(), false));
    }
}

#[test]
fn a_user_takes_fuse() {
    if let Some(taken) = taken(Place::UserFuse) {
        assert_eq!(taken, ("overlay".to_owned(), true));
    }
}

#[test]
fn a_user_without_fuse_unpacks() {
    if let Some(taken) = taken(Place::UserUnpack) {
        assert_eq!(taken, ("tmpfs".to_owned(), false));
    }
}
