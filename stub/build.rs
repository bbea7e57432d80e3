//! How the stub is linked.

#![forbid(unsafe_code)]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Kernels with pages of 16 or 64 KiB map segments at such multiples only. Code and constants share a segment, so
    // that the larger alignment costs nothing in the file.
    for option in ["max-page-size=65536", "common-page-size=4096", "noseparate-code"] {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,{option}");
    }
}
