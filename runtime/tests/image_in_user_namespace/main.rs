//! The image served to an ordinary user: user namespace and mount are made by unshare(1) around this very program, the
//! server stays outside of both.

#[path = "../support/mod.rs"]
mod support;

mod inside;

use std::fs;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{getegid, geteuid};
use runtime::image::OwnerMap;
use runtime::image::fuse::{self, ServeError};
use support::bundles::{self, Packed};
use support::needs::{USER, as_user, skip};
use support::{snapshot, source};

/// `FUSE_MAJOR` and `FUSE_MINOR` of the kernel: misc devices are 10.
const DEV_FUSE: (u64, u64) = (10, 229);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some("inside") = arguments.first().map(String::as_str) {
        return inside::run(&arguments[1..]);
    }
    if skip(&["fuse", "userns", "tool:mksquashfs", "tool:setpriv", "tool:unshare"]) {
        return;
    }
    let stage = Stage::new();
    trees_are_the_source_owned_by_the_user(&stage);
    println!("trees_are_the_source_owned_by_the_user ... ok");
    the_server_ends_when_the_namespace_is_killed(&stage);
    println!("the_server_ends_when_the_namespace_is_killed ... ok");
}

/// A bundle, and what an ordinary user needs to mount it.
struct Stage {
    directory: tempfile::TempDir,
    packed: Packed,
    /// Where a `fuse` lies that the user may open.
    dev: PathBuf,
    uid: u32,
    gid: u32,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir(path.join("source")).unwrap();
        source::fill(&path.join("source"));
        let packed = bundles::pack(&path.join("source"), path, &[]);
        // The directory that this program was built in may be closed to the user.
        fs::copy(std::env::current_exe().unwrap(), path.join("program")).unwrap();
        let root = geteuid().is_root();
        let (uid, gid) = if root {
            (USER, USER)
        } else {
            (geteuid().as_raw(), getegid().as_raw())
        };
        for name in ["target", "unpacked"] {
            fs::create_dir(path.join(name)).unwrap();
            chown(path.join(name), Some(uid), Some(gid)).unwrap();
        }
        let dev = if root {
            device_directory(path)
        } else {
            PathBuf::from("/dev")
        };
        Self {
            directory,
            packed,
            dev,
            uid,
            gid,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn owner(&self) -> OwnerMap {
        OwnerMap::Caller {
            uid: self.uid,
            gid: self.gid,
        }
    }

    /// Starts this program in namespaces of the user's, to do `what`, and serves what it mounts.
    fn start(&self, what: &str) -> Inside {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let child = as_user("unshare")
            .args(["--user", "--map-current-user", "--keep-caps", "--mount"])
            .arg(self.path("program"))
            .args(["inside", what])
            .args([
                &self.dev,
                &self.path("target"),
                &self.path("unpacked"),
                &self.packed.path,
            ])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let fd = receive(&socket);
        let (image, owner) = (self.packed.verified().image(), self.owner());
        let server = thread::spawn(move || fuse::serve(image, fd, owner));
        Inside { child, socket, server }
    }
}

/// A node of mode 0666, as most systems have it.
fn device_directory(parent: &Path) -> PathBuf {
    let dev = parent.join("dev");
    fs::create_dir(&dev).unwrap();
    let (major, minor) = DEV_FUSE;
    mknod(&dev.join("fuse"), SFlag::S_IFCHR, Mode::S_IRUSR, makedev(major, minor)).unwrap();
    fs::set_permissions(dev.join("fuse"), PermissionsExt::from_mode(0o666)).unwrap();
    dev
}

/// The program in the user's namespaces, and the server of its mount.
struct Inside {
    child: Child,
    socket: UnixStream,
    server: thread::JoinHandle<Result<(), ServeError>>,
}

/// The descriptor of the mount, sent by the program inside.
fn receive(socket: &UnixStream) -> OwnedFd {
    let mut byte = [0];
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut buffers = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_fd().as_raw_fd(), &mut buffers, Some(&mut space), flags).unwrap();
    let numbers = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::ScmRights(numbers) => Some(numbers),
        _ => None,
    });
    let numbers = numbers.expect("the program inside mounted nothing");
    runtime::sys::descriptor::adopt_received(&numbers).pop().unwrap()
}

fn trees_are_the_source_owned_by_the_user(stage: &Stage) {
    let mut inside = stage.start("compare");
    let mut told = String::new();
    inside.child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(inside.child.wait().unwrap().success());
    // The last mount is gone with the program, and with it the server.
    inside.server.join().unwrap().unwrap();

    let owner = format!("{}:{}", stage.uid, stage.gid);
    let expected: Vec<String> = snapshot::take(&stage.path("source"))
        .into_iter()
        .map(|(path, line)| format!("{path:?} {}", owned_by(&line, &owner)))
        .collect();
    for tree in ["served", "unpacked"] {
        let prefix = format!("{tree} ");
        let found: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{tree}");
        }
        assert_eq!(found.len(), expected.len(), "{tree}");
    }
    assert!(expected.len() > 1500, "nothing was compared");
}

/// The line of a snapshot for an owner that is not the stored one: without set-id bits.
fn owned_by(line: &str, owner: &str) -> String {
    let mut words: Vec<String> = line.splitn(4, ' ').map(str::to_owned).collect();
    let mode = u32::from_str_radix(&words[1], 8).unwrap();
    if words[0] != "l" {
        words[1] = format!("{:04o}", mode & 0o1777);
    }
    words[2] = owner.to_owned();
    words.join(" ")
}

fn the_server_ends_when_the_namespace_is_killed(stage: &Stage) {
    let mut inside = stage.start("hold");
    let mut byte = [0];
    inside.socket.read_exact(&mut byte).unwrap();
    inside.child.kill().unwrap();
    inside.child.wait().unwrap();
    inside.server.join().unwrap().unwrap();
    let left = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!left.contains(stage.path("target").to_str().unwrap()), "{left}");
    inside.socket.write_all(&byte).unwrap_err();
}
