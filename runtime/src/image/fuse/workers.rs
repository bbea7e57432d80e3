//! Help with reads, when there is more than one to answer.
//!
//! One thread takes the kernel's requests. Several that wait for them would be faster where several processes read,
//! and slower for one that starts: each request would wake another of them, a third of a start more. So the one thread
//! answers itself, and gives a read away only if the kernel has the next request waiting and a worker has nothing to
//! do. Workers are started once that has happened often, which it does not while a short program starts.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::host;
use crate::image::STACK;

/// Most workers: decompression beyond four cores is rarely what one program waits for.
const MOST: usize = 3;

/// Reads behind which another request waited, before workers are started: `true` has 28 reads in all.
const PATIENCE: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that answer reads.
#[derive(Debug)]
pub(super) struct Workers {
    /// The connection, to see whether a request waits.
    connection: OwnedFd,
    team: OnceLock<Team>,
    /// Reads behind which another request waited.
    contended: AtomicUsize,
    /// Jobs that were given away and are not done.
    busy: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Team {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// Jobs for whichever worker is the first to take them. A channel of the standard library has three kinds of queue in it: 10 KiB.
#[derive(Debug, Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    /// Never more than there are workers, who do not wait while there are any: their order does not matter.
    waiting: Vec<Job>,
    /// None will come any more.
    ended: bool,
}

impl Workers {
    pub(super) fn new(connection: OwnedFd) -> Self {
        Self {
            connection,
            team: OnceLock::new(),
            contended: AtomicUsize::new(0),
            busy: Arc::default(),
        }
    }

    /// Does `job` here, or has it done while the caller goes on.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        if !self.another_waits() || self.contended.fetch_add(1, Ordering::Relaxed) < PATIENCE {
            return job();
        }
        let team = self.team.get_or_init(|| Team::start(&self.busy));
        if self.busy.load(Ordering::Relaxed) >= team.threads.len() {
            return job();
        }
        self.busy.fetch_add(1, Ordering::Relaxed);
        team.queue.lock().waiting.push(Box::new(job));
        team.queue.changed.notify_one();
    }

    /// Waits until everything that was given away is done.
    pub(super) fn finish(&mut self) {
        let Some(team) = self.team.take() else { return };
        team.queue.lock().ended = true;
        team.queue.changed.notify_all();
        for thread in team.threads {
            // A worker that panicked has dropped its reply, which answers EIO.
            thread.join().unwrap_or_default();
        }
    }

    /// Whether the kernel has a request ready. If it cannot be asked, the caller works alone.
    fn another_waits(&self) -> bool {
        let mut fds = [PollFd::new(self.connection.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1..)) && fds[0].any() == Some(true)
    }
}

impl Team {
    /// As many as there are processors beside the one that takes the requests. None if the system has no threads left.
    fn start(busy: &Arc<AtomicUsize>) -> Self {
        let processors = host::processors();
        let queue = Arc::new(Queue::default());
        let worker = |number| {
            let (queue, busy) = (Arc::clone(&queue), Arc::clone(busy));
            thread::Builder::new()
                .name(format!("read-{number}"))
                .stack_size(STACK)
                .spawn(move || queue.work(&busy))
                .ok()
        };
        let threads = (1..processors.min(MOST + 1)).map_while(worker).collect();
        Self { queue, threads }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does jobs until there are none and none will come.
    fn work(&self, busy: &AtomicUsize) {
        while let Some(job) = self.next() {
            job();
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn next(&self) -> Option<Job> {
        let mut jobs = self.lock();
        loop {
            match jobs.waiting.pop() {
                None if !jobs.ended => {
                    jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
                }
                job => return job,
            }
        }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} jobs", self.waiting.len())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A connection on which a request waits, or none does.
    fn connection(waiting: bool) -> (OwnedFd, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        if waiting {
            std::io::Write::write_all(&mut theirs, b"request").unwrap();
        }
        (ours.into(), theirs)
    }

    #[test]
    fn alone_where_nothing_waits() {
        let (ours, _theirs) = connection(false);
        let workers = Workers::new(ours);
        let here = thread::current().id();
        workers.run(move || assert_eq!(thread::current().id(), here));
        assert!(workers.team.get().is_none());
    }

    #[test]
    fn everything_is_done_once_by_the_end() {
        let (ours, _theirs) = connection(true);
        let mut workers = Workers::new(ours);
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..1000 {
            let done = Arc::clone(&done);
            workers.run(move || {
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        workers.finish();
        assert_eq!(done.load(Ordering::Relaxed), 1000);
        assert_eq!(workers.busy.load(Ordering::Relaxed), 0);
    }
}
