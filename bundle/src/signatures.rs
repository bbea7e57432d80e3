//! The signature block: who says that the manifest is theirs.
//!
//! This crate stores signatures; whether one is right is judged by those who hold keys. The block is 4096 bytes:
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 4 | number of records |
//! | 4 | 4 | reserved, 0 |
//! | 8 | 128 each | records |
//! | … | | zeros |
//!
//! and a record of algorithm 1, ed25519:
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 4 | algorithm, 1 |
//! | 4 | 4 | reserved, 0 |
//! | 8 | 8 | key id: the first bytes of the public key's SHA-256 |
//! | 16 | 32 | public key |
//! | 48 | 64 | signature |
//! | 112 | 16 | zeros |

use std::io::{Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use crate::cursor::{Cursor, first_nonzero};
use crate::error::Damage;
use crate::layout::{MAX_SIGNATURES, SIGNATURE_BLOCK_LENGTH, SIGNATURE_RECORD_LENGTH, SIGNATURE_RECORDS_OFFSET};
use crate::reader::Bundle;
use crate::writer::WriteError;

/// Number of the algorithm ed25519 (RFC 8032, pure).
pub const ED25519: u32 = 1;

/// A record of the signature block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureRecord {
    /// Algorithm 1.
    Ed25519(Ed25519Record),
    /// An algorithm that this version does not know: kept, never judged.
    Unknown {
        /// Its number.
        algorithm: u32,
        /// The record behind the number, as it is stored.
        bytes: [u8; SIGNATURE_RECORD_LENGTH - 4],
    },
}

/// An ed25519 signature and the key that it names as its maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ed25519Record {
    /// First 8 bytes of the public key's SHA-256.
    pub key_id: [u8; 8],
    /// The public key, RFC 8032 section 5.1.5.
    pub public_key: [u8; 32],
    /// The signature, RFC 8032 section 5.1.6.
    pub signature: [u8; 64],
}

impl Ed25519Record {
    fn decode(cursor: &mut Cursor<'_>, index: usize) -> Result<Self, Damage> {
        let reserved = Damage::Reserved {
            place: "signature block",
        };
        let read = |cursor: &mut Cursor<'_>| Some((cursor.u32()?, cursor.array()?, cursor.array()?, cursor.array()?));
        let (zero, key_id, public_key, signature) = read(cursor).ok_or(Damage::SignatureCount)?;
        if zero != 0 || first_nonzero(cursor.rest()).is_some() {
            return Err(reserved);
        }
        if key_id != self::key_id(&public_key) {
            return Err(Damage::SignatureKeyId { index });
        }
        Ok(Ed25519Record {
            key_id,
            public_key,
            signature,
        })
    }
}

impl SignatureRecord {
    /// A record of algorithm ed25519, with the key id of this key.
    pub fn ed25519(public_key: [u8; 32], signature: [u8; 64]) -> Self {
        Self::Ed25519(Ed25519Record {
            key_id: key_id(&public_key),
            public_key,
            signature,
        })
    }

    /// Number of the algorithm.
    pub const fn algorithm(&self) -> u32 {
        match self {
            Self::Ed25519(_) => ED25519,
            Self::Unknown { algorithm, .. } => *algorithm,
        }
    }

    fn decode(bytes: &[u8], index: usize) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(bytes);
        match cursor.u32().ok_or(Damage::SignatureCount)? {
            ED25519 => Ed25519Record::decode(&mut cursor, index).map(Self::Ed25519),
            algorithm => Ok(Self::Unknown {
                algorithm,
                bytes: cursor.array().ok_or(Damage::SignatureCount)?,
            }),
        }
    }

    fn encode(&self) -> [u8; SIGNATURE_RECORD_LENGTH] {
        let mut record = [0; SIGNATURE_RECORD_LENGTH];
        record[0..4].copy_from_slice(&self.algorithm().to_le_bytes());
        match self {
            Self::Ed25519(ed25519) => {
                record[8..16].copy_from_slice(&ed25519.key_id);
                record[16..48].copy_from_slice(&ed25519.public_key);
                record[48..112].copy_from_slice(&ed25519.signature);
            }
            Self::Unknown { bytes, .. } => record[4..].copy_from_slice(bytes),
        }
        record
    }
}

/// First 8 bytes of the public key's SHA-256: a name to look the key up by, no proof of anything.
pub fn key_id(public_key: &[u8; 32]) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(public_key).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    [a, b, c, d, e, f, g, h]
}

