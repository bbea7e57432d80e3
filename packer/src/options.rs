//! What was asked for, made sense of: every value is valid, every default filled in. Nothing is looked up on the disk.

mod entry_point;
mod error;
mod format;
mod isolation;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use bundle::manifest::Seccomp;

use crate::closure::{Extent, Locales, Request};
use crate::evidence::EvidenceKind;
use crate::image::ImageOptions;
use crate::rootfs::{Pattern, RootPath};
use crate::rules::{RuleSet, RulesError};

pub use error::OptionsError;
pub use format::Format;
use isolation::{Isolated, isolation};

/// zstd level where none is given; mksquashfs's default, too. A bundle is made once and copied often: on a Debian tree of 283 MB level 15
/// packs 6 % smaller than 9 at seven times its cost (36 seconds of one core); 19 saves 1 % more and costs another two and a half times.
/// What a start pays for decompression is the same for all.
pub const DEFAULT_LEVEL: i32 = 15;

/// Size of a data block in bytes where none is given. Larger ones save a few per cent and make every random read and every start dearer.
pub const DEFAULT_BLOCK_SIZE: u32 = 128 << 10;

/// Bytes of the start-up set that are stored uncompressed where no limit is given: what most command-line programs load. A start
/// then takes a third less time, and the file grows by some 60 % of them.
pub const DEFAULT_STORE_STARTUP: u64 = 4 << 20;

/// zstd's highest level that needs no larger window than a block anyway.
const MAX_LEVEL: i32 = 22;

/// squashfs 4.0 allows these.
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 4096..=1 << 20;

/// A whole pack run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackOptions {
    /// The root file system, as a path on this machine.
    pub rootfs: PathBuf,
    /// What is looked up in it.
    pub request: Request,
    /// How far the closure goes.
    pub reach: Reach,
    /// What is written.
    pub format: Format,
    /// Where it goes.
    pub output: PathBuf,
    /// The image's settings.
    pub image: ImageOptions,
    /// The bundle's name.
    pub name: String,
    /// `argv[0]` and the fixed first arguments.
    pub args: Vec<String>,
    /// `NAME=value`, in the order given.
    pub env: Vec<String>,
    /// Working directory inside.
    pub workdir: Option<String>,
    /// A closed box: nothing of the host's is shared.
    pub contain: bool,
    /// Words of [`runtime::options`] that are fixed in the manifest.
    pub isolation: Vec<String>,
    /// A file with a profile of system calls, which is still to be read.
    pub seccomp_file: Option<PathBuf>,
    /// The profile that is fixed in the manifest.
    pub seccomp: Option<Seccomp>,
    /// Whether the bundle says why each path is in it.
    pub reasons: bool,
    /// A stub to use in the place of polecat's own.
    pub stub: Option<PathBuf>,
    /// Files with traces, which are still to be read into the request.
    pub traces: Vec<PathBuf>,
    /// Files with what was missed, the same.
    pub misses: Vec<PathBuf>,
    /// Whether the bundle is to know which paths the root file system has.
    pub known_paths: bool,
}

/// How far the closure goes beyond what the loaders read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Whether rules apply.
    pub with_rules: bool,
    /// Whether packages are taken whole.
    pub whole_packages: bool,
    /// Directories with more rules.
    pub rules: Vec<PathBuf>,
    /// Kinds of evidence that are followed.
    pub evidence: BTreeSet<EvidenceKind>,
    /// Locales beside C.
    pub locales: Locales,
}

impl Reach {
    /// Reads the rules.
    ///
    /// # Errors
    /// [`RulesError`]
    pub fn extent(&self) -> Result<Extent, RulesError> {
        let rules = match self.with_rules {
            true => RuleSet::load(&self.rules)?,
            false => RuleSet::none(),
        };
        Ok(Extent {
            rules,
            evidence: self.evidence.clone(),
            locales: self.locales.clone(),
            whole_packages: self.whole_packages,
        })
    }
}

