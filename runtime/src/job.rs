//! What is to be run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bundle::manifest::{Isolation, Process};

use crate::control::Control;
use crate::host::Shared;
use crate::image::VerifiedImage;
use crate::options::{OptionFault, Options};
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
    pub(crate) options: Options,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) control: Control,
    /// Directories of the host that the caller names, beside those that are shared by themselves.
    pub(crate) binds: Vec<Shared>,
    /// Whether the layer gets files with the names of the host's servers and of the caller.
    pub(crate) names: bool,
}

impl Job {
    /// The packer's options, the caller's over them, and what variables narrow.
    ///
    /// # Errors
    /// A word among the options that is none.
    pub(crate) fn new(
        source: Source,
        process: Process,
        isolation: &Isolation,
        arguments: Vec<OsString>,
        control: Control,
    ) -> Result<Self, OptionFault> {
        let mut options = Options::read(&isolation.options)?;
        options.contain |= isolation.contain;
        options.keep = control.keep.or(options.keep);
        options.extend(&control.options)?;
        options.contain |= control.contain;
        Ok(Self {
            source,
            process,
            options,
            arguments,
            control,
            binds: Vec::new(),
            names: true,
        })
    }

    /// A program of a bundle.
    pub(crate) fn of_bundle(
        verified: &Verified,
        process: Process,
        arguments: Vec<OsString>,
        control: Control,
    ) -> Result<Self, OptionFault> {
        let source = Source::Image(verified.image());
        Self::new(source, process, &verified.manifest().isolation, arguments, control)
    }

    /// Where the app begins, if anybody says so: the caller before the packer.
    pub(crate) fn cwd(&self) -> Option<&Path> {
        let asked = self.options.workdir.as_ref().or(self.process.cwd.as_ref());
        asked.map(Path::new)
    }

    /// `NAME=VALUE`, the packer's and the caller's over them.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let all = self.process.env.iter().chain(&self.options.env);
        all.map(String::as_str)
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

    fn job(packed: (bool, &[&str]), asked: (bool, &[&str])) -> Result<Job, OptionFault> {
        let process = Process {
            path: "/x".into(),
            args: vec!["x".into()],
            env: Vec::new(),
            cwd: None,
        };
        let control = Control {
            contain: asked.0,
            options: asked.1.iter().map(OsString::from).collect(),
            ..Control::default()
        };
        let isolation = Isolation {
            contain: packed.0,
            options: packed.1.iter().map(ToString::to_string).collect(),
        };
        let source = Source::Directory("/".into());
        Job::new(source, process, &isolation, vec!["y".into()], control)
    }

    #[test]
    fn variables_narrow_and_options_say_the_last_word() {
        for (packed, asked, contained) in [
            (false, (false, &[][..]), false),
            (true, (false, &[]), true),
            (false, (true, &[]), true),
            (true, (true, &[]), true),
            (false, (false, &["contain"]), true),
            (true, (false, &["contain=no"]), false),
            (true, (true, &["contain=no"]), true),
        ] {
            let job = job((packed, &[]), asked).unwrap();
            assert_eq!(job.options.contain, contained, "{packed} {asked:?}");
            assert_eq!(job.all_arguments().collect::<Vec<_>>(), ["x", "y"]);
        }
    }

    #[test]
    fn the_callers_options_come_over_the_packers() {
        let job = job((false, &["hostname=a"]), (false, &["hostname=b"])).unwrap();
        assert_eq!(job.options.hostname.as_deref(), Some("b"));
    }

    #[test]
    fn a_packed_option_that_is_none_stops_the_start() {
        assert!(job((false, &["telepathy"]), (false, &[])).is_err());
    }
}
