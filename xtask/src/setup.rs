//! What the build and the tests need of the machine: installed on Debian as root, named everywhere else.

use std::process::{Command, Stdio};

use crate::error::Error;
use crate::programs;

/// How to see that a thing is there.
enum Sign {
    /// A program in PATH or a system directory.
    Program(&'static str),
    /// A file.
    File(&'static str),
}

/// One Debian package.
struct Package {
    name: &'static str,
    sign: Sign,
    /// What it is used for.
    purpose: &'static str,
}

const fn package(name: &'static str, program: &'static str, purpose: &'static str) -> Package {
    Package {
        name,
        sign: Sign::Program(program),
        purpose,
    }
}

const PACKAGES: [Package; 20] = [
    package("gcc", "gcc", "compiles the C half of zstd"),
    package(
        "libc6-dev",
        "ldd",
        "links, and the static C library for stubs without musl",
    ),
    package(
        "musl-tools",
        "musl-gcc",
        "compiles the stub's C half for musl, and the tests' smallest program",
    ),
    package(
        "squashfs-tools",
        "unsquashfs",
        "judges images; mksquashfs is the benchmark's peer",
    ),
    package("cryptsetup-bin", "veritysetup", "judges hash trees"),
    package("openssl", "openssl", "judges signatures and keys"),
    package("mmdebstrap", "mmdebstrap", "makes the test root file system"),
    package("busybox-static", "busybox", "a static program to pack"),
    package("patchelf", "patchelf", "makes odd ELF files"),
    package("libcap2-bin", "capsh", "reads capability sets"),
    package(
        "gcc-aarch64-linux-gnu",
        "aarch64-linux-gnu-gcc",
        "makes ELF files of another machine",
    ),
    package(
        "qemu-user-static",
        "qemu-aarch64-static",
        "runs programs of another machine",
    ),
    package("tmux", "tmux", "drives programs on a terminal"),
    package("strace", "strace", "counts system calls"),
    package("fuse3", "fusermount3", "mounts for those who may not"),
    package("bubblewrap", "bwrap", "a peer to compare with"),
    package("e2fsprogs", "mkfs.ext4", "small file systems"),
    package("util-linux", "unshare", "namespaces for tests"),
    package("mount", "mount", "mounts for tests"),
    Package {
        name: "musl-dev",
        sign: Sign::File("/usr/include/x86_64-linux-musl/stdio.h"),
        purpose: "the musl C library's headers",
    },
];

/// The target that stubs are built for where it can be had.
const MUSL_TARGET: &str = "x86_64-unknown-linux-musl";

impl Package {
    fn is_there(&self) -> bool {
        match self.sign {
            Sign::Program(program) => programs::find(program).is_some(),
            // A header of one architecture says nothing on another.
            Sign::File(path) => cfg!(not(target_arch = "x86_64")) || std::path::Path::new(path).exists(),
        }
    }
}

/// Installs what is missing where it may, and says what is missing where it may not.
pub(crate) fn setup() -> Result<(), Error> {
    let missing = || {
        PACKAGES
            .iter()
            .filter(|package| !package.is_there())
            .collect::<Vec<_>>()
    };
    let wanted = missing();
    if !wanted.is_empty() && is_debian() && nix::unistd::geteuid().is_root() {
        install(&wanted)?;
    }
    let still: Vec<String> = missing().iter().map(|package| advice(package)).collect();
    if !still.is_empty() {
        return Err(Error::Missing(still));
    }
    add_musl_target()
}

fn advice(package: &Package) -> String {
    let what = match package.sign {
        Sign::Program(name) | Sign::File(name) => name,
    };
    format!(
        "{what} ({}): Debian: apt-get install {}; elsewhere: the package of that name",
        package.purpose, package.name
    )
}

/// Whether this is Debian or one of its descendants, os-release(5).
fn is_debian() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let like = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")));
    like.flat_map(|value| value.trim_matches('"').split_whitespace())
        .any(|id| id == "debian")
        && programs::find("apt-get").is_some()
}

fn install(packages: &[&Package]) -> Result<(), Error> {
    let names: Vec<&str> = packages.iter().map(|package| package.name).collect();
    eprintln!("xtask: installing {}", names.join(" "));
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-q", "-y"])
            .stdin(Stdio::null());
        // Standard output is for results.
        command.stdout(std::io::stderr());
        command
    };
    programs::run(apt_get().arg("update"))?;
    programs::run(apt_get().args(["install", "--no-install-recommends"]).args(names))
}

/// Gets the musl standard library through rustup. Without it the stub is built on static glibc, which the build says.
fn add_musl_target() -> Result<(), Error> {
    if !cfg!(target_arch = "x86_64") || programs::find("rustup").is_none() {
        eprintln!("xtask: no rustup target {MUSL_TARGET} here: the stub is built as the toolchain can");
        return Ok(());
    }
    let installed = programs::output(Command::new("rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|line| line == MUSL_TARGET) {
        return Ok(());
    }
    if let Some(failed) = programs::succeeds(Command::new("rustup").args(["target", "add", MUSL_TARGET]))? {
        eprintln!("xtask: {failed}: going on, the stub will be built on static glibc");
    }
    Ok(())
}
