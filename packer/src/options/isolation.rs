//! Words of isolation, which a bundle has fixed in its manifest.

use std::ffi::OsString;
use std::path::PathBuf;

use runtime::options::{FilterChoice, Options, UserOption, split};
use runtime::root::contract::{Item, Origin};

use super::{OptionsError, utf8};

/// What the words of isolation come to.
pub(super) struct Isolated {
    /// As they are fixed in the manifest.
    pub(super) words: Vec<String>,
    /// A profile of system calls stands beside them: here is its file.
    pub(super) seccomp_file: Option<PathBuf>,
    /// As whom the program runs, where the image says who that is.
    pub(super) user: Option<UserOption>,
}

/// Checks the words as a start would read them.
pub(super) fn isolation(words: &[OsString]) -> Result<Isolated, OptionsError> {
    let options = Options::read(words).map_err(OptionsError::Isolation)?;
    let profile = match options.seccomp {
        Some(FilterChoice::File(path)) => Some(path),
        Some(FilterChoice::Default | FilterChoice::Off) | None => None,
    };
    let is_replaced = |word: &OsString| profile.is_some() && split(word).0 == "seccomp";
    let words = words.iter().filter(|word| !is_replaced(word));
    let words = words
        .map(|word| utf8("an option of isolation", word))
        .collect::<Result<_, _>>()?;
    let is_of_host = options.host.origin(Item::Passwd) == Origin::Host;
    Ok(Isolated {
        words,
        seccomp_file: profile,
        user: options.user.filter(|_| !is_of_host),
    })
}
