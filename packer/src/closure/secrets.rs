//! Files that are of no use to a packed program but of much use to whoever gets hold of it. A wildcard does not take them along.

use std::sync::LazyLock;

use nix::errno::Errno;

use crate::elf::is_absence;
use crate::rootfs::{Kind, Last, Pattern, RootPath, Rootfs, RootfsError};

/// Password hashes, private keys, the identity of the machine.
const PATTERNS: &[&str] = &[
    "/etc/{shadow,gshadow,shadow-,gshadow-,passwd-,group-,opasswd}",
    "/etc/security/opasswd",
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssl/private/**",
    "/etc/pki/tls/private/**",
    "/etc/krb5.keytab",
    "/etc/NetworkManager/system-connections/**",
    "/etc/wpa_supplicant/**",
    "/etc/wireguard/**",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/credential.secret",
    "/{root,home/*}/.{ssh,gnupg,aws,kube,docker,password-store}/**",
    "/{root,home/*}/.{netrc,pgpass,git-credentials,npmrc,pypirc}",
    "/{root,home/*}/.{bash,zsh,python,mysql,psql}_history",
    "/{root,home/*}/.config/polecat/signing.key",
];

static SECRETS: LazyLock<Vec<Pattern>> =
    LazyLock::new(|| PATTERNS.iter().filter_map(|text| Pattern::new(text).ok()).collect());

/// Where they all are, to ask the patterns about few paths only.
const PLACES: [&[u8]; 4] = [b"/etc/", b"/var/lib/", b"/root/", b"/home/"];

/// Is it one of them?
pub(super) fn is_secret(path: &RootPath) -> bool {
    PLACES.iter().any(|place| path.as_bytes().starts_with(place)) && SECRETS.iter().any(|pattern| pattern.matches(path))
}

/// The secret that is at the path, or that a link there leads to; none where there is none.
pub(super) fn behind(rootfs: &Rootfs, path: &[u8]) -> Result<Option<RootPath>, RootfsError> {
    for last in [Last::Keep, Last::Follow] {
        match rootfs.resolve(path, last) {
            Ok(place) if place.metadata.kind != Kind::Directory && is_secret(&place.path) => {
                return Ok(Some(place.path));
            }
            Ok(_) => {}
            // What may not be looked at cannot be packed.
            Err(error) if is_absence(error.errno()) || error.errno() == Errno::EACCES => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_patterns_of_their_places() {
        assert_eq!(SECRETS.len(), PATTERNS.len());
        for pattern in PATTERNS {
            let literal = pattern.split(['*', '{']).next().unwrap_or_default();
            assert!(
                literal == "/" || PLACES.iter().any(|place| literal.as_bytes().starts_with(place)),
                "{pattern}"
            );
        }
    }

    #[test]
    fn secrets_and_others() {
        for (path, expected) in [
            ("/etc/shadow", true),
            ("/etc/gshadow-", true),
            ("/etc/ssh/ssh_host_ed25519_key", true),
            ("/etc/ssh/ssh_host_ed25519_key.pub", false),
            ("/etc/ssl/private/snakeoil.key", true),
            ("/etc/ssl/certs/ca-certificates.crt", false),
            ("/home/ann/.ssh/id_ed25519", true),
            ("/root/.netrc", true),
            ("/root/.bashrc", false),
            ("/etc/passwd", false),
        ] {
            assert_eq!(is_secret(&RootPath::new(path)), expected, "{path}");
        }
    }
}
