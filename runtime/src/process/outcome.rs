//! What a run came to, from what the monitor saw of it. Pure.

use std::path::PathBuf;

use crate::error::Error;
use crate::exit::End;
use crate::ladder::Rung;
use crate::sys::process::Change;

use super::message::Failure;

/// What the monitor saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Init said that the root stands.
    pub(crate) started: bool,
    /// Init, or the app's process before it was the app, failed.
    pub(crate) failed: Option<Failure>,
    /// The same, and another way may lead to one.
    pub(crate) left: Option<Failure>,
    /// execve(2) failed: why, and whether the file is there.
    pub(crate) not_executed: Option<(i32, bool)>,
    /// The app ended so.
    pub(crate) app: Option<Change>,
    /// Init ended so.
    pub(crate) init: Option<Change>,
    /// The image server said this.
    pub(crate) image: Option<Failure>,
    /// The image server ended so while the app needed it.
    pub(crate) server: Option<(Change, Option<Rung>)>,
    /// Why nobody served the image when init tried the FUSE rung.
    pub(crate) unserved: Option<Failure>,
    /// The user ended the run by this signal before there was an app.
    pub(crate) interrupted: Option<i32>,
}

impl Observed {
    /// Whether there was an app, given that nobody is about to execute it any more.
    pub(crate) fn was_executed(&self) -> bool {
        let failed =
            self.failed.is_some() || self.left.is_some() || self.not_executed.is_some() || self.interrupted.is_some();
        !failed && (self.app.is_some() || self.init.is_none())
    }

    /// Why another way is to be tried, if it is: nothing of the app was executed, and nobody wants it to end.
    pub(crate) fn left(&self) -> Option<Failure> {
        let goes_on = !self.started && self.image.is_none() && self.interrupted.is_none() && self.failed.is_none();
        let failure = match (&self.left, self.init) {
            (Some(failure), _) => match &self.unserved {
                Some(reason) => failure.clone().because(reason.clone()),
                None => failure.clone(),
            },
            // A filter of system calls that kills.
            (None, Some(init @ Change::Signalled(libc::SIGSYS))) => {
                let error = Error::InitEnded(Some(init));
                Failure::of(&error, error.hint(), error.status())
            }
            _ => return None,
        };
        goes_on.then_some(failure)
    }

