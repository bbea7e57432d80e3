//! Flags of our own. They are recognised as the first argument only; everything else is the app's.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::error::Error;

/// What all of them begin with.
const PREFIX: &[u8] = b"--polecat-";

/// What `--polecat-help` prints.
pub(crate) const HELP: &str = "\
This file is a polecat bundle: a program with all that it needs, signed. Arguments go to the program.

As the first argument, and as the first only:
  --polecat-help         print this
  --polecat-inspect      print what the bundle says of itself, and which keys signed that
  --polecat-verify       check this executable, the signatures, and every block of the image
  --polecat-extract DIR  write the program's files into DIR, which is empty or made
  --polecat-entry NAME   start the program that is called NAME, with the arguments behind it
  --polecat-misses       run the program with the arguments that follow, and print at its end on stderr which files it looked for
                         in vain that were there when it was packed

Shared with the program, at their own paths and to be written: your home directory ($HOME) and the current directory.
Not shared are
  both, with POLECAT_CONTAIN=1, or in a bundle that was packed with --contain
  a home that is not set, is not there, or is no absolute path
  the directory /, and what lies in /proc, /sys or /dev
  a directory in whose place the bundle has files of its own
Where the current directory is not shared the program starts in /. POLECAT_DEBUG=1 says which directory was refused, and why.
The environment, terminal and network are yours; /tmp and /run are empty, and what else is written is gone at the end.

Variables:
  POLECAT_MOUNT    loop, fuse or unpack: the only way in which the image may be mounted
  POLECAT_CONTAIN  1: share no files and no environment with the program
  POLECAT_DEBUG    1: say on stderr what is tried, and why it is left
  POLECAT_MISSES   a file to write what --polecat-misses prints to, for `polecat pack --add-misses`

Exit status: the program's. If a signal killed it, so is this process. Besides:
  121  the bundle is not what was signed
  125  the program could not be started
  126  the program was found and cannot be executed
  127  the program was not found, or has another NAME
";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Print [`HELP`].
    Help,
    /// Print the manifest.
    Inspect,
    /// Check everything.
    Verify,
    /// Unpack the image into this directory.
    Extract(OsString),
    /// Run the program of this name with these arguments.
    Entry(OsString, Vec<OsString>),
    /// Run the app with these arguments, and print what it misses.
    Misses(Vec<OsString>),
    /// Run the app with these arguments.
    Run(Vec<OsString>),
}

/// What the arguments, without the program's name, ask for.
pub(crate) fn request(mut arguments: impl Iterator<Item = OsString>) -> Result<Request, Error> {
    let Some(first) = arguments.next() else {
        return Ok(Request::Run(Vec::new()));
    };
    match own_flag(&first) {
        None => Ok(Request::Run(std::iter::once(first).chain(arguments).collect())),
        Some(b"help") => Ok(Request::Help),
        Some(b"inspect") => Ok(Request::Inspect),
        Some(b"verify") => Ok(Request::Verify),
        Some(b"misses") => Ok(Request::Misses(arguments.collect())),
        Some(b"extract") => match (arguments.next(), arguments.next()) {
            (Some(target), None) => Ok(Request::Extract(target)),
            _ => Err(Error::ExtractWhere),
        },
        Some(b"entry") => match arguments.next() {
            Some(name) => Ok(Request::Entry(name, arguments.collect())),
            None => Err(Error::EntryWhich),
        },
        Some(_) => Err(Error::UnknownFlag(first)),
    }
}

fn own_flag(argument: &OsStr) -> Option<&[u8]> {
    argument.as_bytes().strip_prefix(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Request, Error> {
        request(arguments.iter().map(OsString::from))
    }

    fn run(arguments: &[&str]) -> Request {
        Request::Run(arguments.iter().map(OsString::from).collect())
    }

    #[test]
    fn our_flags_come_first_or_not_at_all() {
        let cases: [(&[&str], Request); 12] = [
            (&[], run(&[])),
            (&["--help"], run(&["--help"])),
            (&["--polecat"], run(&["--polecat"])),
            (&["x", "--polecat-help"], run(&["x", "--polecat-help"])),
            (&["--", "--polecat-help"], run(&["--", "--polecat-help"])),
            (&["--polecat-help", "x"], Request::Help),
            (&["--polecat-inspect"], Request::Inspect),
            (&["--polecat-verify"], Request::Verify),
            (
                &["--polecat-misses", "--polecat-help", "x"],
                Request::Misses(vec!["--polecat-help".into(), "x".into()]),
            ),
            (
                &["--polecat-extract", "--polecat-help"],
                Request::Extract("--polecat-help".into()),
            ),
            (&["--polecat-entry", "x"], Request::Entry("x".into(), Vec::new())),
            (
                &["--polecat-entry", "x", "--polecat-help", "y"],
                Request::Entry("x".into(), vec!["--polecat-help".into(), "y".into()]),
            ),
        ];
        for (arguments, expected) in cases {
            assert_eq!(asked(arguments).unwrap(), expected, "{arguments:?}");
        }
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
        for flag in ["--polecat-", "--polecat-Help", "--polecat-extract=x", "--polecat-run"] {
            assert!(
                matches!(asked(&[flag]), Err(Error::UnknownFlag(unknown)) if unknown == flag),
                "{flag}"
            );
        }
        for arguments in [&["--polecat-extract"][..], &["--polecat-extract", "a", "b"]] {
            assert!(matches!(asked(arguments), Err(Error::ExtractWhere)), "{arguments:?}");
        }
        assert!(matches!(asked(&["--polecat-entry"]), Err(Error::EntryWhich)));
    }
}
