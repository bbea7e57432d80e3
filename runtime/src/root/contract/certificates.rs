//! Whom TLS trusts: files that hold all certificates, and directories that OpenSSL looks into by the hash of a name. Pure.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Contract, Item, Origin};
use crate::root::op::{BindKind, Entry, Op, System};
use crate::root::survey::{Questions, Standing, Survey};

/// Where distributions have all certificates in one file: Debian, Fedora, openSUSE, OpenELEC, CentOS 7, Alpine and Arch.
pub const FILES: [&str; 6] = [
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

/// Where distributions have them by the hashes of their names, openssl-rehash(1): Debian and Alpine, Fedora, Arch, openSUSE, and
/// OpenSSL's own default.
pub const DIRECTORIES: [&str; 7] = [
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    OF_OPENSSL,
    "/etc/pki/ca-trust/extracted/pem/directory-hash",
    "/etc/ca-certificates/extracted/cadir",
    "/var/lib/ca-certificates/pem",
    "/usr/local/ssl/certs",
];

/// Another name for the first of these, where nothing has that name: where Debian's OpenSSL looks.
const OF_OPENSSL: &str = "/usr/lib/ssl/certs";

/// What the file with all of them is called in such a directory, if it is in one.
const NAMES: [&str; 2] = ["ca-certificates.crt", "ca-bundle.crt"];

/// What the host has of them, as far as somebody wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The file with all certificates, without links.
    pub file: Option<PathBuf>,
    /// Those of its directory: name and contents.
    pub hashed: Vec<(OsString, Vec<u8>)>,
}

impl Certificates {
    fn is_empty(&self) -> bool {
        self.file.is_none() && self.hashed.is_empty()
    }

    /// All in one, for a host that has no such file; else nothing, to mount that on.
    fn joined(&self) -> Vec<u8> {
        let mut joined = Vec::new();
        for (_, contents) in self.hashed.iter().filter(|_| self.file.is_none()) {
            joined.extend_from_slice(contents);
            joined.push(b'\n');
        }
        joined
    }
}

