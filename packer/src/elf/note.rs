//! The ELF notes in which programs and libraries name what they open with dlopen(3):
//! <https://uapi-group.org/specifications/specs/elf_dlopen_metadata/>.

use goblin::container::{Ctx, Endian};
use serde::Deserialize;

/// Owner and type of the notes.
const OWNER: &[u8] = b"FDO\0";
const TYPE: u32 = 0x407c_0c0a;

#[derive(Debug, Deserialize)]
struct Feature {
    soname: Vec<String>,
}

/// The sonames that the notes of a PT_NOTE segment name, in their order. `align` is the segment's alignment.
pub(super) fn sonames(segment: &[u8], align: u64, ctx: Ctx) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = segment;
    while let Some((note, behind)) = split(rest, align, ctx) {
        if note.owner == OWNER && note.kind == TYPE {
            let text = note.description.split(|&byte| byte == 0).next().unwrap_or_default();
            // What is not of the specification's form is no evidence of anything.
            let features: Vec<Feature> = serde_json::from_slice(text).unwrap_or_default();
            found.extend(
                features
                    .into_iter()
                    .flat_map(|feature| feature.soname)
                    .map(String::into_bytes),
            );
        }
        rest = behind;
    }
    found
}

struct Note<'a> {
    owner: &'a [u8],
    kind: u32,
    description: &'a [u8],
}

fn split(bytes: &[u8], align: u64, ctx: Ctx) -> Option<(Note<'_>, &[u8])> {
    let word = |at: usize| -> Option<u32> {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(match ctx.le {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        })
    };
    let align = if align == 8 { 8 } else { 4 };
    let (name_length, length) = (usize::try_from(word(0)?).ok()?, usize::try_from(word(4)?).ok()?);
    let owner = bytes.get(12..12_usize.checked_add(name_length)?)?;
    let start = 12_usize.checked_add(name_length)?.checked_next_multiple_of(align)?;
    let end = start.checked_add(length)?;
    let description = bytes.get(start..end)?;
    let next = end.checked_next_multiple_of(align)?.min(bytes.len());
    Some((
        Note {
            owner,
            kind: word(8)?,
            description,
        },
        &bytes[next..],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin::container::Container;

    fn note(owner: &[u8], kind: u32, description: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(owner.len()).expect("short").to_le_bytes());
        bytes.extend(u32::try_from(description.len()).expect("short").to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(owner);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(description);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn notes_among_others() {
        let ctx = Ctx::new(Container::Big, Endian::Little);
        let json =
            br#"[{"feature":"x","priority":"suggested","soname":["liba.so.1","liba.so.0"]},{"soname":["libb.so"]}]"#;
        let segment = [
            note(b"GNU\0", 3, &[1; 20]),
            note(OWNER, TYPE, &[&json[..], b"\0"].concat()),
            note(OWNER, TYPE, b"{not json"),
        ]
        .concat();
        let found = sonames(&segment, 4, ctx);
        assert_eq!(found, [&b"liba.so.1"[..], b"liba.so.0", b"libb.so"]);
        for cut in 0..segment.len() {
            assert!(sonames(&segment[..cut], 4, ctx).len() <= 3);
        }
        assert!(sonames(&[0xff; 64], 8, ctx).is_empty());
    }
}
