//! Names for the caller's ids: lines of passwd(5) and group(5).

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::text::parts;

/// The caller, as the user data base has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Name of the user.
    pub user: Vec<u8>,
    /// Name of the group.
    pub group: Vec<u8>,
    /// Home directory.
    pub home: PathBuf,
}

/// The name in the first line whose third field is `id`. Both files have the name first and the id third.
#[must_use]
pub fn name_of(file: &[u8], id: u32) -> Option<Vec<u8>> {
    let fields = find(file, &|_, found| found == id)?;
    fields.first().map(|name| name.to_vec())
}

/// The number in a field of a line.
pub(super) fn number(field: Option<&&[u8]>) -> Option<u32> {
    std::str::from_utf8(field?).ok()?.parse().ok()
}

/// The name and the id of a line: its first field, and its third.
#[must_use]
pub fn entry(line: &[u8]) -> Option<(&[u8], u32)> {
    let fields = parts(line, b':');
    let (name, id) = (fields.first().copied()?, number(fields.get(2))?);
    is_name(name).then_some((name, id))
}

/// The fields of the first line about whose name and id `is_it` says so.
pub(super) fn find<'a>(file: &'a [u8], is_it: &dyn Fn(&[u8], u32) -> bool) -> Option<Vec<&'a [u8]>> {
    for line in parts(file, b'\n') {
        if entry(line).is_some_and(|(name, id)| is_it(name, id)) {
            return Some(parts(line, b':'));
        }
    }
    None
}

/// The groups of group(5) that `user` is a member of.
pub(super) fn groups_of(file: &[u8], user: &[u8]) -> Vec<u32> {
    let mut groups = Vec::new();
    for line in parts(file, b'\n') {
        let fields = parts(line, b':');
        let members = fields.get(3).copied().unwrap_or_default();
        if parts(members, b',').contains(&user) {
            groups.extend(number(fields.get(2)));
        }
    }
    groups
}

/// Whether `name` can stand in a line of either file.
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.starts_with(b"+") && !name.iter().any(|byte| b":\n\0/".contains(byte))
}

/// `passwd` with a line for the caller, or none when it has one.
#[must_use]
pub fn with_user(passwd: Option<&[u8]>, account: &Account) -> Option<Vec<u8>> {
    let Account { uid, gid, .. } = account;
    let home = account.home.as_os_str().as_bytes();
    let home = if home.iter().any(|byte| b":\n".contains(byte)) {
        b"/"
    } else {
        home
    };
    let ids = format!(":x:{uid}:{gid}::");
    with_line(passwd, *uid, &[&account.user, ids.as_bytes(), home, b":/bin/sh\n"])
}

/// `group` with a line for the caller's group, or none when it has one.
#[must_use]
pub fn with_group(group: Option<&[u8]>, account: &Account) -> Option<Vec<u8>> {
    let ids = format!(":x:{}:\n", account.gid);
    with_line(group, account.gid, &[&account.group, ids.as_bytes()])
}

fn with_line(file: Option<&[u8]>, id: u32, line: &[&[u8]]) -> Option<Vec<u8>> {
    let file = file.unwrap_or_default();
    if name_of(file, id).is_some() {
        return None;
    }
    let mut contents = file.to_vec();
    if !contents.is_empty() && !contents.ends_with(b"\n") {
        contents.push(b'\n');
    }
    contents.extend(line.concat());
    Some(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            uid: 1000,
            gid: 100,
            user: b"ada".to_vec(),
            group: b"users".to_vec(),
            home: "/home/ada".into(),
        }
    }

    #[test]
    fn names() {
        let passwd =
            b"root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7:7::/:\n+:x:8:8::/:\nada:x:1000:100::/home/ada:/bin/sh";
        let cases: [(u32, Option<&[u8]>); 6] = [
            (0, Some(b"root")),
            (1000, Some(b"ada")),
            (100, None),
            (7, None),
            (8, None),
            (10, None),
        ];
        for (id, name) in cases {
            assert_eq!(name_of(passwd, id).as_deref(), name, "{id}");
        }
    }

    #[test]
    fn a_line_is_added_where_one_is_missing() {
        let line = "ada:x:1000:100::/home/ada:/bin/sh\n";
        let root = "root:x:0:0::/root:/bin/sh\n";
        let cases = [
            (None, Some(line.to_owned())),
            (Some(""), Some(line.to_owned())),
            (Some(root), Some(format!("{root}{line}"))),
            (Some(root.trim_end()), Some(format!("{root}{line}"))),
            (Some("bob:x:1000:5::/:/bin/sh\n"), None),
        ];
        for (passwd, wanted) in cases {
            let found = with_user(passwd.map(str::as_bytes), &account());
            assert_eq!(found, wanted.map(String::into_bytes), "{passwd:?}");
        }
        assert_eq!(
            with_group(Some(b"root:x:0:\n"), &account()).as_deref(),
            Some(&b"root:x:0:\nusers:x:100:\n"[..])
        );
        assert_eq!(with_group(Some(b"staff:x:100:bob\n"), &account()), None);
    }

    #[test]
    fn a_home_that_would_break_the_line_is_left_out() {
        let account = Account {
            home: "/home/a:b".into(),
            ..account()
        };
        assert_eq!(
            with_user(None, &account).as_deref(),
            Some(&b"ada:x:1000:100::/:/bin/sh\n"[..])
        );
    }
}
