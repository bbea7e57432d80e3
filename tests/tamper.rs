//! Damaged and forged bundles: none starts anything but what was signed, and each says what is wrong.
//!
//! Here the real executables are asked: the stub in front of each bundle and `polecat verify`. The format's own tests
//! go through the rest in memory.

#![forbid(unsafe_code)]

#[path = "tamper/flips.rs"]
mod flips;
#[path = "tamper/forgeries.rs"]
mod forgeries;
#[path = "tamper/truncation.rs"]
mod truncation;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use support::format::Layout;
use support::requirement::{is_root, skip};
use support::roots::{TINY_NEEDS, tiny};
use support::{Bundle, Ended, Place, Polecat, Scratch, exec};

/// The stub's status where a bundle is not what was signed.
const UNVERIFIED: i32 = 121;

/// What the packed program prints when it runs after all.
const RAN: &str = "it ran";

/// A small bundle and a copy of it to damage.
struct Victim {
    bundle: Bundle,
    layout: Layout,
    path: PathBuf,
}

impl Victim {
    /// None where the machine cannot run it.
    fn new() -> Option<Self> {
        if skip(&TINY_NEEDS) || skip(easiest_place().needs()) {
            return None;
        }
        let bundle = Bundle::pack(&[], &tiny(&Scratch::new()), &["/bin/tiny"]);
        let path = bundle.scratch().join("victim.run");
        exec::copy(bundle.path(), &path);
        let victim = Self {
            layout: Layout::read(bundle.path()),
            bundle,
            path,
        };
        let whole = victim.start(easiest_place()).exits(1);
        assert_eq!(whole.out(), format!("{RAN}\n"), "the bundle as it was packed");
        Some(victim)
    }

    /// Puts other bytes at `offset`.
    fn put(&self, offset: usize, bytes: &[u8]) {
        let offset = u64::try_from(offset).expect("an offset");
        exec::changing_files(|| {
            File::options()
                .write(true)
                .open(&self.path)?
                .write_all_at(bytes, offset)
        })
        .expect("the victim");
    }

    /// Damages the byte at `offset`.
    fn flip(&self, offset: usize) {
        // Another bit each time.
        self.put(offset, &[self.layout.bytes[offset] ^ (1 << (offset % 8))]);
    }

    /// Puts the byte back.
    fn mend(&self, offset: usize) {
        self.put(offset, &[self.layout.bytes[offset]]);
    }

    fn set_length(&self, length: usize) {
        let length = u64::try_from(length).expect("a length");
        exec::changing_files(|| File::options().write(true).open(&self.path)?.set_len(length)).expect("the victim");
    }

    fn replace(&self, bytes: &[u8]) {
        exec::write(&self.path, bytes);
    }

    fn start(&self, place: Place) -> Ended {
        let mut command = place.command(&self.path);
        exec::run(
            command
                .arg(RAN)
                .env("HOME", self.bundle.home())
                .current_dir(self.bundle.work()),
        )
    }

    /// Starts it and wants it refused.
    fn refused(&self, what: &str) -> Ended {
        self.refused_in(easiest_place(), what)
    }

    fn refused_in(&self, place: Place, what: &str) -> Ended {
        let ended = self.start(place);
        assert_eq!(ended.code(), Some(UNVERIFIED), "{what}: {place}: {ended}");
        assert_eq!(ended.out(), "", "{what}: {place}: the program ran");
        assert_told(&ended, what);
        ended
    }

    fn verify(&self) -> Ended {
        let polecat = Polecat::new(self.bundle.scratch());
        polecat.run(["verify".as_ref(), self.path.as_os_str()])
    }
}

/// The stub says what is wrong in one line.
fn assert_told(ended: &Ended, what: &str) {
    let said = ended.err();
    assert!(
        said.starts_with("polecat: ") && said.lines().count() == 1,
        "{what}: {ended}"
    );
}

/// The packer says it of the file.
fn assert_names(ended: &Ended, file: &Path, what: &str) {
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let said = ended.err();
    assert!(
        said.starts_with("polecat: ") && said.contains(&name),
        "{what}: does not name the file: {ended}"
    );
    assert_eq!(said.lines().count(), 1, "{what}: {ended}");
}

/// Where a start costs least.
fn easiest_place() -> Place {
    if is_root() { Place::RootLoop } else { Place::UserUnpack }
}

fn places() -> impl Iterator<Item = Place> {
    Place::ALL.into_iter().filter(|place| !skip(place.needs()))
}
