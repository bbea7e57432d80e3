//! A root file system of another architecture: nothing of it can be run here, all is told from its files.

mod oracle;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use polecat::closure::{Extent, Request, plan};
use polecat::plan::ReasonKind;
use polecat::rootfs::{RootPath, Rootfs};

/// Where Debian's cross compiler has the libraries of its target.
const SYSROOT: &str = "/usr/aarch64-linux-gnu/lib";
const LIBRARIES: &str = "usr/lib/aarch64-linux-gnu";

fn compile(root: &Path, source: &str, output: &str, arguments: &[&str]) {
    let file = root.join("source.c");
    fs::write(&file, source).expect("written");
    let status = Command::new("aarch64-linux-gnu-gcc")
        .arg(&file)
        .arg("-o")
        .arg(root.join(output))
        .args(arguments)
        .status();
    assert!(status.expect("the compiler runs").success());
    fs::remove_file(file).expect("removed");
}

/// As Debian has it: `/lib` is a link, the loader lies in the multiarch directory.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    for directory in ["usr/bin", LIBRARIES, "opt/private"] {
        fs::create_dir_all(root.path().join(directory)).expect("a directory");
    }
    symlink("usr/lib", root.path().join("lib")).expect("a link");
    for library in ["ld-linux-aarch64.so.1", "libc.so.6", "libgcc_s.so.1"] {
        fs::copy(
            Path::new(SYSROOT).join(library),
            root.path().join(LIBRARIES).join(library),
        )
        .expect("copied");
    }
    symlink(
        "aarch64-linux-gnu/ld-linux-aarch64.so.1",
        root.path().join("usr/lib/ld-linux-aarch64.so.1"),
    )
    .expect("a link");
    let library = root.path().join("opt/private/libown.so");
    compile(
        root.path(),
        "int own(void) { return 0; }",
        "opt/private/libown.so",
        &["-shared", "-Wl,-soname,libown.so"],
    );
    let main = "#include <pthread.h>\nint own(void);\nint main(void) { pthread_exit((void *)(long)own()); }";
    let own = library.to_str().expect("UTF-8");
    compile(
        root.path(),
        main,
        "usr/bin/prog",
        &[own, "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../../opt/private"],
    );
    root
}

#[test]
fn an_arm64_program_is_followed_from_its_tree_alone() {
    if oracle::find_tool("aarch64-linux-gnu-gcc").is_none() {
        oracle::skip("tool:aarch64-linux-gnu-gcc", "no cross compiler for arm64");
        return;
    }
    let root = root();
    let rootfs = Rootfs::open(root.path()).expect("a root file system");
    let plan = plan(
        &rootfs,
        &Request {
            command: "prog".into(),
            ..Request::default()
        },
        &Extent::elf(),
    )
    .expect("a plan");
    assert_eq!(plan.architecture, "aarch64");
    assert_eq!(plan.warnings, []);
    for (path, kind) in [
        ("/usr/bin/prog", ReasonKind::Command),
        ("/usr/lib/ld-linux-aarch64.so.1", ReasonKind::Interpreter),
        ("/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1", ReasonKind::Symlink),
        ("/usr/lib/aarch64-linux-gnu/libc.so.6", ReasonKind::Needed),
        ("/usr/lib/aarch64-linux-gnu/libgcc_s.so.1", ReasonKind::ThreadCancel),
        ("/opt/private/libown.so", ReasonKind::Needed),
    ] {
        let entry = plan
            .entries
            .get(&RootPath::new(path))
            .unwrap_or_else(|| panic!("no {path}"));
        assert_eq!(entry.reason.kind, kind, "{path}");
    }
}
