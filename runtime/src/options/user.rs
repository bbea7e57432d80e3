//! As whom a program runs inside.

use std::ffi::OsStr;

use super::flag::Expected;
use super::limit::number;

/// A user, and a group of his.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserOption {
    /// By number, or by a name of the image's passwd(5).
    pub user: Name,
    /// By number, or by a name of the image's group(5). None: the user's own, or that of the same number.
    pub group: Option<Name>,
}

/// A number, or what has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// The number itself.
    Id(u32),
    /// A name that has one in the image.
    Named(String),
}

/// `USER[:GROUP]`.
pub(super) fn user(text: &OsStr) -> Result<UserOption, Expected> {
    const EXPECTED: Expected = "UID[:GID], or names of the image's passwd and group";
    let text = text.to_str().ok_or(EXPECTED)?;
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    Ok(UserOption {
        user: name(user).ok_or(EXPECTED)?,
        group: group.map(|group| name(group).ok_or(EXPECTED)).transpose()?,
    })
}

/// 4294967295 means nobody to the kernel.
fn name(text: &str) -> Option<Name> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.$@".contains(&byte);
    match text.is_empty() || text.starts_with('-') {
        true => None,
        false if is_number => {
            let id = number(text.as_bytes()).and_then(|id| u32::try_from(id).ok());
            id.filter(|id| *id != u32::MAX).map(Name::Id)
        }
        false => text.bytes().all(is_name).then(|| Name::Named(text.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        let named = |name: &str| Name::Named(name.into());
        for (text, expected) in [
            ("0", Some((Name::Id(0), None))),
            ("33:44", Some((Name::Id(33), Some(Name::Id(44))))),
            ("www-data", Some((named("www-data"), None))),
            ("ada:4294967294", Some((named("ada"), Some(Name::Id(u32::MAX - 1))))),
            ("1x", Some((named("1x"), None))),
            ("", None),
            (":", None),
            ("0:", None),
            (":0", None),
            ("-1", None),
            ("4294967295", None),
            ("99999999999999999999", None),
            ("a b", None),
            ("a:b:c", None),
            ("../x", None),
        ] {
            let read = user(OsStr::new(text)).ok();
            assert_eq!(read.map(|user| (user.user, user.group)), expected, "{text}");
        }
    }
}
