//! Images made by hand that say what is not so: each lie is told as what it is.

use crate::craft::{self, Craft, NONE, STORED};
use crate::hostile::must_not_panic;
use crate::packers;
use squashfs::{Error, Image, InodeRef, Part};

const BLOCK_SIZE: &str = "impossible size of a block";
const BLOCK_PLACE: &str = "block outside the image";
const BLOCK_LENGTH: &str = "data block of another length than the file needs";
const DECOMPRESSION: &str = "block does not decompress";
const INDEX: &str = "index outside the table";
const TAIL: &str = "tail end outside its fragment";
const PLACE: &str = "reference to a metadata block outside the table";
const PAST_END: &str = "metadata block reaches behind the end of the table";
const METADATA_SIZE: &str = "impossible size of a metadata block";
const NAME: &str = "impossible name of a directory entry";
const ORDER: &str = "directory entries out of order";

/// What is wrong where; anything else than damage is a mistake.
fn damage<T>(result: Result<T, Error>) -> Option<(Part, &'static str)> {
    match result {
        Ok(_) => None,
        Err(Error::Damaged { part, what, .. }) => Some((part, what)),
        Err(other) => panic!("not damaged: {other}"),
    }
}

/// Reads the start and the end of a file of a crafted image, of type `kind`.
fn read_file(craft: &Craft, kind: u16, body: &[u8]) -> Result<usize, Error> {
    let mut craft = craft.clone();
    // The file comes last, behind the root's 32 bytes: nothing follows its list of blocks.
    craft.push_root(&[(b"file", craft::reference(32))]);
    let at = craft.push_inode(kind, 2, body);
    let bytes = craft.finish();
    must_not_panic(&bytes, "crafted");
    let image = Image::open(bytes)?;
    let file = image.inode(at)?;
    let end = file.size.saturating_sub(10);
    image.read(&file, 0, &mut [0; 5000])?;
    image.read(&file, end, &mut [0; 10])
}

/// Some blocks: of 4096 bytes, of 100, and of far too many. Their places and size words.
fn some_blocks(craft: &mut Craft) -> [(u32, u32); 3] {
    [4096, 100, 1 << 20].map(|length| {
        let (start, word) = craft.push_compressed(&vec![1; length]);
        (u32::try_from(start).expect("small"), word)
    })
}

#[test]
fn data_blocks() {
    let mut craft = Craft::new();
    let [(start, word), (short, short_word), (bomb, bomb_word)] = some_blocks(&mut craft);
    let table = [
        ("right", start, 4096, word, None),
        ("unknown flags", start, 4096, word | 1 << 25, Some(BLOCK_SIZE)),
        ("stored, and no bytes", start, 4096, STORED, Some(BLOCK_SIZE)),
        ("larger than a block", start, 4096, 4097, Some(BLOCK_SIZE)),
        ("behind the end", start, 4096, 4096, Some(BLOCK_PLACE)),
        ("in the superblock", 95, 4096, word, Some(BLOCK_PLACE)),
        ("too long", start, 100, word, Some(DECOMPRESSION)),
        ("too short", short, 4096, short_word, Some(BLOCK_LENGTH)),
        (
            "stored, of another length",
            start,
            100,
            word | STORED,
            Some(BLOCK_LENGTH),
        ),
        ("a bomb", bomb, 4096, bomb_word, Some(DECOMPRESSION)),
        ("no zstd", start + 1, 4096, word, Some(DECOMPRESSION)),
        ("cut", start, 4096, word - 1, Some(DECOMPRESSION)),
    ];
    for (what, start, size, word, expected) in table {
        let body = craft::basic_file(start, (NONE, 0), size, &[word]);
        let found = damage(read_file(&craft, craft::FILE, &body));
        assert_eq!(found, expected.map(|expected| (Part::Data, expected)), "{what}");
    }
}

#[test]
fn files_and_their_sizes() {
    let mut craft = Craft::new();
    let [(start, word), ..] = some_blocks(&mut craft);
    let start = u64::from(start);
    let words = "file larger than the inode table can describe";
    let table: [(_, u64, u64, &[u32], _); 6] = [
        ("right", start, 4096, &[word], None),
        (
            "at the end of numbers",
            u64::MAX - 9,
            4096,
            &[word],
            Some((Part::Data, BLOCK_PLACE)),
        ),
        (
            "sizes add up too far",
            u64::MAX - 9,
            8192,
            &[0, word],
            Some((Part::Data, BLOCK_PLACE)),
        ),
        (
            "more than there is",
            start,
            16 << 20,
            &[word],
            Some((Part::InodeTable, PLACE)),
        ),
        (
            "more than there can be",
            start,
            1 << 62,
            &[word],
            Some((Part::InodeTable, words)),
        ),
        (
            "more than there may be",
            start,
            1 << 63,
            &[word],
            Some((Part::InodeTable, "impossible size of a file")),
        ),
    ];
    for (what, start, size, words, expected) in table {
        let body = craft::extended_file(start, (NONE, 0), size, words);
        assert_eq!(
            damage(read_file(&craft, craft::EXTENDED_FILE, &body)),
            expected,
            "{what}"
        );
    }
}

