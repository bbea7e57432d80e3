//! The committed files under `fixtures/`.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of this name.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares what a test has made with the committed file. A file that is not there is written when `POLECAT_NEW_FIXTURES` is
/// set, and an error otherwise; one that is there is never changed.
pub fn assert_committed(path: &Path, made: &[u8]) {
    if !path.exists() && std::env::var_os("POLECAT_NEW_FIXTURES").is_some() {
        fs::write(path, made).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let committed = read(path);
    let differs = committed.iter().zip(made).position(|(a, b)| a != b);
    assert!(
        committed == made,
        "{}: {} bytes committed, {} made, first difference at {differs:?}",
        path.display(),
        committed.len(),
        made.len()
    );
}
