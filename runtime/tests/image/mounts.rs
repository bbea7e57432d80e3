//! Mounts that nothing but the test sees and that end with it.

use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use runtime::image::fuse::{self, ServeError};
use runtime::image::{CheckError, OwnerMap, VerifiedImage};

/// Runs `body` on a thread with a mount namespace of its own, which ends with the thread: nothing stays mounted,
/// whatever happens.
pub(crate) fn apart<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            mount(
                None::<&str>,
                "/",
                None::<&str>,
                MsFlags::MS_REC | MsFlags::MS_PRIVATE,
                None::<&str>,
            )
            .unwrap();
            body()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A FUSE mount at `target` with its server: a thread that keeps the namespace of the whole process.
#[derive(Debug)]
pub(crate) struct Served<'a> {
    target: &'a Path,
    server: JoinHandle<Result<(), ServeError>>,
    reports: mpsc::Receiver<CheckError>,
}

/// How a server ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Result<(), ServeError>,
    pub(crate) reports: Vec<CheckError>,
}

/// A thread that answers FUSE requests outside of the namespaces that [`apart`] makes.
#[derive(Debug)]
pub(crate) struct Outside {
    work: mpsc::Sender<Box<dyn FnOnce() + Send>>,
}

impl Outside {
    /// To be called before [`apart`].
    pub(crate) fn new() -> Self {
        let (work, jobs) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        thread::spawn(move || jobs.into_iter().for_each(|job| drop(thread::spawn(job))));
        Self { work }
    }

    /// Mounts `image` on `target` and serves it.
    pub(crate) fn serve<'a>(&self, image: VerifiedImage, target: &'a Path, owner: OwnerMap) -> Served<'a> {
        let fd = fuse::mount(Path::new("/dev"), target, owner).unwrap();
        let (report, reports) = mpsc::channel();
        let (ended, end) = mpsc::channel();
        let serve = move || {
            let result = fuse::serve_reporting(image, fd, owner, move |error| report.send(error.clone()).unwrap());
            ended.send(result).unwrap();
        };
        self.work.send(Box::new(serve)).unwrap();
        Served {
            target,
            server: thread::spawn(move || end.recv().unwrap()),
            reports,
        }
    }
}

impl Served<'_> {
    /// Whether the server still answers.
    pub(crate) fn is_there(&self) -> bool {
        !self.server.is_finished()
    }

    /// Unmounts and waits for the server, which must notice.
    pub(crate) fn end(self) -> Ended {
        // Not at once: a process that another test just forks holds our files open until it has its program.
        umount2(self.target, MntFlags::MNT_DETACH).unwrap();
        let result = self.server.join().unwrap();
        Ended {
            result,
            reports: self.reports.try_iter().collect(),
        }
    }
}
