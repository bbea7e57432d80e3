//! Builds the stub, which is embedded in the packer: by itself, since cargo would otherwise give it the features that the packer wants of
//! shared crates, with its own profile, static, and in a target directory of its own, since this build holds the lock of the other.
//!
//! `POLECAT_STUB=FILE` embeds an executable that was built before, such as one for another architecture.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the stub is built from, relative to the workspace.
const SOURCES: [&str; 7] = [
    "stub",
    "runtime",
    "bundle",
    "squashfs",
    "signing",
    "Cargo.toml",
    "Cargo.lock",
];

/// Variables of this build that must not reach the inner one: what cargo, clippy and coverage tools set for their own compilations.
const CLEARED: [&str; 11] = [
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC",
    "RUSTDOC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "CLIPPY_ARGS",
    "TARGET",
    "HOST",
    "PROFILE",
];

/// Of cargo's own variables those that say where crates come from, and that the two builds share their jobs.
const KEPT_OF_CARGO: [&str; 7] = [
    "CARGO",
    "CARGO_HOME",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTR",
    "CARGO_SOURCE_",
];

/// Static, and small: the signature is checked without vectors (20 KiB); hashes are computed in loops where the processor has no
/// instructions for them (23 KiB; with such instructions nothing changes, without, a block of 4096 bytes takes 15 µs and not 11); and
/// what several functions do is done once (12 KiB).
const RUST_FLAGS: [&str; 4] = [
    "-Ctarget-feature=+crt-static",
    "--cfg=curve25519_dalek_backend=\"serial\"",
    "--cfg=sha2_backend_soft=\"compact\"",
    "-Cllvm-args=-enable-machine-outliner=always",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=POLECAT_STUB");
    let (stub, target) = match env::var_os("POLECAT_STUB") {
        Some(path) => {
            let path = fs::canonicalize(&path).map_err(|error| format!("POLECAT_STUB: {}: {error}", path.display()))?;
            (path, "prebuilt".to_owned())
        }
        None => build_stub()?,
    };
    println!("cargo:rerun-if-changed={}", stub.display());
    let bytes = fs::read(&stub).map_err(|error| format!("{}: {error}", stub.display()))?;
    let architecture = check(&bytes).map_err(|problem| format!("stub: {}: {problem}", stub.display()))?;
    let embedded = Path::new(&variable("OUT_DIR")?).join("stub");
    fs::write(&embedded, &bytes)?;
    println!("cargo:rustc-env=POLECAT_STUB_FILE={}", embedded.display());
    println!(
        "cargo:rustc-env=POLECAT_STUB_DESCRIPTION={}, {} bytes",
        describe(&target, architecture),
        bytes.len()
    );
    println!("cargo:rustc-env=POLECAT_STUB_ARCHITECTURE={architecture}");
    Ok(())
}

/// Builds the stub for the machine that the packer is built for. Its path, and Rust's name of its target.
fn build_stub() -> Result<(PathBuf, String), Box<dyn Error>> {
    let workspace = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("..");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", workspace.join(source).display());
    }
    let host = variable("TARGET")?;
    let musl = host.replace("-gnu", "-musl");
    let target = if is_installed(&musl)? { musl } else { host };
    let directory = target_directory()?;
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(&workspace)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "polecat-stub",
            "--profile",
            "stub",
        ])
        .arg("--target-dir")
        .arg(&directory)
        .args(["--target", &target]);
    clear_environment(&mut cargo);
    // What the packer needs of crates the stub needs too: all of it is here.
    cargo.env("CARGO_NET_OFFLINE", "true");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags()?);
    cargo.env(format!("CFLAGS_{}", target.replace('-', "_")), c_flags());
    let status = cargo.status().map_err(|error| format!("cargo for the stub: {error}"))?;
    if !status.success() {
        return Err(format!("the stub does not build: {cargo:?}: {status}").into());
    }
    Ok((directory.join(&target).join("stub/polecat-stub"), target))
}

/// [`RUST_FLAGS`], the linker, and that files of crates are called as everywhere, not as on this machine: the same toolchain makes the same
/// stub wherever it is built.
fn rust_flags() -> Result<OsString, Box<dyn Error>> {
    let mut flags = OsString::from(RUST_FLAGS.join("\x1f"));
    if let Some(lld) = lld()? {
        flags.push("\x1f-Clink-arg=-B");
        flags.push(lld);
        flags.push("\x1f-Clink-arg=-fuse-ld=lld\x1f-Clink-arg=-Wl,--icf=all,--no-rosegment");
    }
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    if let Some(home) = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo"))) {
        flags.push("\x1f--remap-path-prefix=");
        flags.push(home.join("registry/src"));
        flags.push("=");
    }
    Ok(flags)
}

