//! Where keys are by custom.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Keys that every user of this machine trusts.
pub const SYSTEM_TRUSTED_DIRECTORY: &str = "/etc/polecat/trusted.d";

/// polecat's directory among the user's settings: `$XDG_CONFIG_HOME/polecat`, else `$HOME/.config/polecat`. None without a
/// home. (XDG Base Directory Specification: a relative path counts as unset.)
pub fn config_directory() -> Option<PathBuf> {
    config_directory_of(|name| std::env::var_os(name))
}

fn config_directory_of(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let directory = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = directory("XDG_CONFIG_HOME").or_else(|| directory("HOME").map(|home| home.join(".config")));
    config.map(|config| config.join("polecat"))
}

/// The user's own secret key: `signing.key` in [`config_directory`].
pub fn default_key_path() -> Option<PathBuf> {
    config_directory().map(|directory| directory.join("signing.key"))
}

/// The public half beside a secret key: the same name with `.pub` behind.
pub fn public_key_path(secret: &Path) -> PathBuf {
    let mut path = secret.as_os_str().to_owned();
    path.push(".pub");
    PathBuf::from(path)
}

/// Where trusted keys are looked for: `trusted.d` in [`config_directory`], and [`SYSTEM_TRUSTED_DIRECTORY`].
pub fn trusted_directories() -> Vec<PathBuf> {
    let user = config_directory().map(|directory| directory.join("trusted.d"));
    user.into_iter()
        .chain([PathBuf::from(SYSTEM_TRUSTED_DIRECTORY)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_directory_follows_xdg() {
        // XDG_CONFIG_HOME, HOME, directory
        let table = [
            (None, Some("/home/a"), Some("/home/a/.config/polecat")),
            (Some("/cfg"), Some("/home/a"), Some("/cfg/polecat")),
            (Some("/cfg"), None, Some("/cfg/polecat")),
            (Some(""), Some("/home/a"), Some("/home/a/.config/polecat")),
            (Some("relative"), Some("/home/a"), Some("/home/a/.config/polecat")),
            (None, Some(""), None),
            (None, None, None),
        ];
        for (xdg, home, expected) in table {
            let variable = |name: &str| match name {
                "XDG_CONFIG_HOME" => xdg.map(OsString::from),
                "HOME" => home.map(OsString::from),
                _ => None,
            };
            assert_eq!(
                config_directory_of(variable),
                expected.map(PathBuf::from),
                "{xdg:?} {home:?}"
            );
        }
    }

    #[test]
    fn public_key_beside_the_secret_one() {
        assert_eq!(
            public_key_path(Path::new("/a/signing.key")),
            Path::new("/a/signing.key.pub")
        );
    }
}
