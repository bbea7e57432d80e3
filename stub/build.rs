//! How the stub is linked.

#![forbid(unsafe_code)]

use std::env;
use std::path::Path;

fn main() {
    let script = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("link.ld");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", script.display());
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
    // Kernels with pages of 16 or 64 KiB map segments at such multiples only.
    let alignment = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64" | "x86") => "4096",
        _ => "65536",
    };
    println!("cargo:rustc-link-arg-bins=-Wl,-z,max-page-size={alignment}");
    for option in ["noseparate-code", "pack-relative-relocs"] {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,{option}");
    }
}
