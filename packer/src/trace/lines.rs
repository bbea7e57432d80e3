//! What both files have in common: a first line that says what the file is, then a line for each path, in JSON.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TraceError;
use super::error::{Fault, Form, LineFault};

/// The version that is written, and the only one that is read.
pub(super) const VERSION: u64 = 1;

/// Bytes of the longest file that is read: some million paths.
const LONGEST: u64 = 256 << 20;

/// The first line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) polecat_trace: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) polecat_misses: Option<u64>,
    #[serde(default)]
    pub(super) commands: Vec<Vec<String>>,
}

/// The bytes of the file `path`.
pub(super) fn read(path: &Path, form: Form) -> Result<Vec<u8>, TraceError> {
    let failed = |source| TraceError::new(path, form, Fault::Read(source));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(TraceError::new(path, form, Fault::TooLong));
    }
    Ok(bytes)
}

/// Gives `each` the lines behind the first, empty ones left out, and gives the commands of the first back. `path` is what the file
/// is called in errors.
pub(super) fn parse(
    bytes: &[u8],
    path: &Path,
    form: Form,
    mut each: impl FnMut(&[u8]) -> Result<(), LineFault>,
) -> Result<Vec<Vec<String>>, TraceError> {
    let failed = |fault| TraceError::new(path, form, fault);
    let mut lines = bytes.split(|&byte| byte == b'\n').enumerate();
    let first = lines.next().map(|(_, line)| line).unwrap_or_default();
    let head: Head = serde_json::from_slice(first).map_err(|_| failed(Fault::Neither))?;
    let (own, other) = match form {
        Form::Trace => (head.polecat_trace, head.polecat_misses),
        Form::Misses => (head.polecat_misses, head.polecat_trace),
    };
    match (own, other) {
        (Some(VERSION), _) => {}
        (Some(version), _) => return Err(failed(Fault::Newer { version })),
        (None, Some(_)) => return Err(failed(Fault::Other)),
        (None, None) => return Err(failed(Fault::Neither)),
    }
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        each(line).map_err(|fault| {
            failed(Fault::Line {
                line: number + 1,
                fault,
            })
        })?;
    }
    Ok(head.commands)
}

/// A path of a line, as text or in hexadecimal digits; none where it is neither, both, or not absolute.
pub(super) fn path_of(path: Option<&str>, path_bytes: Option<&str>) -> Option<Vec<u8>> {
    let bytes = match (path, path_bytes) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(digits)) => from_hexadecimal(digits)?,
        _ => return None,
    };
    (bytes.starts_with(b"/") && !bytes.contains(&0)).then_some(bytes)
}

fn from_hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| {
        char::from(*digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let values: Vec<u8> = digits.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let pairs = values.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}