#[test]
fn tail_ends() {
    let mut craft = Craft::new();
    let [(start, word), (short, short_word), (bomb, bomb_word)] = some_blocks(&mut craft);
    craft.fragments = vec![
        (start.into(), word),
        (short.into(), short_word),
        (bomb.into(), bomb_word),
        (start.into(), 0),
        (start.into(), 4097),
        (1 << 40, 100),
        (u64::MAX, 100),
        (start.into(), STORED | 50),
    ];
    let fragment = |what| Some((Part::Fragment, what));
    let table = [
        ("right", (0, 4096 - 90), None),
        ("outside a whole block", (0, 4096 - 89), Some((Part::InodeTable, TAIL))),
        ("at the end of numbers", (0, u32::MAX), Some((Part::InodeTable, TAIL))),
        ("outside a short block", (1, 11), fragment(TAIL)),
        ("in a bomb", (2, 0), fragment(DECOMPRESSION)),
        ("in a hole", (3, 0), fragment(BLOCK_SIZE)),
        ("in a block that is too large", (4, 0), fragment(BLOCK_SIZE)),
        ("in a block outside the image", (5, 0), fragment(BLOCK_PLACE)),
        ("in a block at the end of numbers", (6, 0), fragment(BLOCK_PLACE)),
        ("outside a stored block", (7, 0), fragment(TAIL)),
        (
            "in a block that is not there",
            (8, 0),
            Some((Part::FragmentTable, INDEX)),
        ),
    ];
    for (what, fragment, expected) in table {
        let body = craft::basic_file(start, fragment, 90, &[]);
        assert_eq!(damage(read_file(&craft, craft::FILE, &body)), expected, "{what}");
    }
}

#[test]
fn names() {
    let long = [b'n'; 257];
    let table: [(&[&[u8]], Option<&str>); 10] = [
        (&[b"a", b"b"], None),
        (&[b"...", &long[..256]], None),
        (&[b"."], Some(NAME)),
        (&[b".."], Some(NAME)),
        (&[b"a/b"], Some(NAME)),
        (&[b"a", b"../../etc/passwd"], Some(NAME)),
        (&[b"a\0b"], Some(NAME)),
        (&[&long], Some(NAME)),
        (&[b"a", b"a"], Some(ORDER)),
        (&[b"b", b"a"], Some(ORDER)),
    ];
    for (names, expected) in table {
        let mut craft = Craft::new();
        let entries: Vec<_> = names.iter().map(|name| (*name, InodeRef(0))).collect();
        craft.push_root(&entries);
        let bytes = craft.finish();
        must_not_panic(&bytes, "crafted");
        let image = Image::open(bytes).expect("opens");
        let root = image.inode(image.root()).expect("root");
        let last = image.read_dir(&root, 0).expect("listing").last().expect("an entry");
        assert_eq!(damage(last).map(|(_, what)| what), expected, "{names:?}");
    }
}

/// Looks `name` up in a root that is an extended directory with that entry, and whatever is said of it.
fn look_up(size: u32, index_count: u16, index: &[u8]) -> Result<bool, &'static str> {
    let mut craft = Craft::new();
    craft.directories = craft::listing(&[(b"name", InodeRef(0))]);
    let body = craft::extended_directory(0, size, 0, index_count);
    craft.push_inode(craft::EXTENDED_DIRECTORY, 1, &[&body, index].concat());
    let bytes = craft.finish();
    must_not_panic(&bytes, "crafted");
    let image = Image::open(bytes).expect("opens");
    let root = image.inode(image.root()).expect("root");
    let found = image.lookup(&root, b"name behind").and(image.lookup(&root, b"name"));
    found
        .map(|found| found.is_some())
        .map_err(|error| damage::<()>(Err(error)).expect("damage").1)
}

/// Bytes of the listing of [`look_up`], as they are stored.
const RIGHT: u32 = 12 + 8 + 4 + 3;

