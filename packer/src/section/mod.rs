//! Ignorable sections of bundles: JSON in a zstd frame.

mod error;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::SectionError;

/// zstd's level: some kilobytes, once.
const LEVEL: i32 = 19;

/// The bytes of a section that holds `value`.
///
/// # Errors
/// [`SectionError::Encode`].
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, SectionError> {
    let fault = |problem: String| SectionError::Encode { problem };
    let json = serde_json::to_vec(value).map_err(|error| fault(error.to_string()))?;
    let mut bytes = Vec::with_capacity(zstd_safe::compress_bound(json.len()));
    zstd_safe::compress(&mut bytes, &json, LEVEL).map_err(|code| fault(zstd_safe::get_error_name(code).to_owned()))?;
    Ok(bytes)
}

/// What the bytes of a section hold; `max_unpacked` is the most bytes of JSON that are taken.
///
/// # Errors
/// [`SectionError::Content`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], max_unpacked: usize) -> Result<T, SectionError> {
    let fault = |problem: String| SectionError::Content { problem };
    let length = zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let length = length
        .and_then(|length| usize::try_from(length).ok())
        .filter(|length| *length <= max_unpacked)
        .ok_or_else(|| fault("no zstd frame of an allowed length".to_owned()))?;
    let mut json = Vec::with_capacity(length);
    zstd_safe::decompress(&mut json, bytes).map_err(|code| fault(zstd_safe::get_error_name(code).to_owned()))?;
    serde_json::from_slice(&json).map_err(|error| fault(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_within_its_limit() {
        let value = vec!["a".repeat(1000), "b".to_owned()];
        let bytes = encode(&value).expect("encoded");
        assert!(bytes.len() < 100, "{}", bytes.len());
        let decoded: Vec<String> = decode(&bytes, 2000).expect("decoded");
        assert_eq!(decoded, value);
        for (bytes, limit) in [
            (&bytes[..], 1000),
            (&bytes[..bytes.len() - 1], 2000),
            (&b"{}"[..], 2000),
            (b"", 2000),
        ] {
            let decoded = decode::<Vec<String>>(bytes, limit);
            assert!(
                matches!(decoded, Err(SectionError::Content { .. })),
                "{bytes:?} {limit}"
            );
        }
        assert!(decode::<u32>(&bytes, 2000).is_err(), "of another form");
    }
}
