//! What is to be run.

use std::ffi::OsString;
use std::path::PathBuf;

use bundle::manifest::{Isolation, Process};

use crate::control::Control;
use crate::host::Shared;
use crate::image::VerifiedImage;
use crate::verify::Verified;

/// Where the app's files come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A verified bundle.
    Image(VerifiedImage),
    /// A directory, as it is.
    Directory(PathBuf),
}

impl Source {
    /// The image, if that is what it is.
    pub(crate) fn image(&self) -> Option<&VerifiedImage> {
        match self {
            Self::Image(image) => Some(image),
            Self::Directory(_) => None,
        }
    }
}

/// A program, its files, and how the caller wants it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) source: Source,
    pub(crate) process: Process,
    pub(crate) contain: bool,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) control: Control,
    /// Directories of the host that the caller names, beside those that are shared by themselves.
    pub(crate) binds: Vec<Shared>,
    /// Whether the layer gets files with the names of the host's servers and of the caller.
    pub(crate) names: bool,
}

impl Job {
    /// The caller may narrow what the packer allowed, never widen it.
    pub(crate) fn new(
        source: Source,
        process: Process,
        isolation: &Isolation,
        arguments: Vec<OsString>,
        control: Control,
    ) -> Self {
        Self {
            source,
            process,
            contain: isolation.contain || control.contain,
            arguments,
            control,
            binds: Vec::new(),
            names: true,
        }
    }

    /// A program of a bundle.
    pub(crate) fn of_bundle(verified: &Verified, process: Process, arguments: Vec<OsString>, control: Control) -> Self {
        let source = Source::Image(verified.image());
        Self::new(source, process, &verified.manifest().isolation, arguments, control)
    }

    /// The manifest's arguments, and the caller's behind them.
    pub(crate) fn all_arguments(&self) -> impl Iterator<Item = OsString> {
        self.process
            .args
            .iter()
            .map(OsString::from)
            .chain(self.arguments.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_may_only_narrow() {
        for (packed, asked, contained) in [
            (false, false, false),
            (true, false, true),
            (false, true, true),
            (true, true, true),
        ] {
            let process = Process {
                path: "/x".into(),
                args: vec!["x".into()],
                env: Vec::new(),
                cwd: None,
            };
            let control = Control {
                contain: asked,
                ..Control::default()
            };
            let isolation = Isolation { contain: packed };
            let source = Source::Directory("/".into());
            let job = Job::new(source, process, &isolation, vec!["y".into()], control);
            assert_eq!(job.contain, contained);
            assert_eq!(job.all_arguments().collect::<Vec<_>>(), ["x", "y"]);
        }
    }
}
