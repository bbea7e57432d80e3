//! Images made by hand, to say what no packer says. Metadata is stored uncompressed, in blocks of 8192 bytes.

use crate::packers::compress;
use squashfs::InodeRef;

const SUPERBLOCK_SIZE: usize = 96;
const METADATA_SIZE: usize = 8192;

/// Set in the size word of a data or fragment block that is stored.
pub(crate) const STORED: u32 = 1 << 24;

/// No fragment.
pub(crate) const NONE: u32 = u32::MAX;

/// The number of the root, and what directories call their parent.
pub(crate) const ROOT: u32 = 1;

/// The inode types that tests name.
pub(crate) const DIRECTORY: u16 = 1;
pub(crate) const FILE: u16 = 2;
pub(crate) const SYMLINK: u16 = 3;
pub(crate) const EXTENDED_DIRECTORY: u16 = 8;
pub(crate) const EXTENDED_FILE: u16 = 9;

/// What an image is made of. Everything that a test does not set is as small as can be and right.
#[derive(Debug, Clone)]
pub(crate) struct Craft {
    pub(crate) block_size: u32,
    /// What lies behind the superblock: data and fragment blocks.
    pub(crate) data: Vec<u8>,
    pub(crate) inodes: Vec<u8>,
    /// The inode table as it lies in the image, if it is not that of `inodes`.
    pub(crate) inode_table: Option<Vec<u8>>,
    /// Where in `inodes` the root is.
    pub(crate) root: usize,
    pub(crate) directories: Vec<u8>,
    /// Position and size word of the fragment blocks.
    pub(crate) fragments: Vec<(u64, u32)>,
    pub(crate) ids: Vec<u32>,
    /// Bytes used, if not as many as there are.
    pub(crate) bytes_used: Option<u64>,
}

impl Craft {
    pub(crate) fn new() -> Self {
        Self {
            block_size: 4096,
            data: Vec::new(),
            inodes: Vec::new(),
            inode_table: None,
            root: 0,
            directories: Vec::new(),
            fragments: Vec::new(),
            ids: vec![0],
            bytes_used: None,
        }
    }

    /// Appends bytes to the data; gives their position in the image.
    pub(crate) fn push_data(&mut self, bytes: &[u8]) -> u64 {
        let at = SUPERBLOCK_SIZE + self.data.len();
        self.data.extend_from_slice(bytes);
        at as u64
    }

    /// Appends a compressed block to the data; gives its position and its size word.
    pub(crate) fn push_compressed(&mut self, bytes: &[u8]) -> (u64, u32) {
        let frame = compress(bytes);
        (
            self.push_data(&frame),
            u32::try_from(frame.len()).expect("a small frame"),
        )
    }

    /// Appends an inode of type `kind` and number `number`, with what follows the common fields; gives the reference.
    pub(crate) fn push_inode(&mut self, kind: u16, number: u32, body: &[u8]) -> InodeRef {
        let at = self.inodes.len();
        self.inodes.extend(kind.to_le_bytes());
        self.inodes.extend(0o755_u16.to_le_bytes());
        self.inodes.extend([0; 8]);
        self.inodes.extend(number.to_le_bytes());
        self.inodes.extend_from_slice(body);
        reference(at)
    }

    /// Appends a basic directory and its listing, and makes it the root.
    pub(crate) fn push_root(&mut self, entries: &[(&[u8], InodeRef)]) -> InodeRef {
        self.push_root_listing(listing(entries))
    }

    /// Appends a basic directory with a listing made before, and makes it the root.
    pub(crate) fn push_root_listing(&mut self, listing: Vec<u8>) -> InodeRef {
        let (block, offset) = place(self.directories.len());
        let size = u16::try_from(listing.len() + 3).expect("a small listing");
        self.directories.extend(listing);
        self.root = self.inodes.len();
        self.push_inode(DIRECTORY, ROOT, &basic_directory(block, size, offset))
    }

    /// The image.
    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut image = vec![0; SUPERBLOCK_SIZE];
        image.extend_from_slice(&self.data);
        let inode_table = image.len() as u64;
        match &self.inode_table {
            Some(table) => image.extend_from_slice(table),
            None => drop(push_metadata(&mut image, &self.inodes)),
        }
        let directory_table = image.len() as u64;
        push_metadata(&mut image, &self.directories);
        let fragments: Vec<u8> = self
            .fragments
            .iter()
            .flat_map(|(start, size)| [&start.to_le_bytes()[..], &size.to_le_bytes(), &[0; 4]].concat())
            .collect();
        let fragment_table = push_table(&mut image, &fragments);
        let ids: Vec<u8> = self.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let id_table = push_table(&mut image, &ids);

