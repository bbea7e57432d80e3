//! What runs in the user's namespaces.

use std::fs::File;
use std::io::{IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::{getegid, geteuid};
use runtime::image::unpack::unpack;
use runtime::image::{OwnerMap, fuse};
use runtime::verify::Opened;

use crate::support::snapshot;

/// Mounts, sends the descriptor through standard input, which is a socket, and tells what is in the trees, or holds the
/// mount until it is killed.
pub(crate) fn run(arguments: &[String]) {
    let [what, dev, target, unpacked, bundle] = arguments else {
        panic!("{arguments:?}");
    };
    let owner = OwnerMap::Caller {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
    };
    let fd = fuse::mount(Path::new(dev), Path::new(target), owner).unwrap();
    let rights = [fd.as_raw_fd()];
    let message = [ControlMessage::ScmRights(&rights)];
    let socket = std::io::stdin();
    let socket = socket.as_fd().as_raw_fd();
    sendmsg::<()>(socket, &[IoSlice::new(b"f")], &message, MsgFlags::empty(), None).unwrap();
    drop(fd);
    match what.as_str() {
        "compare" => {
            tell("served", Path::new(target));
            mount(
                Some("tmpfs"),
                unpacked.as_str(),
                Some("tmpfs"),
                MsFlags::MS_NODEV,
                None::<&str>,
            )
            .unwrap();
            let verified = Opened::new(File::open(bundle).unwrap()).unwrap().verify().unwrap();
            unpack(&verified.image(), Path::new(unpacked), owner).unwrap();
            tell("unpacked", Path::new(unpacked));
        }
        _ => {
            assert!(snapshot::take(Path::new(target)).len() > 1500);
            sendmsg::<()>(socket, &[IoSlice::new(b"r")], &[], MsgFlags::empty(), None).unwrap();
            loop {
                std::thread::park();
            }
        }
    }
}

fn tell(tree: &str, root: &Path) {
    let mut out = std::io::stdout().lock();
    for (path, line) in snapshot::take(root) {
        writeln!(out, "{tree} {path:?} {line}").unwrap();
    }
}
