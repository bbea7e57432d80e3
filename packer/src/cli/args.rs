//! What can be typed. Nothing is looked up or decided here: that is for [`crate::options`] and the verbs.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(super) use self::trace::TraceArgs;
pub(super) use bundles::{DiffArgs, DoctorArgs, ExtractArgs, InspectArgs, SbomArgs, SbomFormat, VerifyArgs, WhyArgs};
pub(super) use format::FormatArg;
use isolation::PackedOptions;
pub(super) use keys::{GenerateArgs, KeyArgs, KeyChoice, KeyVerb, PassphraseArgs, ShowArgs, SignArgs};
pub(super) use run::RunArgs;

use crate::options::{Asked, Format};

/// Words that are verbs when they come first. Everything else begins the form without a verb, which packs.
const VERBS: [&str; 14] = [
    "pack", "plan", "why", "diff", "trace", "run", "doctor", "inspect", "verify", "extract", "sbom", "sign", "key",
    "help",
];

/// Options that mean the same to every verb that has them.
const COMMON: [&str; 3] = ["-q", "--quiet", "--json"];

/// Options of polecat itself.
const GENERAL: [&str; 4] = ["-h", "--help", "-V", "--version"];

const USAGE: &str = "polecat [-o OUT] [OPTIONS] ROOTFS COMMAND [ARG]...\n       polecat VERB [OPTIONS] ...";

const AFTER_HELP: &str = "\
Without a verb polecat packs; `polecat pack --help` has the options. A root file system that is named like a verb is packed with \
`polecat pack plan top` or `polecat ./plan top`.

Examples:
  polecat -o top.run / top             pack this machine's top, then run it anywhere: ./top.run
  polecat /srv/debian jq -r            jq.run, which always gets -r first
  polecat plan /srv/debian git         what would be packed, and why
  polecat why top.run /etc/passwd      what brought a file into a bundle
  polecat verify top.run               is it what its signer signed, and is that someone you trust?

Exit status:
  0  done
  1  failed: a file cannot be read or written, the disk is full, a secret was asked for, …
  2  the command line makes no sense
  3  not a bundle, truncated, unsigned, of a newer format, or not what was signed
  4  a valid bundle, signed by nobody you trust
  5  the command, or a file without which it cannot start, is not in the root file system,
     is excluded, or is hidden when it runs; what `polecat why` asks for is not in the bundle
  6  a command of the build script failed; 125: the script's commands could not be run
`polecat diff` ends as diff(1) does: 0 the same, 1 different, 2 or 3 failed.

Files and variables:
  ~/.config/polecat/signing.key   your key, made at first use; its public half lies beside it
  ~/.config/polecat/trusted.d     public keys that you trust; XDG_CONFIG_HOME moves both
  /etc/polecat/trusted.d          public keys that all users trust
  POLECAT_PASSPHRASE_FILE         holds the passphrase of an encrypted key
  SOURCE_DATE_EPOCH               seconds since 1970: no file in the bundle is younger";

const PACK_AFTER_HELP: &str = "\
Everything after COMMAND belongs to the command, also what looks like an option of polecat. Arguments given when the bundle is run \
follow these. Two packs of the same tree with the same key are the same file, byte for byte.

Examples:
  polecat -o top.run / top
  polecat --include '/usr/lib/python3*/**' /srv/debian python3
  polecat --also sh --also less /srv/debian git
  polecat -o tools.run --as gzip=gzip --as unzip=/usr/bin/unzip /srv/debian zip
  ln -s tools.run gzip; ./gzip --help
  polecat -s figlet.toml -o figlet.run /srv/debian figlet
  polecat -f tgz -o git.tgz /srv/debian git
  polecat --contain --env LANG=C.UTF-8 /srv/debian ./opt/server --port 8080";

