//! Options of isolation, out of the runtime's own table.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use runtime::options::{FLAGS, Flag};

const HEADING: &str = "Isolation";

/// Those that are fixed in a manifest, as words.
#[derive(Debug, Default)]
pub(in crate::cli) struct PackedOptions(pub(in crate::cli) Vec<OsString>);

/// All of them, for a run, as words.
#[derive(Debug, Default)]
pub(in crate::cli) struct RunOptions(pub(in crate::cli) Vec<OsString>);

fn packed() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(|flag| flag.packed)
}

/// An argument for a flag. A switch may have a value, with `=`.
fn argument(flag: &'static Flag) -> Arg {
    let argument = Arg::new(flag.name)
        .long(flag.name)
        .help(flag.help)
        .help_heading(HEADING)
        .action(ArgAction::Append)
        .value_parser(ValueParser::os_string());
    match flag.value {
        Some(value) => argument.value_name(value),
        None => argument
            .value_name("yes|no")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("yes")
            .hide_possible_values(true),
    }
}

fn augment(command: Command, flags: impl Iterator<Item = &'static Flag>) -> Command {
    flags.fold(command, |command, flag| command.arg(argument(flag)))
}

/// In the order in which they were given: the last one counts.
fn words(matches: &ArgMatches, flags: impl Iterator<Item = &'static Flag>) -> Vec<OsString> {
    let mut words = Vec::new();
    for flag in flags {
        let values = matches.get_many::<OsString>(flag.name).into_iter().flatten();
        let places = matches.indices_of(flag.name).into_iter().flatten();
        for (place, value) in places.zip(values) {
            let mut word = OsString::from(flag.name);
            word.push("=");
            word.push(value);
            words.push((place, word));
        }
    }
    words.sort();
    words.into_iter().map(|(_, word)| word).collect()
}

impl FromArgMatches for PackedOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(words(matches, packed())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = words(matches, packed());
        Ok(())
    }
}

impl Args for PackedOptions {
    fn augment_args(command: Command) -> Command {
        augment(command, packed())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RunOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(words(matches, FLAGS.iter())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = words(matches, FLAGS.iter());
        Ok(())
    }
}

impl Args for RunOptions {
    fn augment_args(command: Command) -> Command {
        augment(command, FLAGS.iter())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_order() {
        let command = RunOptions::augment_args(Command::new("run"));
        let line = [
            "run",
            "--cap-drop=all",
            "--cap-add",
            "kill",
            "--contain",
            "--cap-drop",
            "kill",
            "--contain=no",
        ];
        let matches = command.try_get_matches_from(line).unwrap();
        let words = RunOptions::from_arg_matches(&matches).unwrap().0;
        let expected = [
            "cap-drop=all",
            "cap-add=kill",
            "contain=yes",
            "cap-drop=kill",
            "contain=no",
        ];
        assert_eq!(words, expected);
    }
}
