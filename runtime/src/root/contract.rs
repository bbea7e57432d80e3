//! What of the machine's configuration is the host's and what the image's. It comes as files of the writable layer and as mounts,
//! never as variables: those would go on to programs that the app starts elsewhere. Pure.

use std::fmt;
use std::path::{Path, PathBuf};

use super::op::{Bind, BindKind, Entry, Op};
use super::survey::{Questions, Standing, Survey};
use certificates::Certificates;

pub mod certificates;
pub mod services;

/// One thing that programs expect of the machine they run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// `/etc/resolv.conf`: servers of names.
    ResolvConf,
    /// `/etc/hosts`: names of hosts.
    Hosts,
    /// `/etc/nsswitch.conf`: who is asked for names.
    NsSwitch,
    /// `/etc/passwd` and `/etc/group`.
    Passwd,
    /// `/etc/localtime`: the time zone.
    LocalTime,
    /// Certificates of those whom TLS trusts.
    Certificates,
    /// The description of the caller's terminal, terminfo(5).
    TermInfo,
    /// Languages, locale(7).
    Locale,
    /// `/etc/machine-id`.
    MachineId,
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The host's, whatever the image has.
    Host,
    /// The image's, or nobody's.
    Bundled,
    /// The image's, and what it lacks from the host.
    Merged,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// What.
    pub item: Item,
    /// What it is called in `--host NAME=ORIGIN`.
    pub name: &'static str,
    /// What it may be; the first is what it is when nobody says anything.
    pub origins: &'static [Origin],
}

use Origin::{Bundled, Host, Merged};

/// Everything that can be chosen.
pub const TABLE: [Row; 9] = [
    row(Item::ResolvConf, "resolv.conf", &[Host, Bundled]),
    row(Item::Hosts, "hosts", &[Host, Bundled]),
    row(Item::NsSwitch, "nsswitch", &[Bundled, Merged, Host]),
    row(Item::Passwd, "passwd", &[Merged, Host, Bundled]),
    row(Item::LocalTime, "localtime", &[Host, Bundled]),
    row(Item::Certificates, "ca", &[Merged, Host, Bundled]),
    row(Item::TermInfo, "terminfo", &[Merged, Host, Bundled]),
    row(Item::Locale, "locale", &[Bundled, Host]),
    row(Item::MachineId, "machine-id", &[Bundled, Host]),
];

const fn row(item: Item, name: &'static str, origins: &'static [Origin]) -> Row {
    Row { item, name, origins }
}

/// What was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contract(Vec<(Item, Origin)>);

impl Contract {
    /// Whose this is.
    #[must_use]
    pub fn origin(&self, item: Item) -> Origin {
        let chosen = self.0.iter().rev().find(|(chosen, _)| *chosen == item);
        let default = || TABLE.iter().find(|row| row.item == item)?.origins.first().copied();
        chosen.map(|(_, origin)| *origin).or_else(default).unwrap_or(Bundled)
    }

    /// Chooses by `NAME=ORIGIN`; none where there is no such row, or it cannot be that.
    #[must_use]
    pub fn choose(&mut self, text: &str) -> Option<()> {
        let (name, origin) = text.split_once('=')?;
        let row = TABLE.iter().find(|row| row.name == name)?;
        let origin = row.origins.iter().find(|known| known.name() == origin)?;
        self.0.push((row.item, *origin));
        Some(())
    }
}

impl Origin {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Bundled => "bundled",
            Self::Merged => "merged",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Directories of terminfo(5). The first is known to every library that reads them.
pub(crate) const TERMINFO: [&str; 4] = [
    "/usr/share/terminfo",
    "/usr/lib/terminfo",
    "/lib/terminfo",
    "/etc/terminfo",
];

/// nsswitch.conf(5).
pub(crate) const NSSWITCH: &str = "/etc/nsswitch.conf";

/// Compiled locales of the GNU C library, and messages in all languages.
pub(crate) const LOCALE: &str = "/usr/lib/locale";

/// What the host has of it, as far as somebody wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Files of `/etc` that are copied as they are.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// Its `/etc/nsswitch.conf`.
    pub nsswitch: Option<Vec<u8>>,
    /// Whom it trusts.
    pub certificates: Certificates,
    /// Name of the terminal, and its description.
    pub terminal: Option<(String, Vec<u8>)>,
    /// The directory of locales, without links.
    pub locale: Option<PathBuf>,
}

