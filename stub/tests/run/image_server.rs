//! The process that serves the image on the FUSE rung.

use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use support::processes::{family, wait_for_end};
use support::requirement::skip;
use support::{Need, Place, exec};

use crate::bundle::{Bundle, line, start_reading};
use crate::shell;

const SERVED: [Place; 2] = [Place::RootFuse, Place::UserFuse];

#[test]
fn its_death_ends_the_run_and_is_told() {
    let Some(bundle) = shell() else { return };
    for place in SERVED.into_iter().filter(|place| !skip(place.needs())) {
        let mut command = bundle.command(place, &["-c", "echo ready; exec sleep 1000"]);
        let (run, mut printed) = start_reading(command.stderr(std::process::Stdio::piped()));
        assert_eq!(line(&mut printed), "ready", "{place}");
        let all = family(run.id());
        let server = all
            .iter()
            .find(|process| process.name() == "polecat-image")
            .expect("the server");
        kill(Pid::from_raw(i32::try_from(server.id).unwrap()), Signal::SIGKILL).unwrap();
        let ended = run.finish().exits(125);
        assert!(
            ended.err().contains("image server") && ended.err().contains("signal 9"),
            "{place}: {ended}"
        );
        wait_for_end(&all);
    }
}

#[test]
fn signals_to_the_group_leave_it_alone() {
    use std::os::unix::process::CommandExt as _;
    let Some(bundle) = shell() else { return };
    for place in SERVED.into_iter().filter(|place| !skip(place.needs())) {
        let script = "trap 'cat /proc/version > /dev/null; ls -R /bin > /dev/null && echo served; exit 4' TERM; \
                      echo ready; while :; do sleep 0.02; done";
        let (run, mut printed) = start_reading(bundle.command(place, &["-c", script]).process_group(0));
        assert_eq!(line(&mut printed), "ready", "{place}");
        killpg(run.pid(), Signal::SIGTERM).unwrap();
        assert_eq!(line(&mut printed), "served", "{place}");
        assert_eq!(run.wait().code(), Some(4), "{place}");
    }
}

/// Bytes that are nowhere else in the bundle.
const MARK: &[u8] = b"This block was changed after it was signed.";

#[test]
fn a_block_that_was_changed_is_an_error_to_the_app_and_ends_the_run_unverified() {
    if skip(&[Need::Tool("busybox"), Need::Tool("mksquashfs")]) {
        return;
    }
    // Not compressed, so that the mark is found in the file.
    let filler = vec![b'x'; 1 << 20];
    let add = |root: &Path| fs::write(root.join("large"), [&filler, MARK, &filler].concat()).unwrap();
    let bundle = Bundle::of_busybox(add);
    damage(&bundle.path(), bundle.image_offset);
    for place in SERVED.into_iter().filter(|place| !skip(place.needs())) {
        // What does not touch it does not suffer from it.
        let _fine = bundle.run(place, "ls /bin/busybox").success();
        let ended = bundle
            .run(place, "cat /large > /dev/null || echo refused; exit 0")
            .exits(121);
        assert_eq!(ended.out(), "refused\n", "{place}");
        assert!(ended.err().contains("is not what was signed"), "{place}: {ended}");
        assert_eq!(
            ended.err().matches("polecat: ").count(),
            1,
            "{place}: said once: {ended}"
        );
    }
    for place in [Place::RootLoop, Place::RootUnpack, Place::UserUnpack] {
        if !skip(place.needs()) {
            let ended = bundle.run(place, "echo ran").exits(121);
            assert_eq!(ended.out(), "", "{place}");
            assert!(ended.err().contains("is not what was signed"), "{place}: {ended}");
        }
    }
}

fn damage(path: &Path, image_offset: u64) {
    exec::changing_files(|| {
        let mut file = fs::File::options().read(true).write(true).open(path).unwrap();
        let mut bytes = Vec::new();
        file.seek(std::io::SeekFrom::Start(image_offset)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let place = bytes
            .windows(MARK.len())
            .position(|window| window == MARK)
            .expect("the mark");
        file.write_all_at(b"t", image_offset + place as u64).unwrap();
        file.flush().unwrap();
    });
}