/// Packs a program and all it needs into one signed file that runs everywhere.
#[derive(Debug, Parser)]
#[command(name = "polecat", version, long_version = LONG_VERSION, override_usage = USAGE, after_help = AFTER_HELP)]
#[command(
    arg_required_else_help = true,
    disable_help_subcommand = false,
    subcommand_value_name = "VERB"
)]
#[command(subcommand_help_heading = "Verbs", max_term_width = 130)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What polecat does.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Pack a command of a root file system: the default
    Pack(PackArgs),
    /// Say what would be packed, and why; write nothing
    Plan(PlanArgs),
    /// Say why a path is in a bundle: the chain of reasons from the command down to it
    Why(WhyArgs),
    /// Compare two bundles: files, packages, permissions, start, signers and sizes
    Diff(DiffArgs),
    /// Run a command of a root file system and write down which of its files it uses
    Trace(TraceArgs),
    /// Run a command of a root file system as its bundle would run, without packing it
    Run(RunArgs),
    /// Try every way in which a bundle can be started on this machine; say which work, why the others do not, and what would help
    Doctor(DoctorArgs),
    /// Say what a bundle holds and who signed it
    Inspect(InspectArgs),
    /// Check a bundle from its first byte to its last, and who signed it
    Verify(VerifyArgs),
    /// Check a bundle and unpack its image into a directory
    Extract(ExtractArgs),
    /// Check a bundle and list its packages, their versions and licences, and its files
    Sbom(SbomArgs),
    /// Add a signature to a bundle
    Sign(SignArgs),
    /// Make and show keys
    Key(KeyArgs),
}

/// `polecat pack`.
#[derive(Debug, Args)]
#[command(after_help = PACK_AFTER_HELP)]
pub(super) struct PackArgs {
    /// What to write: a bundle; or its files alone, without a signature and without what says how they are started: a squashfs image, a
    /// tar archive compressed with gzip, or a directory, which is a new one or empty
    #[arg(short, long, value_name = "FORMAT", default_value = "run")]
    pub(super) format: FormatArg,
    /// Before packing, run the commands of a build script: those that install, into a layer over the root file system, which stays as it
    /// is, and those that test, whose use of files is packed as with --trace; see docs/build-scripts.md
    #[arg(short, long, value_name = "SCRIPT")]
    pub(super) script: Option<PathBuf>,
    #[command(flatten)]
    pub(super) recipe: RecipeArgs,
    #[command(flatten)]
    pub(super) key: KeyChoice,
    /// Then run the bundle with the arguments given here and nothing on standard input, for so many seconds at most (10 where none are
    /// given), and say how it ended and which files of the root file system it looked for in vain
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400), conflicts_with = "no_paths")]
    pub(super) verify_run: Option<u64>,
    /// Print nothing but warnings and errors
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Print what was packed as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) subject: Subject,
}

/// `polecat plan`.
#[derive(Debug, Args)]
#[command(after_help = "Takes all options of `polecat pack` that shape the bundle.")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) recipe: RecipeArgs,
    /// Print the plan as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) subject: Subject,
}

/// What is packed.
#[derive(Debug, Args)]
pub(super) struct Subject {
    /// Directory that holds a root file system; `/` is this machine's
    #[arg(value_name = "ROOTFS")]
    pub(super) rootfs: PathBuf,
    /// Program, looked up in the root file system's own PATH, and its fixed first arguments
    #[arg(value_names = ["COMMAND", "ARG"], required = true, num_args = 1.., trailing_var_arg = true)]
    pub(super) command: Vec<OsString>,
}

