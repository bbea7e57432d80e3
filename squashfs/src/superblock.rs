//! The first 96 bytes of an image.

use crate::cursor::Cursor;
use crate::error::{Error, Part};
use crate::inode::InodeRef;
use crate::lookup_table::LookupTable;
use crate::{fragment, id_table};

/// Bytes of a superblock.
pub(crate) const SUPERBLOCK_SIZE: usize = 96;

/// "hsqs" as the little-endian number it is.
const MAGIC: u32 = 0x7371_7368;
const VERSION: (u16, u16) = (4, 0);
const ZSTD: u16 = 6;

/// The position of a table that is not there.
const ABSENT: u64 = u64::MAX;

/// What the superblock says, checked: squashfs 4.0, zstd, and tables that lie inside the image in the order the
/// kernel insists on (`squashfs_fill_super` in fs/squashfs/super.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superblock {
    /// How many inodes the image claims to hold.
    pub inode_count: u32,
    /// When the image was made, in seconds since 1970, unsigned.
    pub modification_time: u32,
    /// Bytes of a whole data block: a power of two from 4 KiB to 1 MiB.
    pub block_size: u32,
    /// How many fragment blocks the image claims to hold.
    pub fragment_count: u32,
    /// How many user and group ids the image claims to hold, at least one.
    pub id_count: u16,
    /// The inode of the root directory.
    pub root: InodeRef,
    /// Bytes of the image without its padding; nothing behind them is read.
    pub bytes_used: u64,
    pub(crate) id_table: u64,
    pub(crate) inode_table: u64,
    pub(crate) directory_table: u64,
    /// The end of the directory table: where the next thing is known to be.
    pub(crate) directory_table_end: u64,
    pub(crate) fragment_table: u64,
}

impl Superblock {
    /// Decodes and checks a superblock.
    pub(crate) fn decode(record: &[u8; SUPERBLOCK_SIZE]) -> Result<Self, Error> {
        let mut fields = Cursor::new(record);
        if fields.u32() != MAGIC {
            return Err(Error::NotSquashfs);
        }
        let inode_count = fields.u32();
        let modification_time = fields.u32();
        let block_size = fields.u32();
        let fragment_count = fields.u32();
        let compressor = fields.u16();
        let block_log = fields.u16();
        let _flags = fields.u16();
        let id_count = fields.u16();
        let version = (fields.u16(), fields.u16());
        let root = InodeRef(fields.u64());
        let bytes_used = fields.u64();
        let id_table = fields.u64();
        let xattr_table = fields.u64();
        let inode_table = fields.u64();
        let directory_table = fields.u64();
        let fragment_table = fields.u64();
        let export_table = fields.u64();

        if version != VERSION {
            return Err(Error::Version {
                major: version.0,
                minor: version.1,
            });
        }
        if compressor != ZSTD {
            return Err(Error::Compressor { id: compressor });
        }
        // What follows the directory table is known by where its list of positions begins, behind the table itself.
        let directory_table_end = [bytes_used, id_table, xattr_table, fragment_table, export_table]
            .into_iter()
            .filter(|&position| position != ABSENT)
            .min()
            .unwrap_or(bytes_used);
        let superblock = Self {
            inode_count,
            modification_time,
            block_size,
            fragment_count,
            id_count,
            root,
            bytes_used,
            id_table,
            inode_table,
            directory_table,
            directory_table_end,
            fragment_table,
        };
        superblock.check(block_log)?;
        Ok(superblock)
    }

    /// Whether the list of positions of a table fits the image at `list`.
    fn holds_list(&self, list: u64, count: u32, record_size: u32) -> bool {
        list.checked_add(LookupTable::list_size(count, record_size))
            .is_some_and(|end| end <= self.bytes_used)
    }