/// Where the C compiler finds the linker that comes with Rust, if it does (rustup's toolchains have it, distributions' have not): unlike
/// ld(1) it keeps one of functions that are the same, and fills no page up in the file: 7 KiB. Rust promises no function an address of
/// its own, and musl and zstd compare none with anything but null, so all may be folded.
fn lld() -> Result<Option<PathBuf>, Box<dyn Error>> {
    let mut rustc = Command::new(variable("RUSTC")?);
    let output = rustc.args(["--print", "sysroot"]).output()?;
    if !output.status.success() {
        return Err(format!("{rustc:?}: {}", output.status).into());
    }
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let directory = sysroot.join("lib/rustlib").join(variable("HOST")?).join("bin/gcc-ld");
    Ok(directory.join("ld.lld").try_exists()?.then_some(directory))
}

/// glibc's headers turn calls into checked ones that musl does not have, where the distribution's compiler asks for them. And zstd has
/// a decoder for windows above 16 MiB, which blocks of at most 1 MiB never reach: 12 KiB; and a second one for processors with BMI2,
/// which is 3 % faster: 14 KiB; and a second one for literals that compress well: 14 KiB.
fn c_flags() -> OsString {
    let mut flags = env::var_os("CFLAGS").unwrap_or_default();
    flags.push(
        " -U_FORTIFY_SOURCE -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT -DDYNAMIC_BMI2=0 -DZSTD_STRIP_ERROR_STRINGS=1 \
         -DHUF_FORCE_DECOMPRESS_X1",
    );
    flags
}

/// The stub's target and C library, for `polecat --version`.
fn describe(target: &str, architecture: &str) -> String {
    match target {
        "prebuilt" => format!("{architecture}, given to the build"),
        target if target.contains("musl") => format!("{target}, static with musl"),
        target => format!("{target}, static with glibc"),
    }
}

/// Whether the standard library of `target` is there for the compiler in use.
fn is_installed(target: &str) -> Result<bool, Box<dyn Error>> {
    let output = Command::new(variable("RUSTC")?)
        .args(["--print", "target-libdir", "--target", target])
        .output()?;
    let directory = String::from_utf8(output.stdout)?;
    let Ok(entries) = fs::read_dir(directory.trim()) else {
        return Ok(false);
    };
    let mut names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    Ok(output.status.success() && names.any(|name| name.to_string_lossy().starts_with("libstd-")))
}

/// `stub` in the outer build's target directory: the same for all its profiles, so that the stub is built once.
fn target_directory() -> Result<PathBuf, Box<dyn Error>> {
    // …/PROFILE/build/PACKAGE-HASH/out
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = out.ancestors().nth(4).ok_or("OUT_DIR is not where cargo puts it")?;
    Ok(target.join("stub"))
}

fn clear_environment(cargo: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_cargo = text.starts_with("CARGO") || text.starts_with("__CARGO") || text.starts_with("DEP_");
        let kept = KEPT_OF_CARGO.iter().any(|kept| match kept.ends_with(['_', 'R']) {
            true => text.starts_with(kept),
            false => text == *kept,
        });
        if (of_cargo && !kept) || CLEARED.contains(&text.as_ref()) {
            cargo.env_remove(&name);
        }
    }
}

/// Checks that the stub starts on any machine of its architecture, and says which, as `uname -m` does: a 64-bit little-endian ELF
/// executable without PT_INTERP.
fn check(elf: &[u8]) -> Result<&'static str, String> {
    const PT_INTERP: u64 = 3;
    let number = |offset: usize, length: usize| -> Result<u64, String> {
        let bytes = elf.get(offset..offset + length).ok_or("it is too short")?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)))
    };
    if !elf.starts_with(b"\x7fELF\x02\x01\x01") {
        return Err("it is not a 64-bit little-endian ELF file".to_owned());
    }
    let (table, length, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for header in 0..count {
        let offset = usize::try_from(table + header * length).map_err(|_| "its program headers lie outside")?;
        if number(offset, 4)? == PT_INTERP {
            return Err("it is not static: it names an interpreter".to_owned());
        }
    }
    match number(18, 2)? {
        62 => Ok("x86_64"),
        183 => Ok("aarch64"),
        243 => Ok("riscv64"),
        21 => Ok("ppc64le"),
        258 => Ok("loongarch64"),
        machine => Err(format!("no name is known for its machine, {machine}")),
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
