//! Keys, signatures and hash trees, judged from outside: openssl, veritysetup, unsquashfs.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::format::{Layout, hex};
use support::requirement::{skip, tool};
use support::roots::{TINY_NEEDS, tiny};
use support::{Bundle, Ended, Need, Polecat, Scratch, exec};

/// What stands before the 32 bytes of an ed25519 public key in SubjectPublicKeyInfo, RFC 8410.
const PUBLIC_KEY_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn skip_without(tools: &[&'static str]) -> bool {
    let mut needs = TINY_NEEDS.to_vec();
    needs.extend(tools.iter().map(|tool| Need::Tool(tool)));
    skip(&needs)
}

fn tiny_bundle(options: &[&str]) -> Bundle {
    Bundle::pack(options, &tiny(&Scratch::new()), &["/bin/tiny"])
}

fn openssl(arguments: &[&str], directory: &Path) -> Ended {
    exec::run(Command::new(tool("openssl")).args(arguments).current_dir(directory))
}

/// Lays out message, signature and public key of every signature of a bundle, and asks openssl for its word on each.
fn judge_signatures(bundle: &Path, scratch: &Scratch) -> usize {
    let layout = Layout::read(bundle);
    scratch.file("message", layout.signed_message());
    for record in layout.signatures() {
        scratch.file("public.der", [&PUBLIC_KEY_PREFIX[..], &record.public_key].concat());
        scratch.file("signature", &record.signature);
        let verify = [
            "pkeyutl",
            "-verify",
            "-pubin",
            "-keyform",
            "DER",
            "-inkey",
            "public.der",
            "-rawin",
        ];
        let judged = [&verify[..], &["-in", "message", "-sigfile", "signature"]].concat();
        let right = openssl(&judged, scratch.path()).success();
        assert!(right.out().contains("Verified Successfully"), "{right}");
        // The judge is awake.
        scratch.file("message", [&layout.signed_message()[..], b" "].concat());
        let wrong = openssl(&judged, scratch.path());
        assert_ne!(wrong.code(), Some(0), "{wrong}");
        scratch.file("message", layout.signed_message());
        let digest = openssl(&["dgst", "-sha256", "-binary", "key"], {
            scratch.file("key", &record.public_key);
            scratch.path()
        });
        assert_eq!(record.key_id, digest.success().stdout[..8], "the key id");
    }
    layout.signatures().len()
}

#[test]
fn openssl_confirms_the_signature() {
    if skip_without(&["openssl"]) {
        return;
    }
    let bundle = tiny_bundle(&[]);
    assert_eq!(judge_signatures(bundle.path(), bundle.scratch()), 1);
}

#[test]
fn veritysetup_confirms_the_hash_tree() {
    if skip_without(&["veritysetup"]) {
        return;
    }
    let small = tiny_bundle(&[]);
    // More than 128 blocks, so that the tree has two levels.
    let scratch = Scratch::new();
    let root = tiny(&scratch);
    let noise: Vec<u8> = (0..400_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    scratch.file("tiny/noise", noise);
    let large = Bundle::pack(&["--include", "/noise"], &root, &["/bin/tiny"]);
    for bundle in [&small, &large] {
        let layout = Layout::read(bundle.path());
        let manifest = layout.manifest();
        let data = bundle.scratch().file("data", &layout.bytes[layout.image.clone()]);
        let hashes = bundle.scratch().file("hashes", &layout.bytes[layout.tree.clone()]);
        let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
        let (salt, root) = (
            text(&manifest["hashTree"]["salt"]),
            text(&manifest["hashTree"]["rootDigest"]),
        );
        let judge = |data: &Path| {
            let mut verify = Command::new(tool("veritysetup"));
            verify.args(["verify", "--no-superblock", "--format=1", "--hash=sha256"]);
            verify.args(["--data-block-size=4096", "--hash-block-size=4096"]);
            verify
                .arg(format!("--data-blocks={}", layout.image.len() / 4096))
                .arg(format!("--salt={salt}"));
            exec::run(verify.arg(data).arg(&hashes).arg(&root))
        };
        let _right = judge(&data).success();
        let mut damaged = layout.bytes[layout.image.clone()].to_vec();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        let wrong = judge(&bundle.scratch().file("damaged", damaged));
        assert_ne!(wrong.code(), Some(0), "{wrong}");
    }
    assert!(
        Layout::read(large.path()).tree.len() > 4096,
        "the large one has but one level"
    );
}

#[test]
fn unsquashfs_reads_the_image_in_place() {
    if skip_without(&["unsquashfs"]) {
        return;
    }
    let bundle = tiny_bundle(&[]);
    let layout = Layout::read(bundle.path());
    let offset = layout.image.start.to_string();
    let unsquashfs = |arguments: &[&str]| {
        let mut command = Command::new(tool("unsquashfs"));
        exec::run(
            command
                .args(["-o", &offset])
                .args(arguments)
                .arg(bundle.path())
                .current_dir(bundle.scratch().path()),
        )
    };
    let statistics = unsquashfs(&["-s"]).success().out();
    assert!(statistics.contains("Compression zstd"), "{statistics}");
    let _quiet = unsquashfs(&["-n", "-d", "unpacked"]).success();
    let out = std::fs::read(bundle.scratch().join("unpacked/bin/tiny")).expect("the program");
    let program = exec::run(Command::new(bundle.scratch().join("unpacked/bin/tiny")).arg("x")).exits(1);
    assert_eq!(program.out(), "x\n");
    assert!(out.starts_with(b"\x7fELF"));
}

#[test]
fn keys_of_openssl_sign() {
    if skip_without(&["openssl"]) {
        return;
    }
    let scratch = Scratch::new();
    let _made = openssl(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"], scratch.path()).success();
    let key = scratch.join("key.pem");
    scratch.permit(&key, 0o600);
    let bundle = tiny_bundle(&["--key", key.to_str().expect("UTF-8")]);
    let public = openssl(
        &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER"],
        scratch.path(),
    )
    .success()
    .stdout;
    let signed = Layout::read(bundle.path()).signatures();
    assert_eq!(signed.len(), 1);
    assert_eq!(public, [&PUBLIC_KEY_PREFIX[..], &signed[0].public_key].concat());
    assert_eq!(judge_signatures(bundle.path(), bundle.scratch()), 1);
}

#[test]
fn encrypted_keys_want_their_passphrase() {
    if skip_without(&["openssl"]) {
        return;
    }
    let scratch = Scratch::new();
    let encrypt = [
        "genpkey",
        "-algorithm",
        "ed25519",
        "-aes256",
        "-pass",
        "pass:open sesame",
        "-out",
        "key.pem",
    ];
    let _made = openssl(&encrypt, scratch.path()).success();
    let key = scratch.join("key.pem");
    scratch.permit(&key, 0o600);
    let right = scratch.file("right", "open sesame\n");
    let wrong = scratch.file("wrong", "open barley\n");
    let root = tiny(&scratch);
    let polecat = Polecat::new(&scratch);
    let out = scratch.join("out.run");
    let pack = |passphrase: Option<&Path>| {
        let mut command = polecat.command(["-o".as_ref(), out.as_os_str(), "--key".as_ref(), key.as_os_str()]);
        if let Some(passphrase) = passphrase {
            command.arg("--passphrase-file").arg(passphrase);
        }
        exec::run(command.arg(&root).arg("/bin/tiny"))
    };
    for refused in [pack(None).exits(1), pack(Some(&wrong)).exits(1)] {
        assert!(refused.err().contains("key.pem"), "{refused}");
        assert!(!out.exists(), "{refused}");
    }
    let _summary = pack(Some(&right)).success();
    assert_eq!(judge_signatures(&out, &scratch), 1);

    // And the other way round.
    let ours = scratch.join("ours.pem");
    let generate = ["key", "generate", "--passphrase-file"].map(AsRef::<OsStr>::as_ref);
    let files = [right.as_os_str(), "--out".as_ref(), ours.as_os_str()];
    let _told = polecat.run([&generate[..], &files].concat()).success();
    let read = |pass| openssl(&["pkey", "-in", "ours.pem", "-noout", "-passin", pass], scratch.path());
    let _read = read("pass:open sesame").success();
    assert_ne!(read("pass:open barley").code(), Some(0));
}

#[test]
fn keys_of_ours_work_in_openssl() {
    if skip_without(&["openssl"]) {
        return;
    }
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let key = scratch.join("own.key");
    let _told = polecat
        .run(["key".as_ref(), "generate".as_ref(), "--out".as_ref(), key.as_os_str()])
        .success();
    let text = openssl(&["pkey", "-in", "own.key", "-text", "-noout"], scratch.path())
        .success()
        .out();
    assert!(text.to_lowercase().contains("ed25519"), "{text}");
    let public = openssl(
        &["pkey", "-in", "own.key", "-pubout", "-outform", "DER"],
        scratch.path(),
    )
    .success()
    .stdout;
    let bundle = tiny_bundle(&["--key", key.to_str().expect("UTF-8")]);
    let signed = Layout::read(bundle.path()).signatures();
    assert_eq!(public, [&PUBLIC_KEY_PREFIX[..], &signed[0].public_key].concat());
}

#[test]
fn secret_keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    if skip_without(&["openssl"]) {
        return;
    }
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let key = scratch.join("own.key");
    // Whatever the umask says.
    let mut generate = Command::new("sh");
    generate
        .args(["-c", "umask 000; exec \"$@\"", "sh"])
        .arg(Polecat::executable());
    generate
        .args(["key".as_ref(), "generate".as_ref(), "--out".as_ref(), key.as_os_str()])
        .env("HOME", polecat.home());
    let _told = exec::run(&mut generate).success();
    let mode = std::fs::metadata(&key).expect("the key").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let again = polecat.run(["key".as_ref(), "generate".as_ref(), "--out".as_ref(), key.as_os_str()]);
    assert_ne!(again.code(), Some(0), "an existing key was overwritten: {again}");

    scratch.permit(&key, 0o644);
    let root = tiny(&scratch);
    let out = scratch.join("never.run");
    let open = polecat.run([
        "-o".as_ref(),
        out.as_os_str(),
        "--key".as_ref(),
        key.as_os_str(),
        root.as_os_str(),
        "/bin/tiny".as_ref(),
    ]);
    assert!(
        open.err().contains("own.key"),
        "nothing said of a key that all may read: {open}"
    );
    assert!(open.code() == Some(0) || !out.exists(), "{open}");
}

/// A second home with a key of its own.
fn other_key(scratch: &Scratch) -> PathBuf {
    let _made = openssl(
        &["genpkey", "-algorithm", "ed25519", "-out", "other.pem"],
        scratch.path(),
    )
    .success();
    let key = scratch.join("other.pem");
    scratch.permit(&key, 0o600);
    key
}

#[test]
fn a_second_signature_is_added_in_place() {
    if skip_without(&["openssl"]) {
        return;
    }
    let bundle = tiny_bundle(&[]);
    let before = Layout::read(bundle.path());
    let key = other_key(bundle.scratch());
    let polecat = Polecat::new(bundle.scratch());
    let sign = [
        "sign".as_ref(),
        "--key".as_ref(),
        key.as_os_str(),
        bundle.path().as_os_str(),
    ];
    let _told = polecat.run(sign).success();
    let after = Layout::read(bundle.path());
    assert_eq!(after.signatures()[0], before.signatures()[0], "the first signature");
    assert_eq!(
        after.bytes[after.image.start..],
        before.bytes[before.image.start..],
        "image and tree"
    );
    assert_eq!(
        after.bytes[after.stub.clone()],
        before.bytes[before.stub.clone()],
        "the stub"
    );
    assert_eq!(judge_signatures(bundle.path(), bundle.scratch()), 2);
    let _whole = polecat.run(["verify".as_ref(), bundle.path().as_os_str()]).success();
    // The same key twice is one signature.
    let _told = polecat.run(sign).success();
    assert_eq!(Layout::read(bundle.path()).signatures().len(), 2);
}

#[test]
fn trust_is_a_question_of_its_own() {
    if skip_without(&["openssl"]) {
        return;
    }
    let bundle = tiny_bundle(&[]);
    let signer = Layout::read(bundle.path()).signatures().remove(0);
    let verify = |polecat: &Polecat| polecat.run(["verify".as_ref(), bundle.path().as_os_str()]);

    let own = verify(&Polecat::new(bundle.scratch())).success();
    assert!(
        own.out().contains(&hex(&signer.key_id)),
        "does not say who signed: {own}"
    );

    let stranger_home = Scratch::new();
    let stranger = Polecat::new(&stranger_home);
    let unknown = verify(&stranger).exits(4);
    let said = format!("{}{}", unknown.out(), unknown.err());
    assert!(
        said.contains(&hex(&signer.key_id)),
        "does not say who is not trusted: {unknown}"
    );

    let trusted = stranger_home.directory("packer-home/.config/polecat/trusted.d");
    stranger_home.file("signer.der", [&PUBLIC_KEY_PREFIX[..], &signer.public_key].concat());
    let pem = trusted.join("signer.pem");
    let pem = pem.to_str().expect("UTF-8");
    let convert = [
        "pkey",
        "-pubin",
        "-inform",
        "DER",
        "-in",
        "signer.der",
        "-pubout",
        "-out",
        pem,
    ];
    let _made = openssl(&convert, stranger_home.path()).success();
    let _now_trusted = verify(&stranger).success();
}
