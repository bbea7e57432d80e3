//! Locales that were asked for: their data for libc, and the messages of what is packed.

use std::collections::BTreeSet;

use super::{Extension, add_data, add_tree};
use crate::closure::error::ClosureError;
use crate::closure::follow::Follow;
use crate::elf::is_absence;
use crate::evidence::strings;
use crate::plan::{Reason, ReasonKind};
use crate::rootfs::{RootPath, RootfsError, errno_of};

/// Locales beside C.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Locales {
    /// None.
    #[default]
    None,
    /// These, as LANG names them: `de_DE.UTF-8`, `de_DE`, `de`.
    Some(Vec<String>),
    /// Whatever the root file system has.
    All,
}

const LOCALES: &str = "/usr/lib/locale";
const MESSAGES: &str = "/usr/share/locale";

impl Locales {
    /// Is any asked for?
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::None
    }

    /// A directory of /usr/lib/locale, such as `de_DE.utf8`: with the same language, territory and codeset where they are asked for.
    fn has_data(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(list) => {
                name == "locale-archive"
                    || list.iter().any(|asked| {
                        let (asked, name) = (normal(asked), normal(name));
                        name == asked
                            || name.starts_with(&format!("{asked}."))
                            || name.starts_with(&format!("{asked}_"))
                    })
            }
        }
    }

    /// A directory of /usr/share/locale, such as `de` or `pt_BR`.
    fn has_messages(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(list) => list.iter().any(|asked| {
                let asked = normal(asked);
                let language = |text: &str| text.split(['_', '.', '@']).next().unwrap_or_default().to_owned();
                let bare = asked.split(['.', '@']).next().unwrap_or_default().to_owned();
                let name = normal(name);
                name == bare || name == language(&asked)
            }),
        }
    }
}

/// Lower case, and the codeset as libc normalises it: `UTF-8` is `utf8`.
fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace("utf-8", "utf8")
}

impl Extension<'_> {
    /// Adds the data, and the messages whose domain is a constant of something mapped.
    pub(super) fn add_locales(&self, follow: &mut Follow<'_>) -> Result<(), ClosureError> {
        let locales = &self.extent.locales;
        if !locales.any() {
            return Ok(());
        }
        let reason = |name: &str| Reason {
            kind: ReasonKind::Locale,
            by: None,
            detail: name.to_owned(),
        };
        for name in names(follow, LOCALES)?
            .into_iter()
            .filter(|name| locales.has_data(name))
        {
            let path = RootPath::new(LOCALES).join(name.as_bytes());
            add_tree(follow, &path, &reason(&name), |_| true)?;
        }
        add_data(
            follow,
            &RootPath::new("/usr/share/locale/locale.alias"),
            &reason("alias"),
        )?;
        let languages: Vec<String> = names(follow, MESSAGES)?
            .into_iter()
            .filter(|name| locales.has_messages(name))
            .collect();
        let catalogues = catalogues(follow, &languages)?;
        let known: BTreeSet<Vec<u8>> = catalogues.iter().map(domain).collect();
        let used = used_domains(follow, &known)?;
        for path in catalogues.iter().filter(|path| used.contains(&domain(path))) {
            add_data(follow, path, &reason("messages"))?;
        }
        Ok(())
    }
}

fn names(follow: &Follow<'_>, directory: &str) -> Result<Vec<String>, RootfsError> {
    match follow.rootfs().read_dir(&RootPath::new(directory)) {
        Ok(entries) => Ok(entries
            .into_iter()
            .filter_map(|entry| String::from_utf8(entry.name).ok())
            .collect()),
        Err(error) if is_absence(error.errno()) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The message catalogues of these languages.
fn catalogues(follow: &Follow<'_>, languages: &[String]) -> Result<Vec<RootPath>, RootfsError> {
    let mut found = Vec::new();
    for language in languages {
        let directory = format!("{MESSAGES}/{language}/LC_MESSAGES");
        found.extend(
            names(follow, &directory)?
                .into_iter()
                .filter(|name| name.ends_with(".mo"))
                .map(|name| RootPath::new(format!("{directory}/{name}"))),
        );
    }
    Ok(found)
}

/// The text domain of a catalogue: its name without `.mo`.
fn domain(catalogue: &RootPath) -> Vec<u8> {
    let name = catalogue.file_name();
    name.strip_suffix(b".mo").unwrap_or(name).to_vec()
}

/// Those of the domains that are a constant of something mapped.
fn used_domains(follow: &Follow<'_>, known: &BTreeSet<Vec<u8>>) -> Result<BTreeSet<Vec<u8>>, RootfsError> {
    let mut used = BTreeSet::new();
    for (path, _) in follow.mapped_files() {
        let file = follow.rootfs().open_file(path)?;
        strings::for_each(&file, |constant| {
            if known.contains(constant) {
                used.insert(constant.to_vec());
            }
        })
        .map_err(|error| RootfsError::Read {
            path: path.clone(),
            errno: errno_of(&error),
        })?;
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_locale_brings() {
        let some = |names: &[&str]| Locales::Some(names.iter().map(|&name| name.to_owned()).collect());
        for (locales, name, data, messages) in [
            (some(&["de_DE.UTF-8"]), "de_DE.utf8", true, false),
            (some(&["de_DE.UTF-8"]), "de_DE", false, true),
            (some(&["de_DE.UTF-8"]), "de", false, true),
            (some(&["de_DE.UTF-8"]), "de_AT.utf8", false, false),
            (some(&["de_DE"]), "de_DE.utf8", true, false),
            (some(&["de"]), "de_AT.utf8", true, false),
            (some(&["pt_BR.UTF-8"]), "pt", false, true),
            (some(&["de"]), "locale-archive", true, false),
            (Locales::All, "xy", true, true),
            (Locales::None, "de", false, false),
        ] {
            assert_eq!(
                (locales.has_data(name), locales.has_messages(name)),
                (data, messages),
                "{locales:?} {name}"
            );
        }
    }
}
