//! What is to be run.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use bundle::manifest::{Isolation, Process};

use crate::confine::seccomp::{self, Filter};
use crate::control::Control;
use crate::error::Error;
use crate::image::VerifiedImage;
use crate::options::{self, FilterChoice, MANIFEST, OptionFault, Options, spelled};
use crate::root::op::Bind;
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
    /// What tells it from another: the root digest of an image, the path of a directory.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Image(image) => format!("image {}", image.name()),
            Self::Directory(path) => format!("directory {}", path.display()),
        }
    }

    /// What options are called with in front of their names.
    pub(crate) fn prefix(&self) -> &'static str {
        match self {
            Self::Image(_) => options::PREFIX,
            Self::Directory(_) => options::VERBS_PREFIX,
        }
    }

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
    pub(crate) filter: Filter,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) control: Control,
    /// Parts of the host that the library's caller names, beside those of the options.
    pub(crate) binds: Vec<Bind>,
    /// Nothing is executed: where it would be, the name of the rung is written to this.
    pub(crate) trial: Option<OwnedFd>,
    /// Whether the layer gets files with the names of the host's servers and of the caller.
    pub(crate) names: bool,
}

impl Job {
    /// The packer's options, the caller's over them, and what variables narrow.
    ///
    /// # Errors
    /// A word among the options that is none, or a profile of system calls.
    pub(crate) fn new(
        source: Source,
        process: Process,
        isolation: &Isolation,
        arguments: Vec<OsString>,
        control: Control,
    ) -> Result<Self, Error> {
        let mut options = Options::packed(isolation.contain, &isolation.options)?;
        if control.contain {
            options.close();
        }
        options.keep = control.keep.or(options.keep);
        let packed = packed_filter(isolation, options.seccomp.take())?;
        let prefix = source.prefix();
        options.extend(&control.options, prefix)?;
        options.mount = options.mount.or(control.mount);
        let filter = match &options.seccomp {
            None => packed,
            Some(FilterChoice::Default) => Filter::Default,
            Some(FilterChoice::Off) => Filter::Off,
            Some(FilterChoice::File(path)) => Filter::Profile(seccomp::load(path)?),
        };
        // No option takes back what a variable says.
        if control.contain && !options.contain {
            options.close();
        }
        if options.supervision.log.is_some() && !options.supervision.background {
            let fault = OptionFault::Without {
                name: "log",
                other: "background",
                prefix,
            };
            return Err(fault.into());
        }
        Ok(Self {
            source,
            process,
            options,
            filter,
            arguments,
            control,
            binds: Vec::new(),
            trial: None,
            names: true,
        })
    }

    /// A program of a bundle.
    pub(crate) fn of_bundle(
        verified: &Verified,
        process: Process,
        arguments: Vec<OsString>,
        control: Control,
    ) -> Result<Self, Error> {
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

/// The filter of a manifest: a word for those that polecat has, else a profile. A file's name means nothing here.
fn packed_filter(isolation: &Isolation, word: Option<FilterChoice>) -> Result<Filter, Error> {
    match (word, &isolation.seccomp) {
        (Some(FilterChoice::File(path)), _) => Err(Error::Option(OptionFault::Value {
            name: spelled(MANIFEST, "seccomp".as_ref()),
            value: path.into(),
            expected: "default or none in a manifest, or a profile beside the options",
        })),
        (Some(FilterChoice::Off), _) => Ok(Filter::Off),
        (_, Some(profile)) => {
            seccomp::check(profile).map_err(Error::Seccomp)?;
            Ok(Filter::Profile(profile.clone()))
        }
        (_, None) => Ok(Filter::Default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::Rung;
    use bundle::manifest::Seccomp;

    fn process() -> Process {
        Process {
            path: "/x".into(),
            args: vec!["x".into()],
            env: Vec::new(),
            cwd: None,
        }
    }

    fn job(packed: (bool, &[&str]), asked: (bool, &[&str])) -> Result<Job, Error> {
        let control = Control {
            contain: asked.0,
            options: asked.1.iter().map(OsString::from).collect(),
            ..Control::default()
        };
        let isolation = Isolation {
            contain: packed.0,
            options: packed.1.iter().map(ToString::to_string).collect(),
            seccomp: None,
        };
        let source = Source::Directory("/".into());
        Job::new(source, process(), &isolation, vec!["y".into()], control)
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
    fn the_option_beats_the_variable() {
        for (variable, option, taken) in [
            (None, None, None),
            (Some(Rung::Fuse), None, Some(Rung::Fuse)),
            (None, Some("mount=disk"), Some(Rung::Disk)),
            (Some(Rung::Fuse), Some("mount=fusermount"), Some(Rung::Fusermount)),
        ] {
            let control = Control {
                mount: variable,
                options: option.map(OsString::from).into_iter().collect(),
                ..Control::default()
            };
            let source = Source::Directory("/".into());
            let job = Job::new(source, process(), &Isolation::default(), Vec::new(), control).unwrap();
            assert_eq!(job.options.mount, taken, "{variable:?} {option:?}");
        }
    }

    #[test]
    fn a_log_is_for_the_background() {
        assert!(job((false, &[]), (false, &["log=x"])).is_err());
        assert!(job((false, &[]), (false, &["log=x", "background"])).is_ok());
    }

    #[test]
    fn a_packed_option_that_is_none_stops_the_start() {
        assert!(job((false, &["telepathy"]), (false, &[])).is_err());
        // A file of the host's is the caller's to name.
        for word in ["background", "log=/x", "pid-file=/x", "env=A=b", "mount=disk"] {
            let fault = job((false, &[word]), (false, &[])).unwrap_err();
            assert!(
                matches!(fault, Error::Option(OptionFault::Callers { .. })),
                "{word}: {fault}"
            );
        }
    }

    #[test]
    fn the_caller_has_the_last_word_on_the_filter() {
        let profile = || Seccomp {
            default_action: "SCMP_ACT_LOG".into(),
            ..Seccomp::default()
        };
        let filter = |words: &[&str], packed: Option<Seccomp>, asked: &[&str]| {
            let control = Control {
                options: asked.iter().map(OsString::from).collect(),
                ..Control::default()
            };
            let isolation = Isolation {
                options: words.iter().map(ToString::to_string).collect(),
                seccomp: packed,
                ..Isolation::default()
            };
            let source = Source::Directory("/".into());
            Job::new(source, process(), &isolation, Vec::new(), control).map(|job| job.filter)
        };
        assert_eq!(filter(&[], None, &[]).unwrap(), Filter::Default);
        assert_eq!(filter(&["seccomp=none"], None, &[]).unwrap(), Filter::Off);
        assert_eq!(filter(&[], Some(profile()), &[]).unwrap(), Filter::Profile(profile()));
        let asked = filter(&[], Some(profile()), &["seccomp=default"]);
        assert_eq!(asked.unwrap(), Filter::Default);
        assert_eq!(
            filter(&["seccomp=none"], None, &["seccomp=default"]).unwrap(),
            Filter::Default
        );
        assert_eq!(filter(&[], None, &["seccomp=none"]).unwrap(), Filter::Off);
        let strange = Seccomp {
            default_action: "SCMP_ACT_FLY".into(),
            ..Seccomp::default()
        };
        assert!(matches!(filter(&[], Some(strange), &[]), Err(Error::Seccomp(_))));
        assert!(matches!(
            filter(&["seccomp=/etc/passwd"], None, &[]),
            Err(Error::Option(_))
        ));
        assert!(matches!(
            filter(&[], None, &["seccomp=/nowhere/p"]),
            Err(Error::Profile(_))
        ));
    }
}