#[test]
fn listings() {
    let past_end = "directory entry behind the end of its listing";
    let table = [
        ("right", RIGHT, Ok(true)),
        ("empty", 3, Ok(false)),
        ("less than empty", 0, Ok(false)),
        ("a byte less", RIGHT - 1, Err(past_end)),
        ("a byte more", RIGHT + 1, Err(past_end)),
        ("4 GiB", u32::MAX, Err(PLACE)),
    ];
    for (what, size, expected) in table {
        assert_eq!(look_up(size, 0, &[]), expected, "{what}");
    }
}

#[test]
fn directory_indexes() {
    let index = |passed: u32, block: u32, length: u32, name: &[u8]| {
        [&[passed, block, length].map(u32::to_le_bytes).concat(), name].concat()
    };
    let table = [
        ("right", index(0, 0, 3, b"name"), Ok(true)),
        ("of a name behind", index(0, 1 << 30, 3, b"xxxx"), Ok(true)),
        ("not there", vec![], Err(PLACE)),
        ("to elsewhere", index(0, 1 << 30, 3, b"aaaa"), Err(PLACE)),
        (
            "into the entry",
            index(12, 0, 3, b"aaaa"),
            Err("directory entry behind the end of its listing"),
        ),
        ("behind the listing", index(RIGHT - 3, 0, 3, b"aaaa"), Ok(false)),
        (
            "far behind it",
            index(u32::MAX, 0, 3, b"aaaa"),
            Err("reference behind the end of a metadata block"),
        ),
        (
            "with a long name",
            index(0, 0, u32::MAX, b"aaaa"),
            Err("impossible name in a directory index"),
        ),
        ("with no name", index(0, 0, 0, b"\0"), Ok(true)),
    ];
    for (what, index, expected) in table {
        assert_eq!(look_up(RIGHT, 1, &index), expected, "{what}");
    }
    assert_eq!(
        look_up(RIGHT, u16::MAX, &index(0, 0, 3, b"name")),
        Err(PLACE),
        "of too many entries"
    );
}

#[test]
fn inodes() {
    let length = "impossible length of a symbolic link";
    let table = [
        ("no type", 0, 2, vec![], "no such inode type"),
        ("an unknown type", 15, 2, vec![], "no such inode type"),
        ("number zero", craft::FILE, 0, vec![], "inode number zero"),
        ("nothing of a body", craft::FILE, 2, vec![], PLACE),
        ("an empty target", craft::SYMLINK, 2, craft::symlink(0, b""), length),
        (
            "a long target",
            craft::SYMLINK,
            2,
            craft::symlink(4097, &[b'x'; 4097]),
            length,
        ),
        (
            "a longer one",
            craft::SYMLINK,
            2,
            craft::symlink(u32::MAX, b"x"),
            length,
        ),
        ("one that is cut", craft::SYMLINK, 2, craft::symlink(500, b"cut"), PLACE),
        (
            "one with NUL",
            craft::SYMLINK,
            2,
            craft::symlink(3, b"a\0b"),
            "NUL in the target of a symbolic link",
        ),
    ];
    for (what, kind, number, body, expected) in table {
        let mut craft = Craft::new();
        craft.push_root(&[]);
        let at = craft.push_inode(kind, number, &body);
        let image = Image::open(craft.finish()).expect("opens");
        let found = image.inode(at).and_then(|inode| image.read_link(&inode));
        assert_eq!(damage(found), Some((Part::InodeTable, expected)), "{what}");
    }
}

#[test]
fn inode_references() {
    let mut craft = Craft::new();
    craft.push_root(&[]);
    let image = Image::open(craft.finish()).expect("opens");
    for at in (0..64).map(|bit| 1 << bit).chain([u64::MAX, 0xffff, 31, 32, 33]) {
        assert!(damage(image.inode(InodeRef(at))).is_some(), "{at:#x}");
    }
}

