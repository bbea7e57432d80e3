//! As whom the app runs: what `--user` means in an image. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::identity::{self, Account};
use super::survey::Survey;
use crate::host::Facts;
use crate::options::{Name, UserOption};

/// As whom the app runs, as it sees itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Ids, and names for them.
    pub account: Account,
    /// Supplementary groups, which only the host's root can set.
    pub groups: Vec<u32>,
    /// Somebody asked for it; else it is the caller.
    pub asked: bool,
}

/// The caller, whom nobody asked for.
pub(crate) fn caller(host: &Facts) -> Identity {
    Identity {
        account: Account {
            uid: host.uid,
            gid: host.gid,
            ..host.account.clone()
        },
        groups: Vec::new(),
        asked: false,
    }
}

/// Who `asked` is in the image, or the caller.
///
/// # Errors
/// The name that the image does not have.
pub(super) fn resolve<'a>(asked: Option<&UserOption>, host: &'a Facts, survey: &'a Survey) -> Result<Identity, String> {
    let Some(UserOption { user, group }) = asked else {
        return Ok(caller(host));
    };
    // The program sees the host's files where that was chosen.
    let seen = |name: &str, own: &'a Option<Vec<u8>>| {
        let of_host = host.offer.files.iter().find(|(path, _)| *path == name);
        let contents = of_host.map(|(_, contents)| contents).or(own.as_ref());
        contents.map_or(&[][..], Vec::as_slice)
    };
    let passwd = seen("/etc/passwd", &survey.passwd);
    let group_file = seen("/etc/group", &survey.group);
    let entry = find(passwd, user);
    let uid = id(user, entry.as_ref())?;
    let is_caller = uid == host.uid;
    let own_group = || entry.as_ref().and_then(|fields| identity::number(fields.get(3)));
    let gid = match group {
        Some(group) => id(group, find(group_file, group).as_ref())?,
        None => own_group().unwrap_or(if is_caller { host.gid } else { uid }),
    };
    let field = |at: usize| entry.as_ref().and_then(|fields| fields.get(at).copied());
    let name = match field(0) {
        Some(name) => name.to_vec(),
        None if is_caller => host.account.user.clone(),
        None => fallback(uid, b"user"),
    };
    let home = field(5).map(|home| PathBuf::from(OsStr::from_bytes(home)));
    let groups = match group {
        None => identity::groups_of(group_file, &name),
        Some(_) => Vec::new(),
    };
    Ok(Identity {
        account: Account {
            uid,
            gid,
            user: name,
            group: if gid == host.gid {
                host.account.group.clone()
            } else {
                fallback(gid, b"group")
            },
            // Whoever only seems to be somebody else has the rights of the caller, and the caller's home.
            home: match home {
                _ if !host.is_hosts_root() || is_caller => host.account.home.clone(),
                home => home.filter(|home| home.is_absolute()).unwrap_or_else(|| "/".into()),
            },
        },
        groups,
        asked: true,
    })
}

fn find<'a>(file: &'a [u8], wanted: &Name) -> Option<Vec<&'a [u8]>> {
    identity::find(file, &|name, id| match wanted {
        Name::Id(wanted) => id == *wanted,
        Name::Named(wanted) => name == wanted.as_bytes(),
    })
}

fn id(wanted: &Name, entry: Option<&Vec<&[u8]>>) -> Result<u32, String> {
    match wanted {
        Name::Id(id) => Ok(*id),
        Name::Named(name) => entry
            .and_then(|fields| identity::number(fields.get(2)))
            .ok_or_else(|| name.clone()),
    }
}

/// A name for an id that has none.
fn fallback(id: u32, other: &[u8]) -> Vec<u8> {
    if id == 0 { b"root".to_vec() } else { other.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::facts;
    use super::*;

    #[test]
    fn who_is_meant() {
        let survey = Survey {
            passwd: Some(b"root:x:0:0::/root:/bin/sh\nwww:x:33:33:,:/var/www:\nbroken:x:y:1::/:\n".to_vec()),
            group: Some(b"root:x:0:\ntape:x:7:ada,www\nwww:x:33:\nlp:x:8:www\nlp2:x:9:xwww\n".to_vec()),
            ..Survey::default()
        };
        let named = |name: &str| Name::Named(name.into());
        let [root, user] = [true, false].map(|root| Facts {
            privileged: root,
            all_ids: true,
            ..facts()
        });
        /// Caller, user, group, and who it is: ids, name, home, further groups.
        type Case<'a> = (
            &'a Facts,
            Name,
            Option<Name>,
            Option<(u32, u32, &'a str, &'a str, &'a [u32])>,
        );
        let cases: [Case<'_>; 11] = [
            (&root, named("www"), None, Some((33, 33, "www", "/var/www", &[7, 8]))),
            (&root, Name::Id(33), None, Some((33, 33, "www", "/var/www", &[7, 8]))),
            (
                &root,
                named("www"),
                Some(named("lp")),
                Some((33, 8, "www", "/var/www", &[])),
            ),
            (
                &root,
                named("www"),
                Some(Name::Id(5)),
                Some((33, 5, "www", "/var/www", &[])),
            ),
            (&root, Name::Id(77), None, Some((77, 77, "user", "/", &[]))),
            (&root, Name::Id(1000), None, Some((1000, 100, "ada", "/home/ada", &[7]))),
            (&user, Name::Id(0), None, Some((0, 0, "root", "/home/ada", &[]))),
            (&user, named("www"), None, Some((33, 33, "www", "/home/ada", &[7, 8]))),
            (&root, named("nobody"), None, None),
            (&root, named("broken"), None, None),
            (&root, named("www"), Some(named("nogroup")), None),
        ];
        for (host, user, group, expected) in cases {
            let asked = UserOption { user, group };
            let found = resolve(Some(&asked), host, &survey).ok();
            let found = found.as_ref().map(|Identity { account, groups, .. }| {
                let name = std::str::from_utf8(&account.user).unwrap();
                (
                    account.uid,
                    account.gid,
                    name,
                    account.home.to_str().unwrap(),
                    &groups[..],
                )
            });
            assert_eq!(found, expected, "{asked:?}");
        }
    }
}