/// The same as it was typed. A missing value asks for the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// ROOTFS.
    pub rootfs: PathBuf,
    /// COMMAND and what follows it, at least one.
    pub command: Vec<OsString>,
    /// `--format`.
    pub format: Format,
    /// Whether a key to sign with is named, or its passphrase.
    pub names_key: bool,
    /// `--verify-run`.
    pub verifies: bool,
    /// `--output`.
    pub output: Option<PathBuf>,
    /// `--also`.
    pub also: Vec<OsString>,
    /// `--as`.
    pub entry_points: Vec<OsString>,
    /// `--include`.
    pub include: Vec<String>,
    /// `--exclude`.
    pub exclude: Vec<String>,
    /// `--closure`: `elf`, `rules`, `package` or `all`.
    pub closure: String,
    /// `--no-evidence`.
    pub no_evidence: Vec<String>,
    /// `--allow`.
    pub allow: Vec<String>,
    /// `--rules`.
    pub rules: Vec<PathBuf>,
    /// `--locale`.
    pub locale: Option<String>,
    /// `--level`.
    pub level: Option<i32>,
    /// `--block-size`.
    pub block_size: Option<String>,
    /// `--store-startup`.
    pub store_startup: Option<String>,
    /// `--name`.
    pub name: Option<String>,
    /// `--env`.
    pub env: Vec<String>,
    /// `--workdir`.
    pub workdir: Option<String>,
    /// `--contain`.
    pub contain: bool,
    /// Words of [`runtime::options`].
    pub isolation: Vec<OsString>,
    /// `--no-reasons`.
    pub no_reasons: bool,
    /// `--stub`.
    pub stub: Option<PathBuf>,
    /// `--trace`.
    pub traces: Vec<PathBuf>,
    /// `--add-misses`.
    pub misses: Vec<PathBuf>,
    /// `--no-paths`.
    pub no_paths: bool,
    /// The variable `SOURCE_DATE_EPOCH`.
    pub source_date_epoch: Option<OsString>,
}

impl Asked {
    /// What it means.
    ///
    /// # Errors
    /// The first value that makes no sense.
    pub fn resolve(self) -> Result<PackOptions, OptionsError> {
        let (command, arguments) = self.command.split_first().ok_or(OptionsError::NoCommand)?;
        if command.is_empty() {
            return Err(OptionsError::NoCommand);
        }
        self.format.check(&self)?;
        let output = match &self.output {
            Some(output) => output.clone(),
            None => default_output(command, self.format)?,
        };
        self.include
            .iter()
            .chain(&self.exclude)
            .chain(&self.allow)
            .try_for_each(|pattern| check_pattern(pattern))?;
        self.env.iter().try_for_each(|variable| check_variable(variable))?;
        let Isolated {
            words: isolation,
            seccomp_file,
            user,
        } = isolation(&self.isolation)?;
        let workdir = self.workdir.as_deref().map(workdir).transpose()?;
        let reach = self.reach();
        Ok(PackOptions {
            image: self.image()?,
            name: name(self.name, command)?,
            args: utf8_words(&self.command)?,
            request: Request {
                command: command.clone(),
                arguments: arguments.to_vec(),
                also: self.also,
                entry_points: entry_point::requests(&self.entry_points)?,
                include: self.include,
                exclude: self.exclude,
                allow: self.allow,
                traces: Vec::new(),
                misses: Vec::new(),
                workdir: workdir.as_deref().map(RootPath::new),
                user,
            },
            workdir,
            reach,
            rootfs: self.rootfs,
            format: self.format,
            output,
            env: self.env,
            contain: self.contain,
            isolation,
            seccomp_file,
            seccomp: None,
            reasons: !self.no_reasons,
            stub: self.stub,
            traces: self.traces,
            misses: self.misses,
            known_paths: !self.no_paths,
        })
    }

    fn reach(&self) -> Reach {
        let with_rules = matches!(self.closure.as_str(), "" | "rules" | "all");
        let followed = |kind: &EvidenceKind| with_rules && !self.no_evidence.iter().any(|word| word == kind.name());
        let locales = match self.locale.as_deref() {
            None | Some("") => Locales::None,
            Some("all") => Locales::All,
            Some(list) => Locales::Some(list.split(',').map(|name| name.trim().to_owned()).collect()),
        };
        Reach {
            with_rules,
            whole_packages: matches!(self.closure.as_str(), "package" | "all"),
            rules: self.rules.clone(),
            evidence: EvidenceKind::ALL.into_iter().filter(followed).collect(),
            locales,
        }
    }

