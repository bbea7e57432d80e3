//! Keys and signatures, ours for openssl and openssl's for us.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use signing::{Passphrase, PemError, PublicKey, Purpose, SecretKey, Signature, verify};
use support::Need;
use support::requirement::{skip, tool};
use tempfile::TempDir;

const OPENSSL: &str = "openssl";

struct Openssl {
    scratch: TempDir,
}

impl Openssl {
    /// openssl with a place for files; none where the test must be skipped.
    fn find() -> Option<Self> {
        (!skip(&[Need::Tool(OPENSSL)])).then(|| Openssl {
            scratch: TempDir::new().unwrap(),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs openssl with the words of `line`, in the directory of the files.
    fn run(&self, line: &str) -> Output {
        Command::new(tool(OPENSSL))
            .args(line.split(' '))
            .current_dir(&self.scratch)
            .output()
            .unwrap()
    }

    /// What it prints; it must succeed.
    fn says(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "openssl {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes().to_vec())
}

const MESSAGE: &[u8] = b"what is signed";

/// Both verify what the other has signed with this key, which openssl has in `key`.
fn sign_each_other(openssl: &Openssl, key: &str, secret: &SecretKey) {
    let prefixed = [b"polecat bundle manifest v1\0", MESSAGE].concat();
    openssl.write("message", &prefixed);
    openssl.says(&format!("pkeyutl -sign -rawin -inkey {key} -in message -out signature"));
    let theirs = Signature(fs::read(openssl.path("signature")).unwrap().try_into().unwrap());
    assert_eq!(
        verify(Purpose::BundleManifest, MESSAGE, &secret.public_key(), &theirs),
        Ok(())
    );

    openssl.write("signature", secret.sign(Purpose::BundleManifest, MESSAGE).0);
    openssl.write("public.pem", secret.public_key().to_pem().unwrap());
    let judged = "pkeyutl -verify -rawin -pubin -inkey public.pem -sigfile signature -in";
    openssl.says(&format!("{judged} message"));
    openssl.write("other", MESSAGE);
    assert!(
        !openssl.run(&format!("{judged} other")).status.success(),
        "openssl accepts anything"
    );
}

#[test]
fn keys_of_openssl_are_ours() {
    let Some(openssl) = Openssl::find() else { return };
    openssl.says("genpkey -algorithm ed25519 -out key.pem");
    let secret = SecretKey::from_pem(&openssl.read("key.pem"), None).unwrap();
    let public = openssl.says("pkey -in key.pem -pubout");
    assert_eq!(secret.public_key().to_pem().unwrap(), public);
    assert_eq!(PublicKey::from_pem(&public).unwrap(), secret.public_key());
    assert_eq!(*secret.to_pem(None).unwrap(), openssl.read("key.pem"));
    sign_each_other(&openssl, "key.pem", &secret);
}

#[test]
fn our_keys_are_openssls() {
    let Some(openssl) = Openssl::find() else { return };
    let secret = SecretKey::generate().unwrap();
    openssl.write("key.pem", secret.to_pem(None).unwrap().as_bytes());
    assert_eq!(
        openssl.says("pkey -in key.pem -pubout"),
        secret.public_key().to_pem().unwrap()
    );
    sign_each_other(&openssl, "key.pem", &secret);
}

#[test]
fn encrypted_keys_of_openssl_open() {
    let Some(openssl) = Openssl::find() else { return };
    openssl.says("genpkey -algorithm ed25519 -out plain.pem");
    let public = PublicKey::from_pem(&openssl.says("pkey -in plain.pem -pubout")).unwrap();
    openssl.says("pkey -in plain.pem -aes256 -passout pass:tr0ub4dor -out 0.pem");
    let ways = [
        "-v2 aes256",
        "-v2 aes128",
        "-v2 aes256 -v2prf hmacWithSHA512",
        "-v2 aes256 -iter 100000",
        "-scrypt",
    ];
    for (way, number) in ways.into_iter().zip(1..) {
        openssl.says(&format!(
            "pkcs8 -topk8 {way} -passout pass:tr0ub4dor -in plain.pem -out {number}.pem"
        ));
    }
    for number in 0..=ways.len() {
        let text = openssl.read(&format!("{number}.pem"));
        assert!(
            text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
            "{number}: {text}"
        );
        let opened = SecretKey::from_pem(&text, Some(&passphrase("tr0ub4dor"))).unwrap();
        assert_eq!(opened.public_key(), public, "{number}");
        assert!(matches!(
            SecretKey::from_pem(&text, None),
            Err(PemError::PassphraseNeeded)
        ));
        for wrong in ["", "tr0ub4do", "tr0ub4dor\n", "another"] {
            let refused = SecretKey::from_pem(&text, Some(&passphrase(wrong))).unwrap_err();
            assert!(
                matches!(refused, PemError::PassphraseWrong),
                "{number}, {wrong:?}: {refused}"
            );
        }
    }
}

#[test]
fn our_encrypted_keys_open_in_openssl() {
    let Some(openssl) = Openssl::find() else { return };
    let secret = SecretKey::generate().unwrap();
    let text = secret.to_pem(Some(&passphrase("correct-horse"))).unwrap();
    openssl.write("key.pem", text.as_bytes());
    assert_eq!(
        openssl.says("pkey -in key.pem -passin pass:correct-horse -pubout"),
        secret.public_key().to_pem().unwrap()
    );
    assert!(
        !openssl
            .run("pkey -in key.pem -passin pass:wrong -pubout")
            .status
            .success()
    );
    let scheme = openssl.says("asn1parse -in key.pem");
    for part in ["PBES2", "PBKDF2", "0927C0", "hmacWithSHA256", "aes-256-cbc"] {
        assert!(scheme.contains(part), "no {part} in {scheme}");
    }
    let again = secret.to_pem(Some(&passphrase("correct-horse"))).unwrap();
    assert!(*again != *text, "the salt is the same");
    assert_eq!(
        SecretKey::from_pem(&again, Some(&passphrase("correct-horse")))
            .unwrap()
            .public_key(),
        secret.public_key()
    );
}

#[test]
fn other_pem_files_are_refused() {
    let Some(openssl) = Openssl::find() else { return };
    for (name, algorithm) in [
        ("x25519", "X25519"),
        ("ed448", "ed448"),
        ("p256", "EC -pkeyopt ec_paramgen_curve:P-256"),
        ("rsa", "RSA"),
    ] {
        openssl.says(&format!("genpkey -algorithm {algorithm} -out {name}.pem"));
        openssl.says(&format!("pkey -in {name}.pem -pubout -out {name}.pub"));
        let secret = SecretKey::from_pem(&openssl.read(&format!("{name}.pem")), None).unwrap_err();
        assert!(matches!(secret, PemError::NotEd25519 { .. }), "{name}: {secret}");
        let public = PublicKey::from_pem(&openssl.read(&format!("{name}.pub"))).unwrap_err();
        assert!(matches!(public, PemError::NotEd25519 { .. }), "{name}: {public}");
    }
    openssl.says("genpkey -algorithm ed25519 -out key.pem");
    let (secret, public) = (openssl.read("key.pem"), openssl.says("pkey -in key.pem -pubout"));
    assert!(matches!(
        SecretKey::from_pem(&public, None),
        Err(PemError::Label { .. })
    ));
    assert!(matches!(PublicKey::from_pem(&secret), Err(PemError::Label { .. })));
}

#[test]
fn damaged_pem_files_are_refused() {
    let secret = SecretKey::from_bytes(&[7; 32]);
    let text = secret.to_pem(None).unwrap();
    for length in 0..text.trim_end().len() {
        assert!(SecretKey::from_pem(&text[..length], None).is_err(), "{length} bytes");
    }
    let public = secret.public_key().to_pem().unwrap();
    for length in 0..public.trim_end().len() {
        assert!(PublicKey::from_pem(&public[..length]).is_err(), "{length} bytes");
    }
    for text in [
        "",
        "no key",
        "-----BEGIN PRIVATE KEY-----",
        "\0\0\0",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert!(SecretKey::from_pem(text, None).is_err(), "{text:?}");
    }
}