/// Asks what [`arrange`] wants to know of the image, `/etc` besides.
pub fn ask(contract: &Contract, offer: &Offer, questions: &mut Questions) {
    certificates::ask(contract, &offer.certificates, questions);
    questions.nsswitch = offer.nsswitch.is_some() && contract.origin(Item::NsSwitch) == Merged;
    if let Some((name, _)) = &offer.terminal {
        for path in descriptions(name) {
            // What is to be replaced must lie in a directory.
            if let (Host, Some(parent)) = (contract.origin(Item::TermInfo), path.parent()) {
                questions.directories.push(parent.to_owned());
            }
            questions.directories.push(path);
        }
    }
    if offer.locale.is_some() {
        questions.directories.push(LOCALE.into());
    }
}

/// Where the description of a terminal may be.
fn descriptions(name: &str) -> [PathBuf; 4] {
    let first = name.get(..1).unwrap_or_default();
    TERMINFO.map(|directory| Path::new(directory).join(first).join(name))
}

/// Decides what comes into the layer, and what is mounted in the new root over that.
pub fn arrange(contract: &Contract, offer: &Offer, survey: &Survey, layer: &mut Vec<Entry>, mounts: &mut Vec<Op>) {
    if survey.standing(Path::new("/etc")) != Standing::Other {
        for (path, contents) in &offer.files {
            layer.push(file(path.into(), contents));
        }
        if let Some(hosts) = &offer.nsswitch {
            let own = survey.nsswitch.as_deref().unwrap_or_default();
            let usable = services::usable(hosts, own, &survey.modules);
            layer.push(file(NSSWITCH.into(), &usable));
        }
    }
    if let Some((name, contents)) = &offer.terminal {
        let places = descriptions(name);
        let is_held = |place: &PathBuf| survey.standing(place) == Standing::Other;
        let replaced = contract.origin(Item::TermInfo) == Host;
        // On systems of one /usr, /lib is a link: what it leads to has been looked at.
        let [first, elsewhere, _, configured] = &places;
        let lacks = !is_held(elsewhere) && !is_held(configured);
        let standing = survey.standing(first);
        if (standing == Standing::Missing && (lacks || replaced))
            || (standing == Standing::Other && replaced && is_plain(first, survey))
        {
            layer.push(file(first.clone(), contents));
        }
    }
    certificates::arrange(contract, &offer.certificates, survey, layer, mounts);
    if let Some(source) = &offer.locale
        && survey.standing(Path::new(LOCALE)) != Standing::Other
    {
        mounts.push(bind(source, Path::new(LOCALE), BindKind::ReadOnly));
    }
}

fn file(path: PathBuf, contents: &[u8]) -> Entry {
    Entry::File {
        path,
        contents: contents.to_vec(),
    }
}

fn bind(source: &Path, path: &Path, kind: BindKind) -> Op {
    Op::Bind(Bind {
        source: source.to_owned(),
        path: path.to_owned(),
        kind,
        optional: true,
    })
}

/// Whether what is there is in a directory without links on the way, so that it can be replaced.
fn is_plain(path: &Path, survey: &Survey) -> bool {
    let parent = path.parent().map(|parent| survey.standing(parent));
    parent.is_some_and(is_directory)
}

/// Whether it is a directory of the image's. Of those that the caller shares, as a working directory, it is asked what is in them, too.
fn is_directory(standing: Standing) -> bool {
    matches!(standing, Standing::Directory | Standing::Full)
}

#[cfg(test)]
mod tests;
