//! The files alone, in the formats of others: whoever reads those sees the tree that is in a bundle.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::place::ORDINARY_USER;
use support::requirement::{is_root, skip, tool};
use support::roots::{TINY_NEEDS, tiny};
use support::{Ended, Need, Polecat, Scratch, exec};

use crate::{Lister, odd, skip_all};

/// Packs as [`Lister`] does, in another format.
fn export(scratch: &Scratch, root: &Path, format: &str, output: &Path) -> Ended {
    let polecat = Polecat::new(scratch);
    let mut words: Vec<&OsStr> = vec!["-o".as_ref(), output.as_os_str(), "-f".as_ref(), format.as_ref()];
    words.extend(["--include", "/odd/**"].map(OsStr::new));
    words.extend([root.as_os_str(), "/bin/tree".as_ref()]);
    polecat.run(words)
}

fn unsquash(image: &Path, directory: &Path) {
    let mut unsquashfs = Command::new(tool("unsquashfs"));
    unsquashfs.args(["-no-progress", "-d"]).arg(directory).arg(image);
    let _told = exec::run(&mut unsquashfs).success();
}

fn untar(archive: &Path, directory: &Path) {
    fs::create_dir(directory).expect("a new directory");
    let mut tar = Command::new(tool("tar"));
    tar.args([
        "--extract",
        "--gzip",
        "--preserve-permissions",
        "--same-owner",
        "--numeric-owner",
    ]);
    let _told = exec::run(tar.arg("--file").arg(archive).arg("--directory").arg(directory)).success();
}

#[test]
fn every_format_has_the_tree_of_the_bundle() {
    if skip_all() || skip(&[Need::Tool("tar"), Need::Tool("gzip")]) {
        return;
    }
    let scratch = Scratch::new();
    let root = odd::make(&scratch);
    let lister = Lister::pack(&root, &["--include", "/odd/**"]);
    let wanted = lister.unsquashed();
    assert!(wanted.len() > 40, "the tree was not made");
    for (format, file, judge) in [
        ("squashfs", true, Some(unsquash as fn(&Path, &Path))),
        ("tgz", true, Some(untar as fn(&Path, &Path))),
        ("dir", false, None),
    ] {
        let [one, two] = [1, 2].map(|number| scratch.join(format!("{number}.{format}")));
        for output in [&one, &two] {
            let ended = export(&scratch, &root, format, output).success();
            assert!(ended.out().contains(" files, "), "{ended}");
        }
        let unpacked = match judge {
            Some(unpack) => {
                let unpacked = scratch.join(format!("unpacked-{format}"));
                unpack(&one, &unpacked);
                unpacked
            }
            None => one.clone(),
        };
        wanted.assert_equal(
            &lister.outside(&unpacked),
            &format!("the bundle (left), {format} (right)"),
        );
        if file {
            let mode = fs::metadata(&one).expect("written").permissions().mode();
            assert_eq!(mode & 0o111, 0, "{format}: nobody executes it");
            assert!(
                fs::read(&one).expect("there") == fs::read(&two).expect("there"),
                "{format}: not reproducible"
            );
        }
    }
    let left: Vec<PathBuf> = fs::read_dir(scratch.path())
        .expect("the scratch directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'))
        })
        .collect();
    assert_eq!(left, [""; 0].map(PathBuf::from));
}

#[test]
fn a_user_gets_a_directory_of_his_own() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = tiny(&scratch);
    let home = scratch.open_directory("home");
    let output = home.join("tree");
    let mut words: Vec<PathBuf> = Vec::new();
    if is_root() {
        let ids = [format!("--reuid={ORDINARY_USER}"), format!("--regid={ORDINARY_USER}")];
        words.extend([
            "setpriv".into(),
            ids[0].clone().into(),
            ids[1].clone().into(),
            "--clear-groups".into(),
        ]);
    }
    words.extend([
        Polecat::executable(),
        "-f".into(),
        "dir".into(),
        "-o".into(),
        output.clone(),
    ]);
    words.extend([root, "/bin/tiny".into()]);
    let mut command = Command::new(&words[0]);
    let _said = exec::run(command.args(&words[1..]).env("HOME", &home).current_dir(&home)).success();
    let program = fs::metadata(output.join("bin/tiny")).expect("exported");
    let user = if is_root() {
        ORDINARY_USER
    } else {
        nix::unistd::geteuid().as_raw()
    };
    assert_eq!((program.uid(), program.mode() & 0o777), (user, 0o755));
    assert_eq!(
        fs::metadata(output.join("tmp")).expect("exported").mode() & 0o7777,
        0o1777
    );
}

