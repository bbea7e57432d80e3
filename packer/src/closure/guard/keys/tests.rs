//! Keys that are none: their heads are right, their bodies are numbers counted up.

use std::io::Write as _;

use super::*;

/// As many letters of base64, in lines of 64.
fn letters(count: usize, line_end: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for number in 0..count {
        text.push(char::from(ALPHABET[(number * 29 + number / 64) % 64]));
        if number % 64 == 63 {
            text.push_str(line_end);
        }
    }
    text
}

fn armoured(kind: &str) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", letters(320, "\n"))
}

fn found(contents: &[u8]) -> Option<Place> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(contents).expect("written");
    find(&file, contents.len() as u64).expect("readable")
}

#[test]
fn armoured_keys() {
    for kind in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        let key = armoured(kind);
        assert_eq!(found(key.as_bytes()), Some(Place::File), "{kind}");
        assert_eq!(found(key.replace('\n', "\r\n").as_bytes()), Some(Place::File), "{kind}");
        let behind = format!("{}{key}", armoured("CERTIFICATE"));
        assert_eq!(
            found(behind.as_bytes()),
            Some(Place::File),
            "{kind} behind a certificate"
        );
    }
    let ssh2 = armoured("SSH2 ENCRYPTED PRIVATE KEY").replace("-----", "----");
    assert!(
        found(
            ssh2.replace("----BEGIN", "---- BEGIN")
                .replace("KEY----", "KEY ----")
                .as_bytes()
        )
        .is_some()
    );
    let headers = "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123\n\n";
    assert!(
        found(
            armoured("RSA PRIVATE KEY")
                .replacen("KEY-----\n", headers, 1)
                .as_bytes()
        )
        .is_some()
    );
    let short = format!(
        "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n",
        letters(64, "\n")
    );
    assert!(found(short.as_bytes()).is_some(), "an Ed25519 key");
}

#[test]
fn keys_among_other_things() {
    let json = format!(
        "{{\"private_key\": \"{}\"}}",
        armoured("PRIVATE KEY").replace('\n', "\\n")
    );
    assert_eq!(found(json.as_bytes()), Some(Place::Within { code: false }));
    let script = format!("#!/bin/sh\ncat <<E\n{}E\n", armoured("RSA PRIVATE KEY"));
    assert_eq!(found(script.as_bytes()), Some(Place::Within { code: true }));
    let c = armoured("PRIVATE KEY")
        .lines()
        .map(|line| format!("    \"{line}\\n\"\n"))
        .collect::<String>();
    assert_eq!(
        found(format!("static char key[] =\n{c};").as_bytes()),
        Some(Place::Within { code: false })
    );
    // As a variable has it, and with line ends of old.
    let line = format!("KEY=\"{}\"\n", armoured("RSA PRIVATE KEY").replace('\n', " "));
    assert_eq!(found(line.as_bytes()), Some(Place::Within { code: false }));
    assert_eq!(
        found(armoured("PRIVATE KEY").replace('\n', "\r").as_bytes()),
        Some(Place::File)
    );
    // Wherever it lies about the ends of the pieces that are read.
    for before in [
        PIECE - 300,
        PIECE - 40,
        PIECE - 20,
        PIECE - 11,
        PIECE - 1,
        PIECE,
        2 * PIECE - 25,
        2 * PIECE - 400,
    ] {
        let file = [vec![b'x'; before], b"\n".to_vec(), armoured("PRIVATE KEY").into_bytes()].concat();
        assert_eq!(found(&file), Some(Place::Within { code: false }), "{before}");
    }
}

#[test]
fn what_is_no_key() {
    let certificate = armoured("CERTIFICATE");
    let public = armoured("PUBLIC KEY");
    let cut = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA...\n...\n-----END RSA PRIVATE KEY-----\n";
    let strings = format!(
        "-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----\0{}",
        letters(640, "\n")
    );
    let placeholder = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        "x".repeat(320)
    );
    let prose =
        "Put your PRIVATE KEY-----\n into the file that begins with -----BEGIN PRIVATE KEY----- and ends likewise.";
    let program = "throws(\"-----BEGIN PRIVATE KEY-----\"); NoSuchAlgorithmException, InvalidKeySpecException, \
        UnrecoverableEntryException { }";
    let end = format!("-----END PRIVATE KEY-----\n{}", letters(640, "\n"));
    for text in [
        &certificate,
        &public,
        cut,
        &strings,
        &placeholder,
        prose,
        program,
        &end,
        "",
        "PRIVATE KEY",
    ] {
        assert_eq!(found(text.as_bytes()), None, "{text}");
    }
}

/// A SEQUENCE with these contents.
fn sequence(contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).expect("short").to_be_bytes();
    [&[0x30, 0x82, high, low], contents].concat()
}

#[test]
fn binary_keys() {
    let ed25519 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    let ed25519 = [ed25519, vec![7; 32]].concat();
    let rsa = sequence(&[b"\x02\x01\x00\x02\x82\x01\x01\x00".as_slice(), &[9; 600]].concat());
    let ec = sequence(&[b"\x02\x01\x01\x04\x20".as_slice(), &[9; 80]].concat());
    let oid = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
    let encrypted = sequence(&[&[0x30, 11], oid.as_slice(), &[0x04, 0x20], &[9; 32]].concat());
    for key in [&ed25519, &rsa, &ec, &encrypted] {
        assert_eq!(found(key), Some(Place::File), "{key:x?}");
        assert_eq!(
            found(&[key.as_slice(), b"x"].concat()),
            None,
            "more than a key: {key:x?}"
        );
        assert_eq!(found(&key[..key.len() - 1]), None, "less than a key: {key:x?}");
    }
    let certificate = sequence(&[b"\x30\x82\x01\x00\xa0\x03\x02\x01\x02".as_slice(), &[9; 300]].concat());
    let public = sequence(&[b"\x02\x82\x01\x01\x00".as_slice(), &[9; 300]].concat());
    for other in [&certificate, &public, &sequence(b""), &b"0".to_vec()] {
        assert_eq!(found(other), None, "{other:x?}");
    }
}

#[test]
fn keys_of_other_programs() {
    let age = format!("# created: 2024\nAGE-SECRET-KEY-1{}\n", "Q".repeat(58));
    for (text, expected) in [
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", true),
        ("untrusted comment: signify secret key\nRWRCSw==\n", true),
        ("untrusted comment: minisign encrypted secret key\nRWQ==\n", true),
        ("untrusted comment: signify public key\nRWRCSw==\n", false),
        (&age, true),
        ("what an AGE-SECRET-KEY-1 is", false),
    ] {
        assert_eq!(found(text.as_bytes()), expected.then_some(Place::File), "{text}");
    }
}
