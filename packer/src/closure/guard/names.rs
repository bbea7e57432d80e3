//! Secrets by their names.

use std::sync::LazyLock;

use crate::plan::Secret;
use crate::rootfs::{Pattern, RootPath};

/// Files of the system.
const SYSTEM: &[(Secret, &str)] = &[
    (
        Secret::PasswordHashes,
        "/etc/{shadow,gshadow,shadow-,gshadow-,passwd-,group-,opasswd}",
    ),
    (Secret::PasswordHashes, "/etc/security/opasswd"),
    (Secret::MachineIdentity, "/etc/{machine-id,hostid}"),
    (Secret::MachineIdentity, "/var/lib/dbus/machine-id"),
    (
        Secret::MachineIdentity,
        "/var/lib/systemd/{random-seed,credential.secret}",
    ),
    (Secret::MachineIdentity, "/var/lib/NetworkManager/secret_key"),
    (Secret::PrivateKey, "/etc/ssh/ssh_host_*_key"),
    (Secret::PrivateKey, "/etc/dropbear/dropbear_*_host_key"),
    (Secret::PrivateKey, "/etc/ssl/private/**"),
    (Secret::PrivateKey, "/etc/pki/tls/private/**"),
    (Secret::PrivateKey, "/etc/letsencrypt/{accounts,archive,keys,live}/**"),
    (Secret::PrivateKey, "/etc/{ipsec.d,swanctl}/private/**"),
    (Secret::PrivateKey, "/etc/wireguard/**"),
    (Secret::Credentials, "/etc/ipsec.secrets"),
    (Secret::Credentials, "/etc/ppp/{chap,pap}-secrets"),
    (Secret::Credentials, "/etc/NetworkManager/system-connections/**"),
    (Secret::Credentials, "/etc/wpa_supplicant/*.conf"),
    (Secret::Credentials, "/etc/kubernetes/{*.conf,pki/**}"),
    (Secret::Credentials, "/etc/rancher/**/*.yaml"),
];

/// Files of homes, whoever's and wherever they are: of services, too.
const HOMES: &[(Secret, &str)] = &[
    (Secret::PrivateKey, "/**/.{ssh,gnupg}/**"),
    (Secret::PrivateKey, "/**/.config/polecat/signing.key"),
    (Secret::PrivateKey, "/**/.config/{age,sops}/**"),
    (Secret::PrivateKey, "/**/.minisign/*.key"),
    (
        Secret::Credentials,
        "/**/.{aws,azure,kube,docker,oci,password-store,terraform.d}/**",
    ),
    (
        Secret::Credentials,
        "/**/.{netrc,pgpass,git-credentials,npmrc,yarnrc.yml,pypirc,dockercfg,boto,s3cfg,vault-token}",
    ),
    (
        Secret::Credentials,
        "/**/.{my.cnf,mylogin.cnf,msmtprc,fetchmailrc,terraformrc,authinfo,smbcredentials}",
    ),
    (
        Secret::Credentials,
        "/**/.config/{gh,hub,gcloud,glab-cli,doctl,heroku,op,rclone,hcloud}/**",
    ),
    (
        Secret::Credentials,
        "/**/.config/{git/credentials,containers/auth.json,composer/auth.json,ngrok/ngrok.yml}",
    ),
    (Secret::Credentials, "/**/.cargo/credentials{,.toml}"),
    (
        Secret::Credentials,
        "/**/.{gem/credentials,composer/auth.json,ngrok2/ngrok.yml,gradle/gradle.properties}",
    ),
    (Secret::Credentials, "/**/.m2/settings{,-security}.xml"),
    (Secret::Credentials, "/**/.local/share/keyrings/**"),
    (
        Secret::Credentials,
        "/**/.mozilla/firefox/*/{key3.db,key4.db,logins.json,cookies.sqlite}",
    ),
    (
        Secret::History,
        "/**/.{*_history,history,histfile,zhistory,lesshst,viminfo}",
    ),
    (
        Secret::History,
        "/**/.local/share/{fish/fish_history,recently-used.xbel}",
    ),
];

/// Files that may be anywhere, but not below `/usr`, where packages have them.
const ANYWHERE: &[(Secret, &str)] = &[
    (
        Secret::PrivateKey,
        "/**/id_{rsa,dsa,ecdsa,ed25519,ecdsa_sk,ed25519_sk,xmss}",
    ),
    (Secret::PrivateKey, "/**/*.{ppk,p12,pfx}"),
    (Secret::PrivateKey, "/**/{private-keys-v1.d/*,secring.gpg}"),
    (Secret::Credentials, "/**/{*.keytab,kubeconfig}"),
];