#[test]
fn outputs_have_the_names_of_their_formats() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let (root, work) = (tiny(&scratch), scratch.directory("work"));
    let polecat = Polecat::new(&scratch);
    for (format, name) in [
        ("run", "tiny.run"),
        ("sfs", "tiny.squashfs"),
        ("tgz", "tiny.tgz"),
        ("dir", "tiny.dir"),
    ] {
        let words = [
            "--json".as_ref(),
            "-f".as_ref(),
            format.as_ref(),
            root.as_os_str(),
            "/bin/tiny".as_ref(),
        ];
        let mut command = polecat.command(words);
        let report = exec::run(command.current_dir(&work)).success().json();
        assert_eq!(report["output"], name);
        assert_eq!(
            Some(report["format"].as_str().expect("a word")),
            name.split('.').next_back()
        );
        let metadata = fs::metadata(work.join(name)).expect("written");
        assert_eq!(metadata.is_dir(), format == "dir");
        if format != "dir" {
            assert_eq!(report["fileLength"].as_u64(), Some(metadata.len()));
        }
    }
    // A bundle's options, where there is no bundle; and the note about arguments, which go nowhere.
    let ended = polecat.run([
        "-f".as_ref(),
        "tgz".as_ref(),
        "-o".as_ref(),
        work.join("a.tgz").as_os_str(),
        root.as_os_str(),
        "/bin/tiny".as_ref(),
        "-x".as_ref(),
    ]);
    assert!(ended.success().err().contains("arguments have no place in a tgz"));
    for (format, options) in [
        ("squashfs", &["--contain"][..]),
        ("squashfs", &["--key", "/nowhere"]),
        ("squashfs", &["--as", "x=/bin/tiny"]),
        ("tgz", &["--level", "10"]),
        ("tgz", &["--block-size", "4K"]),
        ("tgz", &["--env", "A=b"]),
        ("dir", &["--level", "3"]),
        ("dir", &["--workdir", "/"]),
        ("dir", &["--store-startup", "0"]),
        ("sqfs", &[]),
    ] {
        let mut words: Vec<&OsStr> = vec!["-f".as_ref(), format.as_ref()];
        words.extend(options.iter().map(OsStr::new));
        words.extend([root.as_os_str(), "/bin/tiny".as_ref()]);
        let ended = polecat.run(words).exits(2);
        assert_eq!(ended.out(), "", "{ended}");
    }
}

#[test]
fn a_directory_replaces_nothing() {
    if skip(&TINY_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let root = tiny(&scratch);
    let polecat = Polecat::new(&scratch);
    let full = scratch.file("full/kept", "kept");
    let file = scratch.file("file", "kept");
    let linked = scratch.join("link");
    std::os::unix::fs::symlink("empty", &linked).expect("a link");
    let empty = scratch.directory("empty");
    let export = |output: &Path| {
        let words = [
            "-q".as_ref(),
            "-f".as_ref(),
            "dir".as_ref(),
            "-o".as_ref(),
            output.as_os_str(),
        ];
        polecat.run(words.into_iter().chain([root.as_os_str(), "/bin/tiny".as_ref()]))
    };
    for (output, why) in [
        (scratch.join("full"), "is not empty"),
        (file.clone(), "exists and is not a directory"),
        (linked, "exists and is not a directory"),
        (scratch.join("missing/new"), "No such file or directory"),
    ] {
        let ended = export(&output).exits(1);
        assert!(ended.err().contains(why) && ended.err().contains("(try: "), "{ended}");
    }
    assert_eq!(fs::read(full).expect("kept"), b"kept");
    assert_eq!(fs::read(file).expect("kept"), b"kept");
    let _exported = export(&empty).success();
    assert!(empty.join("bin/tiny").exists());
    let again = export(&empty).exits(1);
    assert!(again.err().contains("is not empty"), "{again}");
}
