//! Flags of our own. They are recognised in front of the app's arguments only; everything behind them is the app's.

use std::ffi::{OsStr, OsString};

use std::fmt::Write;

use runtime::options::{FLAGS, Flag, OptionFault, split, take_prefixed};

use crate::error::Error;

/// What `--polecat-help` prints.
pub(crate) const HELP: &str = "\
This file is a polecat bundle: a program with all that it needs, signed. Arguments go to the program.

In front of the program's arguments, where -- ends them:
  --polecat-help         print this
  --polecat-inspect      print what the bundle says of itself, and which keys signed that
  --polecat-verify       check this executable, the signatures, and every block of the image
  --polecat-extract DIR  write the program's files into DIR, which is empty or made
  --polecat-release      let go of a mount of this bundle that was kept for the next start
  --polecat-entry NAME   start the program that is called NAME
  --polecat-doctor       try every way to start the program here, and say which work, why the others do not, and what would help;
                         with --json behind it, as JSON. Exit status 1 if none works
  --polecat-misses       run the program, and print at its end on stderr which files it looked for in vain that were there when it
                         was packed

Shared with the program, at their own paths and to be written: your home directory ($HOME) and the current directory.
Not shared are
  both, with POLECAT_CONTAIN=1, or in a bundle that was packed with --contain
  a home that is not set, is not there, or is no absolute path
  the directory /, and what lies in /proc, /sys or /dev
  a directory in whose place the bundle has files of its own
Where the current directory is not shared the program starts in /. POLECAT_DEBUG=1 says which directory was refused, and why.
The environment, terminal and network are yours; /tmp and /run are empty, and what else is written is gone at the end.
Where no root of its own can be had the program sees all of yours instead, unless --polecat-strict refuses that:
--polecat-doctor says which it is here.

Variables:
  POLECAT_MOUNT    loop, fuse or unpack: the only way in which the image may be mounted;
                   the option --polecat-mount also takes fusermount and disk
  POLECAT_CONTAIN  1: share no files and no environment with the program
  POLECAT_DEBUG    1: say on stderr what is tried, and why it is left
  POLECAT_KEEP     seconds: keep the mounted image so long for the next start; 0: keep none, and use none that is kept
  POLECAT_MISSES   a file to write what --polecat-misses prints to, for `polecat pack --add-misses`

Exit status: the program's. If a signal killed it, so is this process. Besides:
  121  the bundle is not what was signed
  125  the program could not be started
  126  the program was found and cannot be executed
  127  the program was not found, or has another NAME
";

/// The options of a run, for the help.
pub(crate) fn options() -> String {
    let mut text = String::from("\nHow the program is run, also in front of its arguments:\n");
    for flag in FLAGS {
        let value = flag.value.map_or(String::new(), |value| format!(" {value}"));
        // Writing to a String cannot fail.
        match writeln!(text, "  --polecat-{}{value}\n      {}", flag.name, flag.help) {
            Ok(()) | Err(_) => {}
        }
    }
    text
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Print [`HELP`] and [`options`].
    Help,
    /// Print the manifest.
    Inspect,
    /// Check everything.
    Verify,
    /// Let go of a kept mount.
    Release,
    /// Try every rung of the ladder.
    Doctor {
        /// Words of [`runtime::options`].
        options: Vec<OsString>,
        /// Print JSON.
        json: bool,
    },
    /// Unpack the image into this directory.
    Extract(OsString),
    /// Run a program.
    Run(Run),
}

/// A run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// The program of this name, not the one that the file is called after.
    pub(crate) entry: Option<OsString>,
    /// Print what it misses.
    pub(crate) misses: bool,
    /// Words of [`runtime::options`].
    pub(crate) options: Vec<OsString>,
    /// The program's arguments.
    pub(crate) arguments: Vec<OsString>,
}

/// What the arguments, without the program's name, ask for.
pub(crate) fn request(arguments: impl Iterator<Item = OsString>) -> Result<Request, Error> {
    let (words, rest) = take_prefixed(arguments, takes_value).map_err(|fault| match &fault {
        OptionFault::NoValue { name } if name == "--polecat-extract" => Error::ExtractWhere,
        OptionFault::NoValue { name } if name == "--polecat-entry" => Error::EntryWhich,
        _ => Error::Option(fault),
    })?;
    let mut run = Run {
        arguments: rest,
        ..Run::default()
    };
    let mut doctor = false;
    for word in words {
        match split(&word) {
            (name, None) if name == "help" => return Ok(Request::Help),
            (name, None) if name == "inspect" => return Ok(Request::Inspect),
            (name, None) if name == "verify" => return Ok(Request::Verify),
            (name, Some(target)) if name == "extract" => return extract(target, &run.arguments),
            (name, None) if name == "release" => return Ok(Request::Release),
            (name, None) if name == "doctor" => doctor = true,
            (name, None) if name == "misses" => run.misses = true,
            (name, Some(entry)) if name == "entry" => run.entry = Some(entry.to_owned()),
            (name, _) if Flag::named(name).is_some() => run.options.push(word),
            _ => return Err(Error::UnknownFlag(word)),
        }
    }
    if !doctor {
        return Ok(Request::Run(run));
    }
    match run.arguments.as_slice() {
        arguments if arguments.iter().all(|argument| argument == "--json") => Ok(Request::Doctor {
            options: run.options,
            json: !arguments.is_empty(),
        }),
        _ => Err(Error::DoctorWhat),
    }
}

