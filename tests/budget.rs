//! What the stub in front of every bundle may cost, and what it may need.

#![forbid(unsafe_code)]

use support::format::{Layout, segment_types};
use support::requirement::skip;
use support::roots::{TINY_NEEDS, tiny};
use support::{Bundle, Polecat, Scratch};

/// Bytes of a stub on musl.
const MUSL_BUDGET: usize = 700 << 10;
/// Bytes of a stub on static glibc.
const GLIBC_BUDGET: usize = 1536 << 10;

/// PT_DYNAMIC and PT_INTERP, elf(5).
const DYNAMIC: usize = 2;
const INTERPRETER: usize = 3;

fn stub() -> Option<Vec<u8>> {
    (!skip(&TINY_NEEDS)).then(|| {
        let layout = Layout::read(Bundle::pack(&[], &tiny(&Scratch::new()), &["/bin/tiny"]).path());
        layout.bytes[layout.stub.clone()].to_vec()
    })
}

/// Which C library the packer says its stub is built on.
fn is_musl() -> bool {
    let version = Polecat::new(&Scratch::new()).run(["--version"]).success().out();
    match (version.contains("musl"), version.contains("gnu")) {
        (true, false) => true,
        (false, true) => false,
        _ => panic!("does not say what the stub is built on: {version}"),
    }
}

#[test]
fn the_stub_is_within_its_budget() {
    let Some(stub) = stub() else { return };
    let budget = if is_musl() { MUSL_BUDGET } else { GLIBC_BUDGET };
    assert!(stub.len() <= budget, "{} bytes, {budget} at most", stub.len());
}

#[test]
fn the_stub_needs_nothing_of_the_host() {
    let Some(stub) = stub() else { return };
    let types = segment_types(&stub);
    assert!(
        !types.contains(&INTERPRETER),
        "the stub has an interpreter: it is not static"
    );
    // A static-pie has a dynamic section, and no names of libraries in it.
    if types.contains(&DYNAMIC) {
        let names = [&b"libc.so"[..], b"ld-linux", b"ld-musl"];
        let needed = names
            .iter()
            .find(|name| stub.windows(name.len()).any(|window| window == **name));
        assert_eq!(
            needed.map(|name| String::from_utf8_lossy(name)),
            None,
            "the stub names a library"
        );
    }
}

#[test]
fn the_stub_carries_no_paths_of_the_machine_that_built_it() {
    let Some(stub) = stub() else { return };
    let home = std::env::var("HOME").unwrap_or_default();
    let source = env!("CARGO_MANIFEST_DIR").trim_end_matches("/tests");
    for path in [home.as_str(), source] {
        // "/root" is a directory of every system.
        if path.len() > 5 {
            let found = stub.windows(path.len()).any(|window| window == path.as_bytes());
            assert!(!found, "the stub holds {path}");
        }
    }
}
