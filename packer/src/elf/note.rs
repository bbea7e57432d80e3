//! ELF notes: what programs and libraries say that they open with dlopen(3),
//! <https://uapi-group.org/specifications/specs/elf_dlopen_metadata/>, and what they need of the machine: the ABI note of the Linux
//! Standard Base and the GNU properties of the x86-64 psABI.

use goblin::container::{Container, Ctx, Endian};
use serde::Deserialize;

use super::Needs;

/// Owner and type of the notes about dlopen(3).
const OWNER: &[u8] = b"FDO\0";
const TYPE: u32 = 0x407c_0c0a;
/// Owner of the others, `NT_GNU_ABI_TAG` with `ELF_NOTE_OS_LINUX`, and `NT_GNU_PROPERTY_TYPE_0`.
const GNU: &[u8] = b"GNU\0";
const ABI_TAG: u32 = 1;
const OS_LINUX: u32 = 0;
const PROPERTIES: u32 = 5;
/// `GNU_PROPERTY_X86_ISA_1_NEEDED`: a bit for each level from the baseline on.
const X86_ISA_NEEDED: u32 = 0xc000_8002;

#[derive(Debug, Deserialize)]
struct Feature {
    soname: Vec<String>,
}

/// What the notes of a file say.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Sonames of what it opens, in their order.
    pub(super) opens: Vec<Vec<u8>>,
    /// What it asks of the machine.
    pub(super) needs: Needs,
}

impl Notes {
    /// Reads those of one PT_NOTE segment. `align` is the segment's alignment. What is not of the specifications' form says nothing.
    pub(super) fn add(&mut self, segment: &[u8], align: u64, ctx: Ctx) {
        let mut rest = segment;
        while let Some((note, behind)) = split(rest, align, ctx) {
            match (note.owner, note.kind) {
                (OWNER, TYPE) => self.opens.extend(sonames(note.description)),
                (GNU, ABI_TAG) => {
                    let words = [0, 4, 8, 12].map(|at| word(note.description, at, ctx));
                    if let [Some(OS_LINUX), Some(major), Some(minor), Some(patch)] = words {
                        self.needs.kernel = self.needs.kernel.max((major, minor, patch));
                    }
                }
                (GNU, PROPERTIES) => {
                    let bits = property(note.description, X86_ISA_NEEDED, ctx).unwrap_or(0);
                    self.needs.x86_level = self.needs.x86_level.max(u32::BITS - bits.leading_zeros());
                }
                _ => {}
            }
            rest = behind;
        }
    }
}

fn sonames(description: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let text = description.split(|&byte| byte == 0).next().unwrap_or_default();
    let features: Vec<Feature> = serde_json::from_slice(text).unwrap_or_default();
    features
        .into_iter()
        .flat_map(|feature| feature.soname)
        .map(String::into_bytes)
}

/// The value of a GNU property of four bytes: a list of type, length and value, each aligned as a word of the class.
fn property(list: &[u8], kind: u32, ctx: Ctx) -> Option<u32> {
    let align = if ctx.container == Container::Big { 8 } else { 4 };
    let mut at = 0_usize;
    loop {
        let length = usize::try_from(word(list, at.checked_add(4)?, ctx)?).ok()?;
        if word(list, at, ctx)? == kind && length == 4 {
            return word(list, at.checked_add(8)?, ctx);
        }
        at = at
            .checked_add(8)?
            .checked_add(length)?
            .checked_next_multiple_of(align)?;
    }
}

fn word(bytes: &[u8], at: usize, ctx: Ctx) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(match ctx.le {
        Endian::Little => u32::from_le_bytes(bytes),
        Endian::Big => u32::from_be_bytes(bytes),
    })
}

struct Note<'a> {
    owner: &'a [u8],
    kind: u32,
    description: &'a [u8],
}

fn split(bytes: &[u8], align: u64, ctx: Ctx) -> Option<(Note<'_>, &[u8])> {
    let word = |at| word(bytes, at, ctx);
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
        let found = notes(&segment, 4, ctx).opens;
        assert_eq!(found, [&b"liba.so.1"[..], b"liba.so.0", b"libb.so"]);
        for cut in 0..segment.len() {
            assert!(notes(&segment[..cut], 4, ctx).opens.len() <= 3);
        }
        assert!(notes(&[0xff; 64], 8, ctx).opens.is_empty());
    }

    fn notes(segment: &[u8], align: u64, ctx: Ctx) -> Notes {
        let mut notes = Notes::default();
        notes.add(segment, align, ctx);
        notes
    }

    fn words<const N: usize>(words: [u32; N]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn what_is_needed_of_the_machine() {
        let ctx = Ctx::new(Container::Big, Endian::Little);
        let no_property = words([0xc000_0002, 4, 3, 0]);
        for (owner, kind, description, kernel, x86_level) in [
            (GNU, ABI_TAG, words([0, 3, 2, 0]), (3, 2, 0), 0),
            (GNU, ABI_TAG, words([0, 5, 15, 3]), (5, 15, 3), 0),
            // The Hurd.
            (GNU, ABI_TAG, words([1, 9, 9, 9]), (0, 0, 0), 0),
            (GNU, ABI_TAG, words([0, 3, 2]), (0, 0, 0), 0),
            (b"GNX\0", ABI_TAG, words([0, 3, 2, 0]), (0, 0, 0), 0),
            (GNU, PROPERTIES, words([X86_ISA_NEEDED, 4, 1, 0]), (0, 0, 0), 1),
            (GNU, PROPERTIES, words([X86_ISA_NEEDED, 4, 0b111, 0]), (0, 0, 0), 3),
            (
                GNU,
                PROPERTIES,
                [no_property.clone(), words([X86_ISA_NEEDED, 4, 8, 0])].concat(),
                (0, 0, 0),
                4,
            ),
            (GNU, PROPERTIES, no_property, (0, 0, 0), 0),
            (GNU, PROPERTIES, words([X86_ISA_NEEDED, 8, 8, 0]), (0, 0, 0), 0),
            (GNU, PROPERTIES, words([X86_ISA_NEEDED, u32::MAX, 8, 0]), (0, 0, 0), 0),
        ] {
            let found = notes(&note(owner, kind, &description), 8, ctx).needs;
            assert_eq!(found, Needs { kernel, x86_level }, "{owner:?} {kind} {description:x?}");
        }
    }
}