/// Reads the signature block.
pub(crate) fn decode(block: &[u8; SIGNATURE_BLOCK_LENGTH]) -> Result<Vec<SignatureRecord>, Damage> {
    let mut cursor = Cursor::new(block);
    let count = cursor.u32().ok_or(Damage::SignatureCount)?;
    let reserved = cursor.u32().ok_or(Damage::SignatureCount)?;
    let count = usize::try_from(count)
        .ok()
        .filter(|&count| count <= MAX_SIGNATURES)
        .ok_or(Damage::SignatureCount)?;
    let mut records = Vec::with_capacity(count);
    for index in 0..count {
        let record = cursor.take(SIGNATURE_RECORD_LENGTH).ok_or(Damage::SignatureCount)?;
        records.push(SignatureRecord::decode(record, index)?);
    }
    if reserved != 0 || first_nonzero(cursor.rest()).is_some() {
        return Err(Damage::Reserved {
            place: "signature block",
        });
    }
    Ok(records)
}

/// The signature block as it is stored.
pub(crate) fn encode(records: &[SignatureRecord]) -> Result<[u8; SIGNATURE_BLOCK_LENGTH], Damage> {
    if records.len() > MAX_SIGNATURES {
        return Err(Damage::SignatureCount);
    }
    let mut block = [0; SIGNATURE_BLOCK_LENGTH];
    let (head, body) = block.split_at_mut(SIGNATURE_RECORDS_OFFSET);
    let count = u32::try_from(records.len()).map_err(|_| Damage::SignatureCount)?;
    head[0..4].copy_from_slice(&count.to_le_bytes());
    for (place, record) in body.chunks_exact_mut(SIGNATURE_RECORD_LENGTH).zip(records) {
        place.copy_from_slice(&record.encode());
    }
    Ok(block)
}

/// Replaces the signatures of a bundle in its file: signature block and superblock are rewritten, nothing moves.
///
/// Two blocks are written, one after the other; whoever needs both or neither does it on a copy and renames.
///
/// # Errors
/// [`WriteError::Signatures`] when there are more than [`MAX_SIGNATURES`], [`WriteError::Io`] when writing fails.
pub fn replace(file: &mut (impl Write + Seek), bundle: &Bundle, records: &[SignatureRecord]) -> Result<(), WriteError> {
    let block = encode(records).map_err(|_| WriteError::Signatures { count: records.len() })?;
    let superblock = bundle
        .superblock()
        .encode(bundle.manifest_bytes(), &block)
        .map_err(|_| WriteError::Superblock)?;
    for (offset, bytes) in [
        (bundle.sections().signatures.offset, &block),
        (bundle.superblock_offset(), &superblock),
    ] {
        file.seek(SeekFrom::Start(offset))
            .map_err(|source| WriteError::Io { offset, source })?;
        file.write_all(bytes)
            .map_err(|source| WriteError::Io { offset, source })?;
    }
    file.flush().map_err(|source| WriteError::Io {
        offset: bundle.superblock_offset(),
        source,
    })
}

/// Adds a signature to a bundle in its file. One by the same ed25519 key is replaced: a key has one signature over a manifest.
///
/// # Errors
/// As [`replace`].
pub fn add(file: &mut (impl Write + Seek), bundle: &Bundle, record: SignatureRecord) -> Result<(), WriteError> {
    let same_key = |other: &SignatureRecord| match (other, &record) {
        (SignatureRecord::Ed25519(other), SignatureRecord::Ed25519(new)) => other.public_key == new.public_key,
        _ => *other == record,
    };
    let mut records: Vec<_> = bundle
        .signatures()
        .iter()
        .filter(|other| !same_key(other))
        .cloned()
        .collect();
    records.push(record);
    replace(file, bundle, &records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_at_their_offsets_and_back() {
        let records = [
            SignatureRecord::ed25519([0x11; 32], [0x22; 64]),
            SignatureRecord::Unknown {
                algorithm: 0x0807_0605,
                bytes: [0x33; 124],
            },
        ];
        let block = encode(&records).unwrap();
        assert_eq!(block[0..8], [2, 0, 0, 0, 0, 0, 0, 0]);
        let (first, second) = (&block[8..136], &block[136..264]);
        assert_eq!(first[0..8], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(first[8..16], Sha256::digest([0x11; 32])[..8]);
        assert_eq!(first[16..48], [0x11; 32]);
        assert_eq!(first[48..112], [0x22; 64]);
        assert_eq!(first[112..], [0; 16]);
        assert_eq!(second[0..4], [5, 6, 7, 8]);
        assert_eq!(second[4..], [0x33; 124]);
        assert_eq!(first_nonzero(&block[264..]), None);
        assert_eq!(decode(&block).unwrap(), records);
    }

    #[test]
    fn as_many_records_as_fit() {
        let record = SignatureRecord::ed25519([1; 32], [2; 64]);
        let full = vec![record.clone(); MAX_SIGNATURES];
        assert_eq!(decode(&encode(&full).unwrap()).unwrap(), full);
        assert_eq!(MAX_SIGNATURES, 31);
        assert_eq!(encode(&vec![record; MAX_SIGNATURES + 1]), Err(Damage::SignatureCount));
    }
}
