//! Writing a bundle, and how little of it is read to start.

mod support;

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use bundle::writer::{Summary, Window};
use bundle::{Bundle, BundleWriter, Manifest, ReadAt, WriteError};
use support::judge::judge;
use support::random::Random;
use support::sample;

type File = Cursor<Vec<u8>>;

/// Writes a bundle whose image is made by `image`, which answers with its length.
fn write(file: &mut File, image: impl FnOnce(&mut Window<'_, &mut File>) -> u64) -> Result<Summary, WriteError> {
    let manifest = sample::manifest();
    let mut writer = BundleWriter::create(file, &sample::stub(), manifest.capacity().unwrap())?;
    let length = image(&mut writer.image());
    let [key, _] = sample::keys();
    writer.finish(length, manifest, &sample::salt(), |stored| {
        vec![sample::record(&key, stored)]
    })
}

#[test]
fn images_of_every_length() {
    let mut random = Random::new(7);
    for length in [1, 4095, 4096, 4097, 128 * 4096, 128 * 4096 + 1, (1 << 20) + 1, 3 << 20] {
        let image = random.bytes(length);
        let bytes = sample::build(&image, &sample::keys());
        let manifest = judge(&bytes).unwrap_or_else(|error| panic!("{length} bytes: {error}"));
        let from = usize::try_from(manifest.image.offset).unwrap();
        assert_eq!(manifest.image.length, (length as u64).next_multiple_of(4096));
        assert!(
            bytes[from..from + length] == image,
            "{length} bytes: the image is another"
        );
        assert_eq!(
            bytes.len() as u64,
            Bundle::read(&bytes).unwrap().superblock().file_length
        );
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let image = Random::new(8).bytes(10_000);
    assert!(sample::build(&image, &sample::keys()) == sample::build(&image, &sample::keys()));
}

#[test]
fn summary_says_what_is_in_the_file() {
    let mut file = Cursor::new(Vec::new());
    let summary = write(&mut file, |window| window.write(&[1; 5000]).unwrap() as u64).unwrap();
    let bytes = file.into_inner();
    let bundle = Bundle::read(&bytes).unwrap();
    assert_eq!(summary.file_length, bytes.len() as u64);
    assert_eq!(summary.superblock_offset, bundle.superblock_offset());
    assert_eq!(summary.signatures, bundle.signatures());
    assert_eq!(summary.manifest, Manifest::parse(bundle.manifest_bytes()).unwrap());
}

#[test]
fn the_window_is_a_file_of_its_own() {
    let mut file = Cursor::new(b"what was there before".repeat(10_000));
    let mut read = Vec::new();
    write(&mut file, |window| {
        assert_eq!(window.stream_position().unwrap(), 0);
        assert_eq!(
            window.seek(SeekFrom::End(0)).unwrap(),
            0,
            "what was there before is gone"
        );
        window.write_all(b"0123456789").unwrap();
        assert_eq!(window.seek(SeekFrom::Current(-4)).unwrap(), 6);
        window.write_all(b"abcdefgh").unwrap();
        assert_eq!(window.seek(SeekFrom::End(-2)).unwrap(), 12);
        window.seek(SeekFrom::Start(4)).unwrap();
        window.read_to_end(&mut read).unwrap();
        for outside in [SeekFrom::Current(-15), SeekFrom::End(-15), SeekFrom::Start(u64::MAX)] {
            assert_eq!(
                window.seek(outside).unwrap_err().kind(),
                io::ErrorKind::InvalidInput,
                "{outside:?}"
            );
        }
        assert_eq!(window.stream_position().unwrap(), 14, "a refused seek does not move");
        14
    })
    .unwrap();
    assert_eq!(read, b"45abcdefgh");
    judge(&file.into_inner()).unwrap();
}

#[test]
fn what_is_written_behind_the_image_is_dropped() {
    let image = [7; 6000];
    let mut file = Cursor::new(Vec::new());
    write(&mut file, |window| {
        window.write_all(&[image.as_slice(), &[9; 50_000]].concat()).unwrap();
        6000
    })
    .unwrap();
    let [key, _] = sample::keys();
    assert!(file.into_inner() == sample::build(&image, &[key]));
}

#[test]
fn stubs_that_cannot_be_found_again_are_refused() {
    let stub = sample::stub();
    let refused: [Vec<u8>; 4] = [
        Vec::new(),
        b"#!/bin/sh\n".to_vec(),
        [stub.clone(), vec![0]].concat(),
        stub[..stub.len() - 1].to_vec(),
    ];
    for stub in refused {
        let error = BundleWriter::create(Cursor::new(Vec::new()), &stub, 4096).unwrap_err();
        assert!(
            matches!(error, WriteError::Stub { .. }),
            "{} bytes: {error}",
            stub.len()
        );
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let create = |capacity| BundleWriter::create(Cursor::new(Vec::new()), &sample::stub(), capacity);
    assert!(matches!(create((1 << 20) + 1), Err(WriteError::Capacity { .. })));
    let finish = |manifest: Manifest, length: u64, salt: &[u8], signatures: usize| {
        let mut writer = create(4096).unwrap();
        writer.image().write_all(&[1; 100]).unwrap();
        let [key, _] = sample::keys();
        writer
            .finish(length, manifest, salt, |stored| {
                vec![sample::record(&key, stored); signatures]
            })
            .unwrap_err()
    };
    let mut long = sample::manifest();
    long.process.args.push("x".repeat(4096));
    let mut invalid = sample::manifest();
    invalid.process.path = "hello".to_owned();
    let salt = sample::salt();
    assert!(matches!(
        finish(long, 100, &salt, 1),
        WriteError::Capacity { capacity: 4096, .. }
    ));
    assert!(matches!(finish(invalid, 100, &salt, 1), WriteError::Manifest(_)));
    assert!(matches!(finish(sample::manifest(), 0, &salt, 1), WriteError::Image(_)));
    assert!(matches!(
        finish(sample::manifest(), u64::MAX, &salt, 1),
        WriteError::Overflow
    ));
    assert!(matches!(
        finish(sample::manifest(), 101, &salt, 1),
        WriteError::ImageLength {
            length: 101,
            written: 100
        }
    ));
    assert!(matches!(
        finish(sample::manifest(), 100, &[0; 33], 1),
        WriteError::Salt { length: 33 }
    ));
    assert!(matches!(
        finish(sample::manifest(), 100, &salt, 32),
        WriteError::Signatures { count: 32 }
    ));
}

/// Remembers what was read.
struct Watched<'a> {
    bytes: &'a [u8],
    reads: RefCell<Vec<(u64, usize)>>,
}

impl ReadAt for Watched<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.borrow_mut().push((offset, buf.len()));
        self.bytes.read_exact_at(buf, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }
}

/// The reads, as offset and length, that [`Bundle::read`] makes of a bundle whose manifest has so many more arguments.
fn reads(arguments: usize) -> Vec<(u64, usize)> {
    let mut manifest = sample::manifest();
    manifest.process.args.resize(arguments, "argument".repeat(10));
    let mut file = Cursor::new(Vec::new());
    let mut writer = BundleWriter::create(&mut file, &sample::stub(), manifest.capacity().unwrap()).unwrap();
    writer.image().write_all(&vec![1; 1 << 20]).unwrap();
    writer
        .finish(1 << 20, manifest, &sample::salt(), |_| Vec::new())
        .unwrap();
    let watched = Watched {
        bytes: file.get_ref(),
        reads: RefCell::default(),
    };
    Bundle::read(&watched).unwrap();
    watched.reads.into_inner()
}

#[test]
fn the_head_is_read_with_two_reads() {
    let stub = sample::STUB_LENGTH as u64;
    let first = 4096 - sample::STUB_LENGTH;
    assert_eq!(reads(2), [(0, 4096), (stub, first + 65536)]);
    assert_eq!(reads(500), [(0, 4096), (stub, first + 65536)]);
    let long = reads(5000);
    assert_eq!(long.len(), 3, "{long:?}");
    assert_eq!(long[2].0, 4096 + 65536, "{long:?}");
}
