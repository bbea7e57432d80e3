//! A package's header, as rpm keeps it in its database: <https://rpm-software-management.github.io/rpm/manual/format_header.html>, without
//! the magic in front.

/// What a header says by number: `rpmtag.h` of rpm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(u32);

impl Tag {
    pub(super) const NAME: Self = Self(1000);
    pub(super) const VERSION: Self = Self(1001);
    pub(super) const RELEASE: Self = Self(1002);
    pub(super) const EPOCH: Self = Self(1003);
    pub(super) const VENDOR: Self = Self(1011);
    pub(super) const LICENCE: Self = Self(1014);
    pub(super) const PACKAGER: Self = Self(1015);
    pub(super) const URL: Self = Self(1020);
    pub(super) const ARCHITECTURE: Self = Self(1022);
    pub(super) const FILE_STATES: Self = Self(1029);
    pub(super) const FILE_MODES: Self = Self(1030);
    pub(super) const FILE_FLAGS: Self = Self(1037);
    pub(super) const SOURCE_RPM: Self = Self(1044);
    pub(super) const PROVIDES: Self = Self(1047);
    pub(super) const REQUIRES: Self = Self(1049);
    pub(super) const DIRECTORY_INDEXES: Self = Self(1116);
    pub(super) const BASE_NAMES: Self = Self(1117);
    pub(super) const DIRECTORY_NAMES: Self = Self(1118);
    pub(super) const RECOMMENDS: Self = Self(5046);
}

/// Bytes in front of the index: the numbers of its entries and of the bytes behind it.
const PREAMBLE: usize = 8;

/// Bytes of an entry: tag, type, offset, count.
const ENTRY: usize = 16;

const TYPE_INT16: u32 = 3;
const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_I18N_STRING: u32 = 9;

/// A header. Every number in it is somebody else's: what does not fit is not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// The header in these bytes; none where they are too few for it.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let entries = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let length = usize::try_from(u32_at(bytes, 4)?).ok()?;
        let (index, data) = bytes.get(PREAMBLE..)?.split_at_checked(entries.checked_mul(ENTRY)?)?;
        Some(Self {
            index,
            data: data.get(..length)?,
        })
    }

    /// The first string of a tag.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        let first = self.texts(tag).next()?;
        Some(String::from_utf8_lossy(first).into_owned()).filter(|text| !text.is_empty() && text != "(none)")
    }

    /// The strings of a tag.
    pub(super) fn texts(&self, tag: Tag) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let found = self.find(tag, &[TYPE_STRING, TYPE_STRING_ARRAY, TYPE_I18N_STRING]);
        let (data, count) = found.unwrap_or_default();
        data.split(|&byte| byte == 0).take(count)
    }

    /// The numbers of a tag.
    pub(super) fn numbers(&self, tag: Tag) -> impl Iterator<Item = u32> + use<'a> {
        let (data, count) = self.find(tag, &[TYPE_INT32]).unwrap_or_default();
        let (numbers, _) = data.as_chunks::<4>();
        numbers.iter().take(count).map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// The numbers of a tag of 16 bits.
    pub(super) fn shorts(&self, tag: Tag) -> impl Iterator<Item = u16> + use<'a> {
        let (data, count) = self.find(tag, &[TYPE_INT16]).unwrap_or_default();
        let (numbers, _) = data.as_chunks::<2>();
        numbers.iter().take(count).map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// The bytes of a tag, one a value.
    pub(super) fn bytes(&self, tag: Tag) -> &'a [u8] {
        const TYPE_CHAR: u32 = 1;
        let (data, count) = self.find(tag, &[TYPE_CHAR]).unwrap_or_default();
        data.get(..count).unwrap_or_default()
    }

    /// What is from the tag's offset on, and how many values it has.
    fn find(&self, tag: Tag, types: &[u32]) -> Option<(&'a [u8], usize)> {
        let (entries, _) = self.index.as_chunks::<ENTRY>();
        let entry = entries.iter().find(|entry| u32_at(*entry, 0) == Some(tag.0))?;
        if !types.contains(&u32_at(entry, 4)?) {
            return None;
        }
        let offset = usize::try_from(u32_at(entry, 8)?).ok()?;
        let count = usize::try_from(u32_at(entry, 12)?).ok()?;
        Some((self.data.get(offset..)?, count))
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A header with these strings.
    pub(in super::super) fn header(texts: &[(u32, &str)]) -> Vec<u8> {
        let mut index = Vec::new();
        let mut data: Vec<u8> = Vec::new();
        for (tag, text) in texts {
            let offset = u32::try_from(data.len()).expect("short");
            for number in [*tag, TYPE_STRING, offset, 1] {
                index.extend_from_slice(&number.to_be_bytes());
            }
            data.extend_from_slice(text.as_bytes());
            data.push(0);
        }
        let lengths = [texts.len(), data.len()].map(|length| u32::try_from(length).expect("short").to_be_bytes());
        [lengths.concat(), index, data].concat()
    }

    #[test]
    fn fields() {
        let bytes = header(&[(1000, "bash"), (1001, "5.2"), (1020, "(none)")]);
        let header = Header::parse(&bytes).expect("a header");
        assert_eq!(header.text(Tag::NAME).as_deref(), Some("bash"));
        assert_eq!(header.text(Tag::VERSION).as_deref(), Some("5.2"));
        assert_eq!(header.text(Tag::URL), None);
        assert_eq!(header.text(Tag::RELEASE), None);
        assert_eq!(header.numbers(Tag::NAME).count(), 0);
    }

    #[test]
    fn damage_is_no_field() {
        let bytes = header(&[(1000, "bash")]);
        for length in 0..bytes.len() {
            assert!(Header::parse(&bytes[..length]).is_none(), "{length}");
        }
        for place in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] = value;
                let Some(header) = Header::parse(&bytes) else { continue };
                for tag in [Tag::NAME, Tag::BASE_NAMES, Tag::FILE_MODES] {
                    assert!(header.texts(tag).count() <= bytes.len());
                    assert!(header.numbers(tag).count() + header.shorts(tag).count() <= bytes.len());
                    assert!(header.bytes(tag).len() <= bytes.len());
                }
            }
        }
    }
}
