//! `Packages.db`, the database of SUSE: `lib/backend/ndb/rpmpkg.c` of rpm. Slots in pages at the beginning say where each header is.

/// Bytes of a page of slots.
const PAGE: usize = 4096;

/// Bytes of a slot: magic, number of the package, block, count of blocks.
const SLOT: usize = 16;

/// Bytes of a block.
const BLOCK: usize = 16;

/// Slots that the file's own header takes the place of.
const FIRST_SLOT: usize = 2;

/// Bytes in front of a header: magic, number of the package, generation, length.
const BLOB_HEAD: usize = 16;

/// The headers in the file; none where it is no such file. Slots that lead nowhere are passed over.
pub(super) fn headers(file: &[u8]) -> Option<Vec<&[u8]>> {
    if !file.starts_with(b"RpmP") {
        return None;
    }
    let pages = usize::try_from(u32_at(file, 12)?).ok()?;
    let slots = file.get(..pages.checked_mul(PAGE)?)?;
    let (slots, _) = slots.as_chunks::<SLOT>();
    let headers = slots.iter().skip(FIRST_SLOT).filter_map(|slot| header(file, slot));
    Some(headers.collect())
}

fn header<'a>(file: &'a [u8], slot: &[u8; SLOT]) -> Option<&'a [u8]> {
    let package = u32_at(slot, 4)?;
    if !slot.starts_with(b"Slot") || package == 0 {
        return None;
    }
    let offset = usize::try_from(u32_at(slot, 8)?).ok()?.checked_mul(BLOCK)?;
    let blob = file.get(offset..)?;
    if !blob.starts_with(b"BlbS") || u32_at(blob, 4)? != package {
        return None;
    }
    let length = usize::try_from(u32_at(blob, 12)?).ok()?;
    blob.get(BLOB_HEAD..)?.get(..length)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_lead_to_headers() {
        let mut file = b"RpmP".to_vec();
        for number in [0u32, 0, 1, 2, 0, 0, 0] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        // One that is there, a free one, one beyond the end, one of another package.
        for (package, block) in [(1u32, 256u32), (0, 256), (2, 9999), (3, 256)] {
            file.extend_from_slice(b"Slot");
            for number in [package, block, 2] {
                file.extend_from_slice(&number.to_le_bytes());
            }
        }
        file.resize(PAGE, 0);
        file.extend_from_slice(b"BlbS");
        for number in [1u32, 0, 5] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        file.extend_from_slice(b"bytes and padding");
        assert_eq!(headers(&file), Some(vec![&b"bytes"[..]]));
        assert_eq!(headers(&file[..PAGE + 18]), Some(vec![]));
        assert_eq!(headers(&file[..PAGE - 1]), None);
        assert_eq!(headers(b"RpmX"), None);
        assert_eq!(headers(b""), None);
    }
}