    fn check(&self, block_log: u16) -> Result<(), Error> {
        let checks = [
            (
                self.block_size.is_power_of_two() && (12..=20).contains(&block_log),
                "impossible block size",
            ),
            (
                self.block_size.trailing_zeros() == u32::from(block_log),
                "block size and its logarithm disagree",
            ),
            (self.bytes_used <= i64::MAX.unsigned_abs(), "impossible image size"),
            (self.inode_count != 0, "no inodes"),
            (self.id_count != 0, "no user and group ids"),
            (
                self.inode_table >= SUPERBLOCK_SIZE as u64,
                "inode table inside the superblock",
            ),
            (
                self.inode_table < self.directory_table,
                "inode table behind the directory table",
            ),
            (
                self.directory_table <= self.directory_table_end,
                "directory table behind the tables that follow it",
            ),
            (
                self.holds_list(self.id_table, u32::from(self.id_count), id_table::ID_SIZE),
                "id table outside the image",
            ),
            (
                self.fragment_count == 0
                    || self.holds_list(self.fragment_table, self.fragment_count, fragment::ENTRY_SIZE),
                "fragment table outside the image",
            ),
            (
                self.root.block() < self.directory_table.saturating_sub(self.inode_table),
                "root outside the inode table",
            ),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(Error::Damaged {
                part: Part::Superblock,
                offset: 0,
                what,
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A superblock that is right: 10,000 bytes, the tables one behind the other.
    fn good() -> [u8; SUPERBLOCK_SIZE] {
        let mut record = Vec::new();
        for word in [MAGIC, 5, 1_700_000_000, 4096, 1] {
            record.extend(word.to_le_bytes());
        }
        for half in [ZSTD, 12, 0, 1, 4, 0] {
            record.extend(half.to_le_bytes());
        }
        for place in [7 << 16 | 100, 10_000, 9990, ABSENT, 5000, 6000, 9000, ABSENT] {
            record.extend(place.to_le_bytes());
        }
        record.try_into().expect("96 bytes")
    }

    #[test]
    fn fields_are_where_they_belong() {
        let superblock = Superblock::decode(&good()).expect("good");
        assert_eq!(superblock.inode_count, 5);
        assert_eq!(superblock.modification_time, 1_700_000_000);
        assert_eq!(
            (superblock.block_size, superblock.fragment_count, superblock.id_count),
            (4096, 1, 1)
        );
        assert_eq!(superblock.root, InodeRef(7 << 16 | 100));
        assert_eq!(superblock.bytes_used, 10_000);
        assert_eq!((superblock.inode_table, superblock.directory_table), (5000, 6000));
        assert_eq!(superblock.directory_table_end, 9000);
        assert_eq!((superblock.fragment_table, superblock.id_table), (9000, 9990));
    }

    #[test]
    fn other_things_are_told_apart() {
        let decode = |at: usize, value: u8| {
            let mut record = good();
            record[at] = value;
            Superblock::decode(&record)
        };
        assert!(matches!(decode(0, b'x'), Err(Error::NotSquashfs)));
        assert!(matches!(decode(20, 4), Err(Error::Compressor { id: 4 })));
        assert!(matches!(decode(28, 3), Err(Error::Version { major: 3, minor: 0 })));
        assert!(matches!(decode(30, 1), Err(Error::Version { major: 4, minor: 1 })));
    }

    #[test]
    fn contradictions_are_found() {
        let table: [(usize, &[u8], &str); 16] = [
            (4, &[0; 4], "no inodes"),
            (12, &4097_u32.to_le_bytes(), "impossible block size"),
            (12, &[0; 4], "impossible block size"),
            (12, &8192_u32.to_le_bytes(), "block size and its logarithm disagree"),
            (22, &[11, 0], "impossible block size"),
            (22, &[21, 0], "impossible block size"),
            (22, &[13, 0], "block size and its logarithm disagree"),
            (26, &[0; 2], "no user and group ids"),
            (40, &u64::MAX.to_le_bytes(), "impossible image size"),
            (48, &9993_u64.to_le_bytes(), "id table outside the image"),
            (48, &ABSENT.to_le_bytes(), "id table outside the image"),
            (64, &95_u64.to_le_bytes(), "inode table inside the superblock"),
            (64, &6000_u64.to_le_bytes(), "inode table behind the directory table"),
            (
                72,
                &9001_u64.to_le_bytes(),
                "directory table behind the tables that follow it",
            ),
            (80, &ABSENT.to_le_bytes(), "fragment table outside the image"),
            (32, &(1000_u64 << 16).to_le_bytes(), "root outside the inode table"),
        ];
        for (at, bytes, expected) in table {
            let mut record = good();
            record[at..at + bytes.len()].copy_from_slice(bytes);
            match Superblock::decode(&record) {
                Err(Error::Damaged {
                    part: Part::Superblock,
                    what,
                    ..
                }) => assert_eq!(what, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_image_without_fragments_needs_no_table_of_them() {
        let mut record = good();
        record[16..20].fill(0);
        record[80..88].copy_from_slice(&ABSENT.to_le_bytes());
        assert_eq!(Superblock::decode(&record).expect("good").directory_table_end, 9990);
    }
}