/// Whether OpenSSL may find a certificate under this name: eight hexadecimal digits, a dot, and a number.
#[must_use]
pub fn is_hash(name: &[u8]) -> bool {
    match name.split_at_checked(8) {
        Some((hash, [b'.', number @ ..])) => {
            let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
            hash.iter().all(is_hex) && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// Asks what [`arrange`] wants to know.
pub(super) fn ask(contract: &Contract, offer: &Certificates, questions: &mut Questions) {
    if offer.is_empty() {
        return;
    }
    // What is to be covered is covered behind all links.
    let replaces = contract.origin(Item::Certificates) == Origin::Host;
    let asked = match replaces {
        true => &mut questions.targets,
        false => &mut questions.directories,
    };
    for names in [&FILES[..], &ALIASES, if replaces { &DIRECTORIES } else { &[] }] {
        for name in names {
            asked.push(name.into());
        }
    }
}

/// What goes into the layer, and what is mounted over it. Where all of it is the host's, the image's files and directories are
/// covered, behind all links; merged, the image's are left alone where it has a file.
pub(super) fn arrange(
    contract: &Contract,
    offer: &Certificates,
    survey: &Survey,
    layer: &mut Vec<Entry>,
    mounts: &mut Vec<Op>,
) {
    let replaces = contract.origin(Item::Certificates) == Origin::Host;
    let is_held = |path| survey.standing(Path::new(path)) != Standing::Missing;
    if offer.is_empty() || (!replaces && FILES.into_iter().any(is_held)) {
        return;
    }
    let joined = offer.joined();
    let mut taken = if replaces { covered(survey) } else { Vec::new() };
    let mut bound = Vec::new();
    for path in &taken {
        cover(path, offer, layer, mounts);
        for name in NAMES {
            let path = path.join(name);
            mounts.push(Op::Make(super::file(path.clone(), &joined)));
            bound.push(path);
        }
        mounts.push(Op::Protect { path: path.clone() });
    }
    let (first, standing) = behind(FILES[0], survey);
    let is_there = standing == Standing::Missing || is_in(&first, &taken);
    for (at, name) in FILES.into_iter().chain(ALIASES).enumerate() {
        let (path, standing) = behind(name, survey);
        if is_in(&path, &taken) {
            continue;
        }
        let is_replaced = standing == Standing::Other && replaces && super::is_plain(&path, survey);
        if is_replaced || (standing == Standing::Missing && at == 0) {
            layer.push(super::file(path.clone(), &joined));
            bound.push(path.clone());
        } else if standing == Standing::Missing && at >= FILES.len() && is_there {
            layer.push(Entry::Link {
                path: path.clone(),
                target: FILES[0],
            });
        } else {
            continue;
        }
        taken.push(path);
    }
    let (path, standing) = behind(OF_OPENSSL, survey);
    if replaces && is_there && standing == Standing::Missing && !is_in(&path, &taken) {
        layer.push(Entry::Link {
            path,
            target: DIRECTORIES[0],
        });
    }
    if let Some(source) = &offer.file {
        for path in &bound {
            mounts.push(super::bind(source, path, BindKind::File));
        }
    }
}

/// A directory that holds nothing but the host's.
fn cover(path: &Path, offer: &Certificates, layer: &mut Vec<Entry>, mounts: &mut Vec<Op>) {
    let (mode, devices) = (0o755, false);
    layer.push(Entry::Directory {
        path: path.to_owned(),
        mode,
    });
    mounts.push(Op::Mount {
        path: path.to_owned(),
        system: System::Private { mode, devices },
    });
    for (name, contents) in &offer.hashed {
        mounts.push(Op::Make(super::file(path.join(name), contents)));
    }
}

/// Where `path` leads to, and what is there.
fn behind(path: &'static str, survey: &Survey) -> (PathBuf, Standing) {
    let path = survey.resolved(Path::new(path));
    (path.to_owned(), survey.standing(path))
}

fn is_in(path: &Path, places: &[PathBuf]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

/// The directories of which nothing is to be seen but the host's: those that the image has, and the first.
fn covered(survey: &Survey) -> Vec<PathBuf> {
    let mut covered = Vec::new();
    for (at, name) in DIRECTORIES.into_iter().enumerate() {
        let (path, standing) = behind(name, survey);
        let is_made = standing == Standing::Missing && at == 0;
        if (is_made || super::is_directory(standing)) && !is_in(&path, &covered) {
            covered.push(path);
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chosen, surveyed};
    use super::*;
    use crate::root::contract::Offer;

    fn offered(file: bool, hashed: &[&str]) -> Offer {
        let hashed = hashed
            .iter()
            .map(|name| (OsString::from(name), format!("{name}.").into_bytes()));
        Offer {
            certificates: Certificates {
                file: file.then(|| "/etc/pki/real.pem".into()),
                hashed: hashed.collect(),
            },
            ..Offer::default()
        }
    }

    /// In words: what becomes of an image that holds `held`. First the layer.
    fn arranged(words: &[&str], offer: &Offer, held: &[(&str, Standing)], links: &[(&str, &str)]) -> Vec<String> {
        let contract = chosen(words);
        let mut survey = surveyed(&contract, offer, held);
        let further = held.iter().map(|(path, standing)| (path.into(), *standing));
        survey.standings.extend(further);
        let behind = links.iter().map(|(_, to)| Path::new(to));
        for path in behind {
            if survey.standings.iter().all(|(known, _)| known != path) {
                survey.standings.push((path.to_owned(), Standing::Missing));
            }
        }
        survey.resolved = links.iter().map(|(from, to)| (from.into(), to.into())).collect();
        let (mut layer, mut mounts) = (Vec::new(), Vec::new());
        arrange(&contract, &offer.certificates, &survey, &mut layer, &mut mounts);
        let entry = |entry: &Entry| match entry {
            Entry::Directory { path, .. } => format!("directory {}", path.display()),
            Entry::File { path, contents } => {
                let text = String::from_utf8_lossy(contents).replace('\n', "");
                format!("file {} {text}", path.display()).trim_end().to_owned()
            }
            Entry::Link { path, target } => format!("link {} {target}", path.display()),
        };
        let op = |op: &Op| match op {
            Op::Make(made) => format!("make {}", entry(made)),
            Op::Mount { path, .. } => format!("cover {}", path.display()),
            Op::Protect { path } => format!("protect {}", path.display()),
            Op::Bind(bind) => {
                assert_eq!((bind.kind, bind.optional), (BindKind::File, true));
                format!("bind {}", bind.path.display())
            }
            Op::Own { path, .. } => panic!("{}", path.display()),
        };
        layer.iter().map(entry).chain(mounts.iter().map(op)).collect()
    }

    const LINKS: [&str; 4] = [
        "link /usr/lib/ssl/cert.pem /etc/ssl/certs/ca-certificates.crt",
        "link /etc/ssl/cert.pem /etc/ssl/certs/ca-certificates.crt",
        "link /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/certs/ca-certificates.crt",
        "link /etc/pki/tls/cert.pem /etc/ssl/certs/ca-certificates.crt",
    ];

    #[test]
    fn merged_where_the_image_has_no_file() {
        let [debian, fedora, ..] = FILES;
        let file = format!("file {debian}");
        let bind = format!("bind {debian}");
        let whole: Vec<&str> = [file.as_str()]
            .into_iter()
            .chain(LINKS)
            .chain([bind.as_str()])
            .collect();
        let from_hashes: Vec<&str> = ["file /etc/ssl/certs/ca-certificates.crt 0.1."]
            .into_iter()
            .chain(LINKS)
            .collect();
        let without_first: Vec<&str> = whole.iter().copied().filter(|line| *line != LINKS[0]).collect();
        let (one, hashes) = (offered(true, &[]), offered(false, &["0", "1"]));
        let held = Standing::Other;
        type Case<'a> = (&'a Offer, &'a [(&'a str, Standing)], &'a [&'a str]);
        let cases: [Case<'_>; 6] = [
            (&one, &[], &whole),
            (&one, &[("/usr/lib/ssl/cert.pem", held)], &without_first),
            (&one, &[(fedora, held)], &[]),
            (&one, &[(debian, held)], &[]),
            (&hashes, &[], &from_hashes),
            (&Offer::default(), &[], &[]),
        ];
        for (offer, held, expected) in cases {
            assert_eq!(arranged(&[], offer, held, &[]), expected, "{held:?}");
        }
    }

    #[test]
    fn of_the_host_nothing_of_the_images_is_seen() {
        use Standing::{Directory, Other};
        let [debian, fedora, _, _, extracted, _] = FILES;
        let covered = |path: &str| {
            [
                format!("cover {path}"),
                format!("make file {path}/0 0."),
                format!("make file {path}/ca-certificates.crt"),
                format!("make file {path}/ca-bundle.crt"),
                format!("protect {path}"),
                format!("bind {path}/ca-certificates.crt"),
                format!("bind {path}/ca-bundle.crt"),
            ]
        };
        let links: Vec<String> = LINKS.map(str::to_owned).to_vec();
        let ssl = covered("/etc/ssl/certs");
        let of_openssl = &["link /usr/lib/ssl/certs /etc/ssl/certs".to_owned()];
        let bare = [&["directory /etc/ssl/certs".to_owned()], &links[..], of_openssl, &ssl].concat();
        type Case<'a> = (&'a [(&'a str, Standing)], &'a [(&'a str, &'a str)], Vec<String>);
        let cases: [Case<'_>; 3] = [
            // An image without anything, and Debian's.
            (&[], &[], bare.clone()),
            (&[(debian, Other)], &[], bare),
            // Fedora's: one directory under two names, and one file behind two links.
            (
                &[
                    ("/etc/pki/tls/certs", Directory),
                    (extracted, Other),
                    ("/etc/pki/ca-trust/extracted/pem", Directory),
                ],
                &[
                    ("/etc/ssl/certs", "/etc/pki/tls/certs"),
                    (debian, "/etc/pki/tls/certs/ca-certificates.crt"),
                    (fedora, extracted),
                    ("/etc/pki/tls/cert.pem", extracted),
                ],
                [
                    &["directory /etc/pki/tls/certs".to_owned(), format!("file {extracted}")],
                    &links[..2],
                    of_openssl,
                    &covered("/etc/pki/tls/certs"),
                    &[format!("bind {extracted}")],
                ]
                .concat(),
            ),
        ];
        let one = offered(true, &["0"]);
        for (held, links, expected) in cases {
            assert_eq!(arranged(&["ca=host"], &one, held, links), expected, "{held:?}");
        }
        // What stands in the way of the first place is left as it is.
        let blocked = [("/etc/ssl/certs", Other), (debian, Other), ("/etc/ssl", Directory)];
        let blocked = arranged(&["ca=host"], &one, &blocked, &[]);
        assert!(
            !blocked.iter().any(|line| line.contains("/etc/ssl/certs")),
            "{blocked:?}"
        );
        assert!(arranged(&["ca=host"], &Offer::default(), &[(debian, Other)], &[]).is_empty());
    }

    #[test]
    fn names_that_are_hashes() {
        for (name, expected) in [
            ("002c0b4f.0", true),
            ("ffffffff.12", true),
            ("002c0b4f.r0", false),
            ("002C0B4F.0", false),
            ("002c0b4f.", false),
            ("002c0b4f", false),
            ("02c0b4f.0", false),
            ("002c0b4f.0.pem", false),
            ("ca-certificates.crt", false),
            ("", false),
        ] {
            assert_eq!(is_hash(name.as_bytes()), expected, "{name}");
        }
    }
}
