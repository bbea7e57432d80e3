//! What docs/build-scripts.md shows, and a package manager at work.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use support::bundle::debian;
use support::requirement::skip;
use support::roots::fixtures;
use support::{Need, Place, Polecat, Scratch, exec};

const NEEDS: [Need; 4] = [Need::Polecat, Need::Rootfs, Need::Root, Need::Overlay];

const PACKAGE: &str = r#"
install = [
'''
mkdir -p /tmp/hello/DEBIAN /tmp/hello/usr/bin /tmp/hello/usr/share/hello
cd /tmp/hello
printf 'Package: polecat-hello\nVersion: 1.5\nArchitecture: all\nMaintainer: Nobody <n@example.org>\nDescription: hello\n' > DEBIAN/control
printf '#!/bin/sh\nset -e\nchown games:games /usr/share/hello/text\n' > DEBIAN/postinst
echo 'hello from a package' > usr/share/hello/text
printf '#!/bin/sh\nexec cat /usr/share/hello/text\n' > usr/bin/polecat-hello
chmod 755 DEBIAN/postinst usr/bin/polecat-hello
dpkg-deb --root-owner-group -b . /tmp/hello.deb
''',
"dpkg -i /tmp/hello.deb",
]
test = ["polecat-hello"]
"#;

#[test]
fn a_package_manager_installs() {
    if skip(&NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let polecat = Polecat::new(&scratch);
    let script = scratch.file("dpkg.toml", PACKAGE);
    let (output, root) = (scratch.join("hello.run"), debian());
    let mut words: Vec<&OsStr> = vec!["-s".as_ref(), script.as_ref(), "-o".as_ref(), output.as_ref()];
    words.extend([root.as_os_str(), "polecat-hello".as_ref()]);
    let ended = polecat.run(words).success();
    assert!(ended.err().contains("Setting up polecat-hello (1.5)"), "{ended}");
    assert!(!root.join("usr/bin/polecat-hello").exists());
    let status = fs::read_to_string(root.join("var/lib/dpkg/status")).expect("a database");
    assert!(!status.contains("polecat-hello"), "the root file system was written to");
    let mut command = Place::RootUnpack.command(&output);
    let ended = exec::run(command.current_dir(scratch.path())).success();
    assert_eq!(ended.out(), "hello from a package\n");
    // The database that the packages are listed from is the one that dpkg wrote.
    let bill = polecat.run(["sbom".as_ref(), output.as_os_str()]).success().out();
    assert!(bill.contains("\"polecat-hello\"") && bill.contains("\"1.5\""), "{bill}");
}

/// The blocks of a document that begin with this line.
fn blocks(document: &str, first: &str) -> Vec<String> {
    let lines: Vec<&str> = document.lines().collect();
    let fences: Vec<usize> = (0..lines.len())
        .filter(|&line| lines[line].starts_with("```"))
        .collect();
    let (pairs, rest) = fences.as_chunks::<2>();
    assert!(rest.is_empty(), "a block without an end");
    let wanted = pairs.iter().filter(|[begin, _]| lines[*begin] == format!("```{first}"));
    wanted
        .map(|[begin, end]| format!("{}\n", lines[begin + 1..*end].join("\n")))
        .collect()
}

#[test]
fn the_example_does_what_the_document_says() {
    if skip(&NEEDS) {
        return;
    }
    let document = fs::read_to_string(fixtures().join("../docs/build-scripts.md")).expect("the document");
    let one = |first: &str| match blocks(&document, first).as_slice() {
        [block] => block.clone(),
        found => panic!("{first}: {} blocks", found.len()),
    };
    let scratch = Scratch::new();
    scratch.file("work/greet.py", one("python"));
    scratch.file("work/greet.toml", one("toml greet.toml"));
    let polecat = Polecat::executable();
    let directory = polecat.parent().expect("a directory").display();
    let mut shell = Command::new("sh");
    shell
        .args(["-e", "-c", &one("sh")])
        .current_dir(scratch.join("work"))
        .env("HOME", scratch.directory("home"))
        .env("PATH", format!("{directory}:/usr/bin:/bin"))
        .env("ROOTFS", debian());
    let ended = exec::run(&mut shell).success();
    let printed = blocks(&document, "")
        .into_iter()
        .find(|block| block.starts_with("Guten Morgen\n"));
    let printed = printed.expect("what is printed");
    assert!(ended.out().ends_with(&printed), "{ended}");
    assert!(!debian().join("opt/greet").exists() && !debian().join("etc/greet.d").exists());
    let (tree, bundle) = (scratch.join("tree"), scratch.join("work/greet.run"));
    let words = ["extract".as_ref(), bundle.as_os_str(), tree.as_os_str()];
    let _unpacked = Polecat::new(&scratch).run(words).success();
    assert!(tree.join("etc/greet.d/de").exists() && !tree.join("etc/greet.d/of-the-test").exists());
}
