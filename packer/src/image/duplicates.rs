//! Whether backhand may store equal files once.
//!
//! It takes two files of a block or more for equal when their length and xxh64 agree. xxh64 is no cryptographic hash: who gives us one
//! file could choose it so that it takes another's place in the image. So files of one length are compared beforehand by their SHA-256,
//! and where xxh64 would confuse two, every file is stored by itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Read};

use sha2::{Digest, Sha256};
use xxhash_rust::xxh64::Xxh64;

use super::ImageError;
use super::read_ahead::{Contents, Source};
use crate::rootfs::Rootfs;

/// How much of a file is read at once.
const PIECE: usize = 128 << 10;

/// Two digests of a file: backhand's, and one that tells files apart.
type Digests = (u64, [u8; 32]);

/// Whether no two different files of a block or more look equal to backhand.
pub(super) fn can_be_told_apart(rootfs: &Rootfs, files: &[Source<'_>], block_size: u32) -> Result<bool, ImageError> {
    are_distinct(files, block_size, |file| match file.contents {
        Contents::Plan(bytes) => digests(bytes).map_err(|source| read_error(file, source)),
        Contents::Rootfs(_) => {
            let opened = rootfs.open_file(file.path).map_err(ImageError::Open)?;
            digests(opened).map_err(|source| read_error(file, source))
        }
    })
}

/// Reads only files that share their length with another.
fn are_distinct<E>(
    files: &[Source<'_>],
    block_size: u32,
    mut digests: impl FnMut(&Source<'_>) -> Result<Digests, E>,
) -> Result<bool, E> {
    let large = || {
        files
            .iter()
            .filter(|file| file.contents.size() >= u64::from(block_size))
    };
    let mut lengths: HashMap<u64, u32> = HashMap::new();
    large().for_each(|file| *lengths.entry(file.contents.size()).or_default() += 1);
    let mut seen: HashMap<(u64, u64), [u8; 32]> = HashMap::new();
    for file in large().filter(|file| lengths[&file.contents.size()] > 1) {
        let (weak, strong) = digests(file)?;
        match seen.entry((file.contents.size(), weak)) {
            Entry::Occupied(other) if *other.get() != strong => return Ok(false),
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => drop(place.insert(strong)),
        }
    }
    Ok(true)
}

fn digests(mut reader: impl Read) -> io::Result<Digests> {
    let mut weak = Xxh64::new(0);
    let mut strong = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        let length = match reader.read(&mut piece) {
            Ok(0) => return Ok((weak.digest(), strong.finalize().into())),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        weak.update(&piece[..length]);
        strong.update(&piece[..length]);
    }
}

fn read_error(file: &Source<'_>, source: io::Error) -> ImageError {
    ImageError::Read {
        path: file.path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::RootPath;
    use std::convert::Infallible;

    #[test]
    fn files_of_one_length_are_compared_and_no_others() {
        let path = RootPath::new("/x");
        for (contents, expected, read) in [
            (&[][..], true, 0),
            (&["aaaa", "bbbb"], false, 2),
            (&["aaaa", "aaaa"], true, 2),
            (&["aaaa", "aaab"], false, 2),
            (&["aaaa", "baaa"], true, 2),
            (&["aaaa", "aaaaa"], true, 0),
            (&["aa", "bb"], true, 0),
            (&["aaaa", "baaa", "aaaa", "abcd", "abcd"], false, 4),
        ] {
            let files: Vec<Source<'_>> = contents
                .iter()
                .map(|text| Source {
                    path: &path,
                    contents: Contents::Plan(text.as_bytes()),
                    stored: false,
                })
                .collect();
            let mut reads = 0;
            // A hash that is as weak as can be: does it begin with "ba"?
            let distinct = are_distinct(&files, 4, |file| -> Result<Digests, Infallible> {
                reads += 1;
                let Contents::Plan(bytes) = file.contents else {
                    unreachable!()
                };
                let strong = Sha256::digest(bytes).into();
                Ok((u64::from(bytes.starts_with(b"ba")), strong))
            });
            assert_eq!((distinct, reads), (Ok(expected), read), "{contents:?}");
        }
    }

    #[test]
    fn the_weak_digest_is_the_one_of_backhand() {
        // xxh64 with seed 0, as backhand has it: the specification's test vector for the empty input.
        let (weak, _) = digests(&b""[..]).expect("memory");
        assert_eq!(weak, 0xef46_db37_51d8_e999);
    }
}