#[test]
fn metadata_blocks() {
    let mut good = Craft::new();
    good.push_root(&[]);
    let compressed = |bytes: &[u8]| {
        let frame = packers::compress(bytes);
        [
            &u16::try_from(frame.len()).expect("small").to_le_bytes(),
            frame.as_slice(),
        ]
        .concat()
    };
    let block = |header: u16| [&header.to_le_bytes(), good.inodes.as_slice()].concat();
    let garbage = "metadata block does not decompress";
    let whole = [good.inodes.clone(), vec![0; 8192 - good.inodes.len()]].concat();
    let table = [
        ("stored", block(32 | 1 << 15), None),
        ("compressed", compressed(&good.inodes), None),
        ("compressed and whole", compressed(&whole), None),
        ("of no bytes", block(0), Some(METADATA_SIZE)),
        ("stored, of no bytes", block(1 << 15), Some(METADATA_SIZE)),
        ("of too many bytes", block(8193), Some(METADATA_SIZE)),
        ("of most bytes", block(u16::MAX), Some(METADATA_SIZE)),
        ("longer than the table", block(33 | 1 << 15), Some(PAST_END)),
        ("of half a header", vec![32], Some(PAST_END)),
        ("of a header", vec![32, 128], Some(PAST_END)),
        ("of garbage", block(32), Some(garbage)),
        ("of nothing, compressed", compressed(&[]), Some(garbage)),
        ("a bomb", compressed(&vec![0; 8193]), Some(garbage)),
        ("a large bomb", compressed(&vec![0; 10 << 20]), Some(garbage)),
    ];
    for (what, table, expected) in table {
        let craft = Craft {
            inode_table: Some(table),
            ..good.clone()
        };
        let bytes = craft.finish();
        must_not_panic(&bytes, what);
        let image = Image::open(bytes).expect("opens");
        let expected = expected.map(|expected| (Part::InodeTable, expected));
        assert_eq!(damage(image.inode(image.root())), expected, "{what}");
    }
}

/// Where the superblock has the number of fragments, and the places of tables.
const FRAGMENT_COUNT: usize = 16;
const BYTES_USED: usize = 40;
const ID_TABLE: usize = 48;
const FRAGMENT_TABLE: usize = 80;

fn field(image: &[u8], at: usize) -> u64 {
    image[at..].first_chunk().map_or(0, |field| u64::from_le_bytes(*field))
}

fn set_field(image: &mut [u8], at: usize, value: u64) {
    image[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn owners() {
    let mut craft = Craft::new();
    craft.push_root(&[]);
    let good = craft.finish();
    let list = usize::try_from(field(&good, ID_TABLE)).expect("small");
    for (what, place, expected) in [
        ("in the superblock", 95, PLACE),
        ("the list itself", list as u64, PLACE),
        ("at the end of numbers", u64::MAX, PLACE),
        ("in what is no block", list as u64 - 2, PAST_END),
    ] {
        let mut bytes = good.clone();
        set_field(&mut bytes, list, place);
        must_not_panic(&bytes, what);
        let image = Image::open(bytes).expect("opens");
        assert_eq!(
            damage(image.inode(image.root())),
            Some((Part::IdTable, expected)),
            "{what}"
        );
    }
    craft.inodes[4] = 1;
    let image = Image::open(craft.finish()).expect("opens");
    assert_eq!(damage(image.inode(image.root())), Some((Part::IdTable, INDEX)));
}

#[test]
fn a_table_of_millions_is_read_as_far_as_it_is_asked_for() {
    const FRAGMENTS: u32 = 4_300_000;
    let mut craft = Craft::new();
    let [(start, word), ..] = some_blocks(&mut craft);
    craft.fragments = vec![(start.into(), word)];
    craft.push_root(&[(b"file", craft::reference(32))]);
    // The first entry of some block of the table; all blocks are the same one.
    let at = craft.push_inode(craft::FILE, 2, &craft::basic_file(start, (512 * 8000, 7), 100, &[]));
    let mut bytes = craft.finish();
    let block = field(&bytes, usize::try_from(field(&bytes, FRAGMENT_TABLE)).expect("small"));
    let list = bytes.len() as u64;
    bytes.extend((0..FRAGMENTS.div_ceil(512)).flat_map(|_| block.to_le_bytes()));
    bytes[FRAGMENT_COUNT..FRAGMENT_COUNT + 4].copy_from_slice(&FRAGMENTS.to_le_bytes());
    set_field(&mut bytes, FRAGMENT_TABLE, list);
    let used = bytes.len() as u64;
    set_field(&mut bytes, BYTES_USED, used);

    let image = Image::open(crate::laziness::Counted::new(bytes)).expect("opens");
    let file = image.inode(at).expect("inode");
    image.reader().take();
    let mut buffer = [0; 200];
    assert_eq!(image.read(&file, 0, &mut buffer).expect("read"), 100);
    assert_eq!(buffer[..100], [1; 100]);
    let (_, read) = image.reader().take();
    assert!(read < 5000, "{read} bytes of a list of {} are too many", FRAGMENTS / 64);
}