/// What shapes a bundle.
#[derive(Debug, Args)]
pub(super) struct RecipeArgs {
    /// The bundle to write; it replaces what is there, a symbolic link and not what that leads to
    /// [default: COMMAND.run in the current directory, or .squashfs, .tgz, .dir]
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: Option<PathBuf>,
    /// Take along what matches, with all that the programs among it need (repeatable; `*` stays within a directory, `**` does not)
    #[arg(long, value_name = "GLOB")]
    pub(super) include: Vec<String>,
    /// Leave out what matches, whatever needs it (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(super) exclude: Vec<String>,
    /// Let in what matches although it holds a secret: keys, tokens, password hashes, histories (repeatable). What it matches comes
    /// only if something brings it
    #[arg(long, value_name = "GLOB")]
    pub(super) allow: Vec<String>,
    /// Take along what a trace names, with all that the programs among it need: see `polecat trace` (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Vec<PathBuf>,
    /// Take along what a bundle of the same root file system was found to miss, with all that the programs among it need: a file that
    /// POLECAT_MISSES=FILE ./NAME.run wrote (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) add_misses: Vec<PathBuf>,
    /// Start PATH, looked up as the command is and with all that it needs, where the bundle is called NAME, or by
    /// `--polecat-entry NAME` (repeatable)
    #[arg(long = "as", value_name = "NAME=PATH")]
    pub(super) entry_points: Vec<OsString>,
    /// Take along another program, looked up as the command is, with all that it needs (repeatable)
    #[arg(long, value_name = "PROGRAM")]
    pub(super) also: Vec<OsString>,
    /// How far to go: what the loaders read; also what rules and the files themselves say; the programs' packages with all that they
    /// depend on; or all of it
    #[arg(long, value_name = "HOW", value_parser = ["elf", "rules", "package", "all"], default_value = "rules")]
    pub(super) closure: String,
    /// Do not follow this kind of evidence (repeatable)
    #[arg(long, value_name = "KIND", value_parser = EVIDENCE)]
    pub(super) no_evidence: Vec<String>,
    /// Read more rules from the *.toml files of a directory (repeatable)
    #[arg(long, value_name = "DIR")]
    pub(super) rules: Vec<PathBuf>,
    /// Take along locales beside C, with messages, character sets and time zones: names as in LANG, separated by commas, or `all`
    #[arg(long, value_name = "LIST")]
    pub(super) locale: Option<String>,
    /// Name that the bundle has for people [default: COMMAND]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Set a variable for the program, over the caller's (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// Directory inside that the program is started in [default: the caller's]
    #[arg(long, value_name = "DIR")]
    pub(super) workdir: Option<String>,
    /// Share neither home, current directory nor environment of the caller with the program
    #[arg(long)]
    pub(super) contain: bool,
    #[command(flatten)]
    pub(super) isolation: PackedOptions,
    /// zstd's level, 1 to 22, or gzip's, 1 to 9 [default: 15, or 6]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) level: Option<i32>,
    /// Size of the blocks that are compressed, 4K to 1M [default: 128K]
    #[arg(long, value_name = "SIZE")]
    pub(super) block_size: Option<String>,
    /// Store so much of what every start reads uncompressed: the program, its interpreter and libraries, as far as they fit. Starts
    /// take a third less time, the file is larger; 0 compresses everything [default: 4M]
    #[arg(long, value_name = "SIZE")]
    pub(super) store_startup: Option<String>,
    /// Do not write down in the bundle why each path is in it, which `polecat why` tells
    #[arg(long)]
    pub(super) no_reasons: bool,
    /// Executable to put in front instead of polecat's own, such as one for another architecture
    #[arg(long, value_name = "FILE")]
    pub(super) stub: Option<PathBuf>,
    /// Leave out the set of all paths of the root file system, 2.7 bytes for each, without which --polecat-misses has nothing to say. It
    /// holds no names, but tells whoever has the bundle whether a path they ask for was there
    #[arg(long)]
    pub(super) no_paths: bool,
}

/// Version, format and stub: bug reports want all three.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nbundle format 1\nstub ",
    env!("POLECAT_STUB_DESCRIPTION")
);

/// The words for the kinds of evidence.
const EVIDENCE: [&str; 7] = [
    "dlopen-notes",
    "library-names",
    "paths",
    "commands",
    "shell",
    "imports",
    "packages",
];

/// Is it the name of a verb?
pub(super) fn is_verb(word: &OsStr) -> bool {
    VERBS.iter().any(|verb| word == *verb)
}

/// The words as typed, with the verb in front: of the form without one, and of that where options that all reports have come first.
pub(super) fn with_verb(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let is_any_of = |word: &OsStr, known: &[&str]| known.iter().any(|known| word == *known);
    let common = words.iter().skip(1).take_while(|word| is_any_of(word, &COMMON)).count();
    match words.get(1 + common) {
        Some(word) if is_verb(word) => words[1..=1 + common].rotate_right(1),
        _ if words.len() > 1 && !is_any_of(&words[1], &GENERAL) => words.insert(1, "pack".into()),
        _ => {}
    }
    words
}

impl RecipeArgs {
    /// With the subject, and the environment's part, what was asked for.
    pub(super) fn asked(self, subject: Subject, source_date_epoch: Option<OsString>) -> Asked {
        Asked {
            rootfs: subject.rootfs,
            command: subject.command,
            format: Format::Run,
            names_key: false,
            verifies: false,
            output: self.output,
            also: self.also,
            entry_points: self.entry_points,
            include: self.include,
            exclude: self.exclude,
            allow: self.allow,
            closure: self.closure,
            no_evidence: self.no_evidence,
            rules: self.rules,
            locale: self.locale,
            level: self.level,
            block_size: self.block_size,
            store_startup: self.store_startup,
            name: self.name,
            env: self.env,
            workdir: self.workdir,
            contain: self.contain,
            isolation: self.isolation.0,
            no_reasons: self.no_reasons,
            stub: self.stub,
            traces: self.trace,
            misses: self.add_misses,
            no_paths: self.no_paths,
            source_date_epoch,
        }
    }
}

mod bundles;
mod format;
mod isolation;
mod keys;
mod run;
#[cfg(test)]
mod tests;
mod trace;
