//! Which rungs of the [ladder](crate::ladder) work here, found out by trying each with the bundle's own image, why the others do
//! not, and what would help. Settings of the kernel are read to explain what was tried, never to guess.

mod explain;
mod findings;
mod report;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::control::Control;
use crate::error::Error;
use crate::exit::{self, End};
use crate::host::read_start;
use crate::job::Job;
use crate::ladder::Rung;
use crate::options::Supervision;
use crate::process::message::{Failure, LONGEST};
use crate::run::supervise;
use crate::sys::process::{self, Fork};
use crate::trace::MissObserver;
use crate::verify::Verified;

pub use explain::Remedy;
pub use findings::Findings;

/// What was found out.
#[derive(Debug)]
pub struct Report {
    /// The bundle, as remedies name it.
    pub file: PathBuf,
    /// The rung that a start would take.
    pub taken: Option<Rung>,
    /// Every rung, best first.
    pub rungs: Vec<Examined>,
    /// What the host says of itself.
    pub findings: Findings,
}

/// A rung that was tried.
#[derive(Debug)]
pub struct Examined {
    /// Which.
    pub rung: Rung,
    /// Why it does not hold, if it does not.
    pub failure: Option<Failure>,
    /// What would help.
    pub remedies: Vec<Remedy>,
}

impl Report {
    /// 0 where a start would find a rung, 1 where it would not, [`exit::UNVERIFIED`] where some of the image is not what was signed.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self.is_unverified() {
            true => exit::UNVERIFIED,
            false => u8::from(self.taken.is_none()),
        }
    }

    fn is_unverified(&self) -> bool {
        let failures = self.rungs.iter().filter_map(|examined| examined.failure.as_ref());
        failures.into_iter().any(|failure| failure.status == exit::UNVERIFIED)
    }
}

/// Tries every rung with the command of `verified`, which is not executed: everything up to that is done and undone.
/// `control` is what a start would be told; each rung is tried whatever it says of one. `file` is the bundle's path.
///
/// The process must have a single thread.
///
/// # Errors
/// A trial cannot be made at all.
pub fn examine(verified: &Verified, control: &Control, file: &Path) -> Result<Report, Error> {
    let findings = Findings::take();
    let taken = attempt(verified, control, None)?.ok();
    let mut rungs = Vec::new();
    for rung in Rung::ALL {
        let failure = attempt(verified, control, Some(rung))?.err();
        let failed = failure.as_ref();
        let remedies = failed.map_or(Vec::new(), |failure| explain::remedies(rung, &findings, failure, file));
        rungs.push(Examined {
            rung,
            failure,
            remedies,
        });
    }
    let mut report = Report {
        file: file.to_owned(),
        taken,
        rungs,
        findings,
    };
    if report.is_unverified() {
        // That is no matter of rungs: none of it is to be started at all.
        report.taken = None;
        report.rungs.iter_mut().for_each(|examined| examined.remedies.clear());
    }
    Ok(report)
}

/// The rung that holds, or why none does: `rung` alone, or what a start would take. In a process of its own, for a run takes its process
/// over.
fn attempt(verified: &Verified, control: &Control, rung: Option<Rung>) -> Result<Result<Rung, Failure>, Error> {
    let failed = |step| move |errno| Error::Monitor { step, errno };
    let (told, tells) = pipe2(OFlag::O_CLOEXEC).map_err(failed("make a pipe for a trial"))?;
    match process::fork().map_err(failed("fork for a trial"))? {
        Fork::Child => {
            drop(told);
            process::exit(run(verified, control, rung, tells))
        }
        Fork::Parent(trial) => {
            drop(tells);
            let text = read_start(File::from(told), LONGEST).unwrap_or_default();
            let change = process::wait(trial).map_err(failed("wait for a trial"))?;
            let held = std::str::from_utf8(&text).ok().and_then(Rung::from_name);
            let lost = || Failure::of(&Error::InitEnded(Some(change)), None, exit::FAILED);
            Ok(held.ok_or_else(|| Failure::decode(&text).unwrap_or_else(lost)))
        }
    }
}

/// A run that ends before the program begins. Tells the rung, or what failed.
fn run(verified: &Verified, control: &Control, rung: Option<Rung>, tells: OwnedFd) -> u8 {
    let control = Control {
        debug: false,
        ..control.clone()
    };
    let Ok(trial) = tells.try_clone() else {
        return exit::FAILED;
    };
    let process = verified.manifest().process.clone();
    let end = Job::of_bundle(verified, process, Vec::<OsString>::new(), control).and_then(|mut job| {
        job.trial = Some(trial);
        // It is over before anybody could watch over it, and nothing is to be said or kept.
        job.options.supervision = Supervision::default();
        job.options.keep = Some(0);
        job.options.mount = rung.or(job.options.mount);
        // A layer is made by whoever uses it first. That it takes a root of its own stays true.
        job.options.strict |= job.options.persist.take().is_some();
        (job.options.status, job.options.status_fd) = (false, None);
        supervise(job, None::<MissObserver>)
    });
    let error = match end {
        Ok(End::Exited(0)) => return 0,
        Ok(End::Failed(error)) | Err(error) => error,
        Ok(End::Exited(_) | End::Signalled(_)) => Error::InitEnded(None),
    };
    let failure = Failure::of(&error, error.hint(), error.status());
    match File::from(tells).write_all(&failure.encode()) {
        Ok(()) | Err(_) => exit::FAILED,
    }
}