    fn image(&self) -> Result<ImageOptions, OptionsError> {
        let format = self.format;
        let (default, levels) = format.levels().unwrap_or((DEFAULT_LEVEL, 1..=MAX_LEVEL));
        let level = self.level.unwrap_or(default);
        if !levels.contains(&level) {
            return Err(OptionsError::Level { value: level, format });
        }
        Ok(ImageOptions {
            level,
            block_size: self.block_size.as_deref().map_or(Ok(DEFAULT_BLOCK_SIZE), block_size)?,
            store_startup: self
                .store_startup
                .as_deref()
                .map_or(Ok(DEFAULT_STORE_STARTUP), store_startup)?,
            epoch: self.source_date_epoch.as_deref().map(epoch).transpose()?,
            workers: std::thread::available_parallelism().map_or(1, NonZero::get),
        })
    }
}

/// `NAME.run` in the current directory, or what else the format is called.
fn default_output(command: &OsStr, format: Format) -> Result<PathBuf, OptionsError> {
    let base = Path::new(command)
        .file_name()
        .ok_or_else(|| OptionsError::NoOutputName {
            command: command.to_string_lossy().into_owned(),
        })?;
    let mut name = base.to_owned();
    name.push(".");
    name.push(format.name());
    Ok(PathBuf::from(name))
}

fn name(asked: Option<String>, command: &OsStr) -> Result<String, OptionsError> {
    let name = match asked {
        Some(name) => name,
        None => utf8("command", command)?,
    };
    // As the manifest wants it.
    match !name.is_empty() && name.len() <= 255 && !name.contains(char::is_control) {
        true => Ok(name),
        false => Err(OptionsError::Name { value: name }),
    }
}

fn utf8(what: &'static str, word: &OsStr) -> Result<String, OptionsError> {
    let text = word.to_str().ok_or_else(|| OptionsError::NotUtf8 {
        what,
        value: word.to_string_lossy().into_owned(),
    })?;
    Ok(text.to_owned())
}

fn utf8_words(words: &[OsString]) -> Result<Vec<String>, OptionsError> {
    words.iter().map(|word| utf8("argument", word)).collect()
}

fn block_size(value: &str) -> Result<u32, OptionsError> {
    let size = bytes(value).and_then(|size| u32::try_from(size).ok());
    size.filter(|size| size.is_power_of_two() && BLOCK_SIZES.contains(size))
        .ok_or_else(|| OptionsError::BlockSize {
            value: value.to_owned(),
        })
}

fn store_startup(value: &str) -> Result<u64, OptionsError> {
    bytes(value).ok_or_else(|| OptionsError::StoreStartup {
        value: value.to_owned(),
    })
}

/// A number of bytes, with K or M behind for binary multiples.
fn bytes(value: &str) -> Option<u64> {
    let digits = value.trim_end_matches(['k', 'K', 'm', 'M']);
    let unit = match value.get(digits.len()..)? {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// <https://reproducible-builds.org/specs/source-date-epoch/>; squashfs counts in 32 bits.
fn epoch(value: &OsStr) -> Result<u32, OptionsError> {
    let seconds = value
        .to_str()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = seconds.and_then(|text| text.parse::<u64>().ok());
    let seconds = seconds.ok_or_else(|| OptionsError::SourceDateEpoch {
        value: value.to_string_lossy().into_owned(),
    })?;
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn check_variable(variable: &str) -> Result<(), OptionsError> {
    match variable.split_once('=') {
        Some((name, _)) if !name.is_empty() && !variable.contains('\0') => Ok(()),
        _ => Err(OptionsError::Environment {
            value: variable.to_owned(),
        }),
    }
}

/// The path as the manifest wants it. What `..` leads to depends on links, so it is not guessed.
fn workdir(path: &str) -> Result<String, OptionsError> {
    let is_plain = path.starts_with('/') && !path.contains('\0') && path.split('/').all(|name| name != "..");
    match is_plain {
        true => Ok(RootPath::new(path).as_path().display().to_string()),
        false => Err(OptionsError::Workdir { value: path.to_owned() }),
    }
}

fn check_pattern(pattern: &str) -> Result<(), OptionsError> {
    Pattern::new(pattern).map(drop).map_err(OptionsError::Pattern)
}

#[cfg(test)]
mod tests;