    /// The end of the run. `program` is the path that was to be executed.
    pub(crate) fn conclude(self, program: &str) -> End {
        // Bytes that nobody signed may have gone into anything else that was seen.
        if let Some(failure) = self.image {
            return End::Failed(Error::Elsewhere(failure));
        }
        if let Some((change, rung)) = self.server {
            let change = Some(change);
            return End::Failed(Error::ServerEnded { change, rung });
        }
        if let Some(signal) = self.interrupted {
            return End::Signalled(signal);
        }
        if let Some(failure) = self.failed.or(self.left) {
            // Init knows only that nobody served.
            let reason = self.unserved.filter(|_| !self.started);
            return End::Failed(Error::Elsewhere(match reason {
                Some(reason) => failure.because(reason),
                None => failure,
            }));
        }
        if let Some((errno, present)) = self.not_executed {
            return End::Failed(Error::NotExecuted {
                path: PathBuf::from(program),
                errno,
                present,
            });
        }
        match (self.app, self.started, self.init) {
            (Some(Change::Exited(status)), _, _) => End::Exited(status),
            (Some(Change::Signalled(signal)), _, _) => End::Signalled(signal),
            // Init was killed, and with it, by the kernel, the app.
            (_, true, Some(Change::Signalled(signal))) => End::Signalled(signal),
            (_, _, init) => End::Failed(Error::InitEnded(init)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u8) -> Option<Failure> {
        Some(Failure {
            status,
            message: "x".into(),
            hint: None,
        })
    }

    fn concluded(observed: Observed) -> String {
        match observed.conclude("/bin/x") {
            End::Exited(status) => format!("exited {status}"),
            End::Signalled(signal) => format!("signal {signal}"),
            End::Failed(error) => format!("failed {}", error.status()),
        }
    }

    #[test]
    fn a_rung_that_nobody_served_is_told_with_the_reason() {
        let said = |message: &str, hint: Option<&str>| Failure {
            status: 125,
            message: message.into(),
            hint: hint.map(Into::into),
        };
        let told = |failed, started| {
            let observed = Observed {
                failed: Some(failed),
                unserved: Some(said("start the image server: no", Some("more"))),
                started,
                ..Observed::default()
            };
            match observed.conclude("/bin/x") {
                End::Failed(error) => (error.to_string(), error.hint().unwrap_or_default()),
                end => panic!("{end:?}"),
            }
        };
        for (own, hint) in [(None, "more"), (Some("less"), "less")] {
            let (text, found) = told(said("fuse: nobody serves", own), false);
            assert_eq!(text, "fuse: nobody serves; start the image server: no");
            assert_eq!(found, hint);
        }
        // Another rung held: what failed then is another matter.
        let (text, hint) = told(said("fork the app's process", None), true);
        assert_eq!((text.as_str(), hint.as_str()), ("fork the app's process", ""));
    }

    #[test]
    fn another_way_is_tried_where_nothing_was_executed() {
        let left = Observed {
            left: failure(125),
            init: Some(Change::Exited(125)),
            ..Observed::default()
        };
        let changed = |change: &dyn Fn(&mut Observed)| {
            let mut observed = left.clone();
            change(&mut observed);
            observed.left().is_some()
        };
        assert!(changed(&|_| ()));
        assert!(!changed(&|observed| observed.started = true));
        assert!(!changed(&|observed| observed.failed = failure(125)));
        assert!(!changed(&|observed| observed.image = failure(121)));
        assert!(!changed(&|observed| observed.interrupted = Some(2)));
        assert!(!changed(&|observed| observed.left = None));
        let killed = |signal| {
            changed(&|observed| {
                observed.left = None;
                observed.init = Some(Change::Signalled(signal));
            })
        };
        assert!(killed(libc::SIGSYS) && !killed(libc::SIGKILL));
        assert_eq!(concluded(left), "failed 125");
    }

    #[test]
    fn ends() {
        let seen = Observed {
            started: true,
            init: Some(Change::Exited(0)),
            ..Observed::default()
        };
        let app = |change| Observed {
            app: Some(change),
            ..seen.clone()
        };
        let cases = [
            (app(Change::Exited(0)), "exited 0"),
            (app(Change::Exited(255)), "exited 255"),
            (app(Change::Signalled(11)), "signal 11"),
            // The app's own 121 is not ours, and ours is not the app's.
            (app(Change::Exited(121)), "exited 121"),
            (
                Observed {
                    image: failure(121),
                    ..app(Change::Exited(0))
                },
                "failed 121",
            ),
            (
                Observed {
                    server: Some((Change::Signalled(9), Some(Rung::Fuse))),
                    ..app(Change::Signalled(9))
                },
                "failed 125",
            ),
            (
                Observed {
                    image: failure(125),
                    server: Some((Change::Exited(125), Some(Rung::Fuse))),
                    ..seen.clone()
                },
                "failed 125",
            ),
            (
                Observed {
                    not_executed: Some((libc::ENOENT, false)),
                    ..app(Change::Exited(125))
                },
                "failed 127",
            ),
            (
                Observed {
                    not_executed: Some((libc::EACCES, true)),
                    ..app(Change::Exited(125))
                },
                "failed 126",
            ),
            (
                Observed {
                    failed: failure(125),
                    ..app(Change::Exited(125))
                },
                "failed 125",
            ),
            (
                Observed {
                    failed: failure(121),
                    started: false,
                    ..seen.clone()
                },
                "failed 121",
            ),
            (
                Observed {
                    interrupted: Some(2),
                    started: false,
                    init: Some(Change::Signalled(9)),
                    ..seen.clone()
                },
                "signal 2",
            ),
            (
                Observed {
                    init: Some(Change::Signalled(9)),
                    ..seen.clone()
                },
                "signal 9",
            ),
            (
                Observed {
                    init: Some(Change::Signalled(9)),
                    started: false,
                    ..seen.clone()
                },
                "failed 125",
            ),
            (seen, "failed 125"),
        ];
        for (observed, expected) in cases {
            assert_eq!(concluded(observed.clone()), expected, "{observed:?}");
        }
    }
}