        let mut superblock = Vec::new();
        superblock.extend(0x7371_7368_u32.to_le_bytes());
        superblock.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        superblock.extend(self.block_size.to_le_bytes());
        superblock.extend(u32::try_from(self.fragments.len()).expect("few").to_le_bytes());
        let log = u16::try_from(self.block_size.trailing_zeros()).expect("few");
        let ids = u16::try_from(self.ids.len()).expect("few");
        superblock.extend([6, log, 0, ids, 4, 0].into_iter().flat_map(u16::to_le_bytes));
        let bytes_used = self.bytes_used.unwrap_or(image.len() as u64);
        let root = reference(self.root).0;
        for field in [
            root,
            bytes_used,
            id_table,
            u64::MAX,
            inode_table,
            directory_table,
            fragment_table,
            u64::MAX,
        ] {
            superblock.extend(field.to_le_bytes());
        }
        image[..SUPERBLOCK_SIZE].copy_from_slice(&superblock);
        image
    }
}

/// The reference of the inode at a byte of the inodes.
pub(crate) fn reference(at: usize) -> InodeRef {
    let (block, offset) = place(at);
    InodeRef(u64::from(block) << 16 | u64::from(offset))
}

/// The block (from the start of the table) and the offset of a byte of metadata.
pub(crate) fn place(at: usize) -> (u32, u16) {
    let block = at / METADATA_SIZE * (METADATA_SIZE + 2);
    (
        u32::try_from(block).expect("small"),
        u16::try_from(at % METADATA_SIZE).expect("small"),
    )
}

/// What follows the common fields of a basic directory.
pub(crate) fn basic_directory(block: u32, size: u16, offset: u16) -> Vec<u8> {
    [
        &block.to_le_bytes()[..],
        &2_u32.to_le_bytes(),
        &size.to_le_bytes(),
        &offset.to_le_bytes(),
        &ROOT.to_le_bytes(),
    ]
    .concat()
}

/// What follows the common fields of an extended directory, without its index.
pub(crate) fn extended_directory(block: u32, size: u32, offset: u16, index_count: u16) -> Vec<u8> {
    let words = [2, size, block, ROOT].map(u32::to_le_bytes).concat();
    [
        &words[..],
        &index_count.to_le_bytes(),
        &offset.to_le_bytes(),
        &NONE.to_le_bytes(),
    ]
    .concat()
}

/// What follows the common fields of a basic file.
pub(crate) fn basic_file(start: u32, fragment: (u32, u32), size: u32, words: &[u32]) -> Vec<u8> {
    let fields = [start, fragment.0, fragment.1, size];
    fields.iter().chain(words).flat_map(|word| word.to_le_bytes()).collect()
}

/// What follows the common fields of an extended file.
pub(crate) fn extended_file(start: u64, fragment: (u32, u32), size: u64, words: &[u32]) -> Vec<u8> {
    let head = [start, size, 0].map(u64::to_le_bytes).concat();
    let tail = [1, fragment.0, fragment.1, NONE];
    head.into_iter()
        .chain(tail.iter().chain(words).flat_map(|word| word.to_le_bytes()))
        .collect()
}

/// What follows the common fields of a symbolic link.
pub(crate) fn symlink(length: u32, target: &[u8]) -> Vec<u8> {
    [&1_u32.to_le_bytes()[..], &length.to_le_bytes(), target].concat()
}

/// A listing with a run for each entry; the entries are called files, numbered from 2.
pub(crate) fn listing(entries: &[(&[u8], InodeRef)]) -> Vec<u8> {
    (2..)
        .zip(entries)
        .flat_map(|(number, (name, at))| run(name, *at, FILE, number))
        .collect()
}

/// A run of one entry: its name, where its inode is, its basic type and its number.
pub(crate) fn run(name: &[u8], at: InodeRef, kind: u16, number: u32) -> Vec<u8> {
    let block = u32::try_from(at.0 >> 16).expect("small");
    let offset = u16::try_from(at.0 & 0xffff).expect("masked");
    let length = u16::try_from(name.len()).expect("short").wrapping_sub(1);
    let header = [0, block, number].map(u32::to_le_bytes).concat();
    let entry = [offset, 0, kind, length].map(u16::to_le_bytes).concat();
    [&header, &entry, name].concat()
}

/// Appends metadata in blocks; gives where they begin.
fn push_metadata(image: &mut Vec<u8>, bytes: &[u8]) -> Vec<u64> {
    let mut places = Vec::new();
    for block in bytes.chunks(METADATA_SIZE) {
        places.push(image.len() as u64);
        let header = u16::try_from(block.len()).expect("a block") | 1 << 15;
        image.extend(header.to_le_bytes());
        image.extend_from_slice(block);
    }
    places
}

/// Appends a look-up table; gives where its list of blocks begins.
fn push_table(image: &mut Vec<u8>, bytes: &[u8]) -> u64 {
    let places = push_metadata(image, bytes);
    let list = image.len() as u64;
    image.extend(places.into_iter().flat_map(u64::to_le_bytes));
    list
}
