//! Every look-up inside the root file system. (To be written; the two names below are what the plan needs.)

/// An absolute, normalised path inside a root file system; bytes, need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootPath(Vec<u8>);

impl serde::Serialize for RootPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_bytes_lossy(&self.0, serializer)
    }
}

/// Shows bytes as a string, lossily where they are not UTF-8.
pub(crate) fn serialize_bytes_lossy<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}
