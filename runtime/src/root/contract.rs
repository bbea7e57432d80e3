//! What of the machine's configuration is the host's and what the image's. It comes as files of the writable layer and as mounts,
//! never as variables: those would go on to programs that the app starts elsewhere. Pure.

use std::fmt;
use std::path::{Path, PathBuf};

use super::op::{Bind, BindKind, Entry, Op};
use super::survey::{Standing, Survey};

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
    row(Item::NsSwitch, "nsswitch", &[Bundled, Host]),
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

/// Where distributions have all certificates in one file: Debian, Fedora, openSUSE, OpenELEC, CentOS 7, Alpine and Arch.
pub const CERTIFICATES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Other names for the first of them, where nothing has that name: what OpenSSL opens by itself, as Debian, Fedora and upstream
/// build it.
const ALIASES: [&str; 4] = [
    "/usr/lib/ssl/cert.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
];

/// Directories of terminfo(5). The first is known to every library that reads them.
pub(crate) const TERMINFO: [&str; 4] = [
    "/usr/share/terminfo",
    "/usr/lib/terminfo",
    "/lib/terminfo",
    "/etc/terminfo",
];

/// Compiled locales of the GNU C library, and messages in all languages.
pub(crate) const LOCALE: &str = "/usr/lib/locale";

/// What the host has of it, as far as somebody wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Files of `/etc` that are copied as they are.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The file with all certificates, without links.
    pub certificates: Option<PathBuf>,
    /// Name of the terminal, and its description.
    pub terminal: Option<(String, Vec<u8>)>,
    /// The directory of locales, without links.
    pub locale: Option<PathBuf>,
}

/// Paths of the image that [`steps`] and [`entries`] want to know about, `/etc` besides.
#[must_use]
pub fn questions(contract: &Contract, offer: &Offer) -> Vec<PathBuf> {
    let mut asked: Vec<PathBuf> = Vec::new();
    if offer.certificates.is_some() {
        for path in CERTIFICATES.iter().chain(&ALIASES) {
            ask(&mut asked, Path::new(path), contract.origin(Item::Certificates));
        }
    }
    if let Some((name, _)) = &offer.terminal {
        for path in descriptions(name) {
            ask(&mut asked, &path, contract.origin(Item::TermInfo));
        }
    }
    if offer.locale.is_some() {
        asked.push(LOCALE.into());
    }
    asked
}

/// What is to be replaced must lie in a directory.
fn ask(asked: &mut Vec<PathBuf>, path: &Path, origin: Origin) {
    asked.push(path.to_owned());
    if let (Host, Some(parent)) = (origin, path.parent()) {
        asked.push(parent.to_owned());
    }
}

/// Where the description of a terminal may be.
fn descriptions(name: &str) -> [PathBuf; 4] {
    let first = name.get(..1).unwrap_or_default();
    TERMINFO.map(|directory| Path::new(directory).join(first).join(name))
}

/// Files for the layer.
#[must_use]
pub fn entries(contract: &Contract, offer: &Offer, survey: &Survey) -> Vec<Entry> {
    let mut entries = Vec::new();
    if survey.standing(Path::new("/etc")) != Standing::Other {
        entries.extend(offer.files.iter().map(|(path, contents)| file(path.into(), contents)));
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
            entries.push(file(first.clone(), contents));
        }
    }
    let covered = covered(contract, offer, survey);
    let made = covered.contains(&CERTIFICATES[0]);
    entries.extend(covered.into_iter().map(|path| file(path.into(), &[])));
    if made {
        let unnamed = ALIASES.into_iter().filter(|path| is_missing(path, survey));
        entries.extend(unnamed.map(|path| Entry::Link {
            path: path.into(),
            target: CERTIFICATES[0],
        }));
    }
    entries
}

fn is_missing(path: &str, survey: &Survey) -> bool {
    survey.standing(Path::new(path)) == Standing::Missing
}

fn file(path: PathBuf, contents: &[u8]) -> Entry {
    Entry::File {
        path,
        contents: contents.to_vec(),
    }
}

/// Whether what is there is in a directory without links on the way, so that it can be replaced.
fn is_plain(path: &Path, survey: &Survey) -> bool {
    let parent = path.parent().map(|parent| survey.standing(parent));
    parent == Some(Standing::Directory)
}

/// The names under which the host's certificates are seen.
fn covered(contract: &Contract, offer: &Offer, survey: &Survey) -> Vec<&'static str> {
    if offer.certificates.is_none() {
        return Vec::new();
    }
    let [first, ..] = CERTIFICATES;
    let mut held = CERTIFICATES.into_iter().filter(|path| !is_missing(path, survey));
    if contract.origin(Item::Certificates) != Host {
        return if held.next().is_none() { vec![first] } else { Vec::new() };
    }
    let mut covered: Vec<&str> = held.filter(|path| is_plain(Path::new(path), survey)).collect();
    if is_missing(first, survey) {
        covered.push(first);
    }
    covered
}

/// What is mounted in the new root, over what [`entries`] made.
#[must_use]
pub fn steps(contract: &Contract, offer: &Offer, survey: &Survey) -> Vec<Op> {
    let bind = |source: &PathBuf, path: &str, kind| {
        Op::Bind(Bind {
            source: source.clone(),
            path: path.into(),
            kind,
            optional: true,
        })
    };
    let mut ops = Vec::new();
    if let Some(source) = &offer.certificates {
        let covered = covered(contract, offer, survey);
        ops.extend(covered.into_iter().map(|path| bind(source, path, BindKind::File)));
    }
    if let Some(source) = &offer.locale
        && survey.standing(Path::new(LOCALE)) != Standing::Other
    {
        ops.push(bind(source, LOCALE, BindKind::ReadOnly));
    }
    ops
}

/// nsswitch.conf(5) with those services only that need no library of the host's: `files` and `dns`. A data base that is left
/// without any has `files`.
#[must_use]
pub fn plain_services(configuration: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    for line in configuration.split(|&byte| byte == b'\n') {
        let mut fields = line.splitn(2, |&byte| byte == b':');
        let (Some(base), Some(services)) = (fields.next(), fields.next()) else {
            continue;
        };
        if base.starts_with(b"#") {
            continue;
        }
        plain.extend_from_slice(base.trim_ascii());
        plain.push(b':');
        let named = plain.len();
        for service in services.split(u8::is_ascii_whitespace) {
            match service {
                b"files" | b"dns" => {
                    plain.push(b' ');
                    plain.extend_from_slice(service);
                }
                service if service.starts_with(b"#") => break,
                _ => {}
            }
        }
        if plain.len() == named {
            plain.extend_from_slice(b" files");
        }
        plain.push(b'\n');
    }
    plain
}

#[cfg(test)]
mod tests;