/// Files that come with every password locked.
const LOCKABLE: [&[u8]; 2] = [b"/etc/shadow", b"/etc/gshadow"];

type Table = LazyLock<Vec<(Secret, Pattern)>>;

static SYSTEM_PATTERNS: Table = LazyLock::new(|| compiled(SYSTEM));
static HOME_PATTERNS: Table = LazyLock::new(|| compiled(HOMES));
static ANYWHERE_PATTERNS: Table = LazyLock::new(|| compiled(ANYWHERE));

fn compiled(table: &[(Secret, &str)]) -> Vec<(Secret, Pattern)> {
    let compile = |(secret, text): &(Secret, &str)| Some((*secret, Pattern::new(text).ok()?));
    table.iter().filter_map(compile).collect()
}

/// What a file with this path holds; none where its name says nothing.
pub(super) fn secret(path: &RootPath) -> Option<Secret> {
    let bytes = path.as_bytes();
    let starts_with = |place: &[u8]| bytes.starts_with(place);
    let find = |table: &[(Secret, Pattern)]| {
        let found = table.iter().find(|(_, pattern)| pattern.matches(path));
        found.map(|(secret, _)| *secret)
    };
    // Most paths are asked about few patterns. Homes are below /usr where /home is a link to /usr/home.
    if starts_with(b"/usr/") && !starts_with(b"/usr/home/") {
        return None;
    }
    let of_system = starts_with(b"/etc/") || starts_with(b"/var/lib/");
    let is_hidden = path.components().any(|name| name.starts_with(b"."));
    let asked = [
        (of_system, &SYSTEM_PATTERNS),
        (is_hidden, &HOME_PATTERNS),
        (true, &ANYWHERE_PATTERNS),
    ];
    asked
        .into_iter()
        .filter(|(apply, _)| *apply)
        .find_map(|(_, table)| find(table))
}

/// Does it come with every password locked?
pub(super) fn is_lockable(path: &RootPath) -> bool {
    LOCKABLE.contains(&path.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_patterns() {
        for (table, patterns) in [
            (SYSTEM, &SYSTEM_PATTERNS),
            (HOMES, &HOME_PATTERNS),
            (ANYWHERE, &ANYWHERE_PATTERNS),
        ] {
            assert_eq!(table.len(), patterns.len());
        }
        for (_, pattern) in SYSTEM {
            assert!(
                pattern.starts_with("/etc/") || pattern.starts_with("/var/lib/"),
                "{pattern}"
            );
        }
        for (_, pattern) in HOMES {
            assert!(pattern.starts_with("/**/."), "{pattern}");
        }
    }

    #[test]
    fn secrets_and_others() {
        use Secret::{Credentials, History, MachineIdentity, PasswordHashes, PrivateKey};
        for (path, expected) in [
            ("/etc/shadow", Some(PasswordHashes)),
            ("/etc/gshadow-", Some(PasswordHashes)),
            ("/etc/passwd", None),
            ("/etc/machine-id", Some(MachineIdentity)),
            ("/etc/ssh/ssh_host_ed25519_key", Some(PrivateKey)),
            ("/etc/ssh/ssh_host_ed25519_key.pub", None),
            ("/etc/ssl/private/snakeoil.key", Some(PrivateKey)),
            ("/etc/ssl/certs/ca-certificates.crt", None),
            ("/home/ann/.ssh/known_hosts", Some(PrivateKey)),
            ("/var/lib/jenkins/.ssh/id_rsa", Some(PrivateKey)),
            ("/home/ann/keys/id_ed25519", Some(PrivateKey)),
            ("/home/ann/keys/id_ed25519.pub", None),
            ("/srv/app/server.p12", Some(PrivateKey)),
            ("/usr/share/app/server.p12", None),
            ("/usr/home/ann/.netrc", Some(Credentials)),
            ("/root/.netrc", Some(Credentials)),
            ("/root/.docker/config.json", Some(Credentials)),
            ("/home/ann/.kube/config", Some(Credentials)),
            ("/home/ann/.config/gh/hosts.yml", Some(Credentials)),
            ("/home/ann/.config/mc/ini", None),
            ("/home/ann/.npmrc", Some(Credentials)),
            ("/usr/share/nodejs/x/.npmrc", None),
            ("/home/ann/.aws/credentials", Some(Credentials)),
            ("/root/.bash_history", Some(History)),
            ("/home/ann/.local/share/fish/fish_history", Some(History)),
            ("/root/.bashrc", None),
            ("/usr/bin/ssh", None),
            ("/etc/wpa_supplicant/functions.sh", None),
            ("/etc/krb5.keytab", Some(Credentials)),
        ] {
            assert_eq!(secret(&RootPath::new(path)), expected, "{path}");
        }
    }
}