fn extract(target: &OsStr, more: &[OsString]) -> Result<Request, Error> {
    match more {
        [] => Ok(Request::Extract(target.to_owned())),
        _ => Err(Error::ExtractWhere),
    }
}

fn takes_value(name: &OsStr) -> bool {
    let is_run_option = || Flag::named(name).is_some_and(|flag| flag.value.is_some());
    name == "extract" || name == "entry" || is_run_option()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Request, Error> {
        request(arguments.iter().map(OsString::from))
    }

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn run(arguments: &[&str]) -> Run {
        Run {
            arguments: words(arguments),
            ..Run::default()
        }
    }

    #[test]
    fn our_flags_come_first_or_not_at_all() {
        let cases: [(&[&str], Request); 12] = [
            (&[], Request::Run(run(&[]))),
            (&["--help"], Request::Run(run(&["--help"]))),
            (&["--polecat"], Request::Run(run(&["--polecat"]))),
            (&["x", "--polecat-help"], Request::Run(run(&["x", "--polecat-help"]))),
            (&["--", "--polecat-help"], Request::Run(run(&["--", "--polecat-help"]))),
            (&["--polecat-help", "x"], Request::Help),
            (&["--polecat-contain", "--polecat-help", "x"], Request::Help),
            (&["--polecat-inspect"], Request::Inspect),
            (&["--polecat-verify"], Request::Verify),
            (&["--polecat-extract=x"], Request::Extract("x".into())),
            (
                &["--polecat-extract", "--polecat-help"],
                Request::Extract("--polecat-help".into()),
            ),
            (&["--polecat-extract", "x", "--"], Request::Extract("x".into())),
        ];
        for (arguments, expected) in cases {
            assert_eq!(asked(arguments).unwrap(), expected, "{arguments:?}");
        }
    }

    #[test]
    fn flags_of_a_run_are_taken_together() {
        let expected = Run {
            entry: Some("x".into()),
            misses: true,
            options: words(&["hostname=--", "contain"]),
            arguments: words(&["--", "--polecat-help"]),
        };
        let arguments = [
            "--polecat-misses",
            "--polecat-hostname",
            "--",
            "--polecat-contain",
            "--polecat-entry=x",
            "--",
            "--",
            "--polecat-help",
        ];
        assert_eq!(asked(&arguments).unwrap(), Request::Run(expected));
    }

    #[test]
    fn the_doctor_is_told_how_to_speak() {
        let doctor = |options: &[&str], json| Request::Doctor {
            options: words(options),
            json,
        };
        for (arguments, expected) in [
            (&["--polecat-doctor"][..], doctor(&[], false)),
            (&["--polecat-doctor", "--json"], doctor(&[], true)),
            (
                &["--polecat-strict", "--polecat-doctor", "--", "--json"],
                doctor(&["strict"], true),
            ),
        ] {
            assert_eq!(asked(arguments).unwrap(), expected, "{arguments:?}");
        }
        assert!(matches!(asked(&["--polecat-doctor", "x"]), Err(Error::DoctorWhat)));
    }

    #[test]
    fn the_help_says_what_is_shared_and_when_it_is_not() {
        let (_, shared) = HELP.split_once("\nShared with the program").unwrap();
        let (shared, _) = shared.split_once("\n\n").unwrap();
        for told in [
            "home directory",
            "current directory",
            "POLECAT_CONTAIN=1",
            "--contain",
            "a home that is not set, is not there",
            "/proc, /sys or /dev",
            "starts in /",
            "POLECAT_DEBUG=1",
        ] {
            assert!(shared.contains(told), "{told}");
        }
        assert!(HELP.lines().all(|line| line.len() <= 130));
    }

    #[test]
    fn flags_that_mean_nothing() {
        for (flag, word) in [
            ("--polecat-", ""),
            ("--polecat-Help", "Help"),
            ("--polecat-help=x", "help=x"),
            ("--polecat-run", "run"),
        ] {
            assert!(
                matches!(asked(&[flag]), Err(Error::UnknownFlag(unknown)) if unknown == word),
                "{flag}"
            );
        }
        for arguments in [&["--polecat-extract"][..], &["--polecat-extract", "a", "b"]] {
            assert!(matches!(asked(arguments), Err(Error::ExtractWhere)), "{arguments:?}");
        }
        assert!(matches!(asked(&["--polecat-entry"]), Err(Error::EntryWhich)));
    }
}
