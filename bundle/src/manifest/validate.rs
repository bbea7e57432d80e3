//! What the manifest's values may be.

use std::fmt;

use super::{EntryPoint, ISOLATION_OPTIONS, Manifest};
use crate::hash_tree::{BlockDigest, Geometry};
use crate::layout::{BLOCK_SIZE, DIGEST_LENGTH, FORMAT_VERSION, MAX_MANIFEST_LENGTH, MAX_SALT_LENGTH, is_aligned};

/// Longest name, architecture or generator in bytes: they are printed in one line.
const MAX_WORD_LENGTH: usize = 255;

const ABSOLUTE: &str = "an absolute path without `.`, `..`, empty names and NUL";

/// Why bytes are not a manifest, or a manifest is not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON, or not the fields of a manifest.
    Json {
        /// What was wrong, as the parser says it.
        problem: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Longer than the format allows.
    TooLong {
        /// Length in bytes.
        length: u64,
    },
    /// A value that its field cannot have.
    Value {
        /// The field, as a path of names.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Something that this reader would have to know and does not.
    Requires {
        /// Its name.
        name: String,
    },
}

impl ManifestError {
    pub(super) fn from_json(error: serde_json::Error) -> Self {
        ManifestError::Json {
            problem: error.to_string(),
            line: error.line(),
            column: error.column(),
        }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The parser's text ends with line and column.
            Self::Json { problem, .. } => f.write_str(problem),
            Self::TooLong { length } => {
                write!(
                    f,
                    "its length is {length} bytes; the format allows {MAX_MANIFEST_LENGTH}"
                )
            }
            Self::Value { field, expected } => write!(f, "{field} must be {expected}"),
            Self::Requires { name } => write!(f, "it requires {name:?}, which this polecat does not know"),
        }
    }
}

impl std::error::Error for ManifestError {}

/// An error that says the value at `field` must be `expected`, unless `holds`.
fn expect(holds: bool, field: &'static str, expected: &'static str) -> Result<(), Box<ManifestError>> {
    if holds {
        Ok(())
    } else {
        Err(Box::new(ManifestError::Value { field, expected }))
    }
}

impl Manifest {
    /// Checks each value by itself and those that belong together.
    ///
    /// # Errors
    /// [`ManifestError::Value`] or [`ManifestError::Requires`].
    pub fn validate(&self) -> Result<(), ManifestError> {
        self.check().map_err(|error| *error)
    }

    /// Errors are in boxes here: there are many, and each would take a few dozen bytes of code more.
    fn check(&self) -> Result<(), Box<ManifestError>> {
        expect(self.format_version == FORMAT_VERSION, "formatVersion", "1")?;
        if let Some(name) = self.requires.iter().find(|name| *name != ISOLATION_OPTIONS) {
            return Err(Box::new(ManifestError::Requires { name: name.clone() }));
        }
        // Else an old reader would run the program with less isolation than was signed.
        let said = self.requires.iter().any(|name| name == ISOLATION_OPTIONS);
        expect(
            said || self.isolation.options.is_empty(),
            "isolation.options",
            "named in requires",
        )?;
        expect(
            said || self.isolation.seccomp.is_none(),
            "isolation.seccomp",
            "named in requires, as isolation-options",
        )?;
        for (field, word) in [
            ("name", &self.name),
            ("architecture", &self.architecture),
            ("generator", &self.generator),
        ] {
            // Printed on terminals, so nothing that steers one.
            let printable = !word.is_empty() && word.len() <= MAX_WORD_LENGTH && !word.contains(char::is_control);
            expect(printable, field, "1 to 255 bytes of text without control characters")?;
        }
        self.stub.sha256_bytes()?;
        expect(self.stub.length > 0, "stub.length", "more than 0")?;
        self.validate_image()?;
        self.validate_process()?;
        self.validate_entry_points()?;
        for (field, section) in [
            ("packages.sha256", &self.packages),
            ("reasons.sha256", &self.reasons),
            ("paths.sha256", &self.paths),
        ] {
            section
                .as_ref()
                .map_or(Ok(()), |section| decode_digest(field, &section.sha256).map(drop))?;
        }
        Ok(())
    }

    fn validate_image(&self) -> Result<(), Box<ManifestError>> {
        const ALIGNED: &str = "a multiple of 4096";
        self.hash_tree.root_digest_bytes()?;
        let salt = self.hash_tree.salt_bytes()?;
        expect(salt.len() <= MAX_SALT_LENGTH, "hashTree.salt", "at most 64 digits")?;
        for (field, value) in [
            ("image.offset", self.image.offset),
            ("image.length", self.image.length),
            ("hashTree.offset", self.hash_tree.offset),
            ("hashTree.length", self.hash_tree.length),
        ] {
            expect(is_aligned(value), field, ALIGNED)?;
        }
        let image_end = self.image.offset.checked_add(self.image.length);
        expect(
            image_end == Some(self.hash_tree.offset),
            "hashTree.offset",
            "the end of the image",
        )?;
        let tree_length = Geometry::new(self.image.length / BLOCK_SIZE).map(|geometry| geometry.tree_length());
        expect(tree_length.is_ok(), "image.length", "at least 4096 and at most 2^52")?;
        expect(
            tree_length == Ok(self.hash_tree.length),
            "hashTree.length",
            "that of the tree over the image",
        )
    }

    fn validate_entry_points(&self) -> Result<(), Box<ManifestError>> {
        for entry in &self.entry_points {
            expect(
                EntryPoint::is_name(&entry.name),
                "entryPoints.name",
                "a file's name of 1 to 255 bytes without control characters, that does not begin with `-`",
            )?;
            expect(
                is_normal_path(&entry.path) && entry.path != "/",
                "entryPoints.path",
                ABSOLUTE,
            )?;
        }
        // So there is one way to write them, and to see that each is there once.
        let sorted = self.entry_points.is_sorted_by(|one, next| one.name < next.name);
        expect(sorted, "entryPoints", "sorted by name, each name once")
    }

    fn validate_process(&self) -> Result<(), Box<ManifestError>> {
        let process = &self.process;
        expect(
            is_normal_path(&process.path) && process.path != "/",
            "process.path",
            ABSOLUTE,
        )?;
        expect(!process.args.is_empty(), "process.args", "a list of at least one word")?;
        expect(
            process.args.iter().all(|word| !word.contains('\0')),
            "process.args",
            "free of NUL",
        )?;
        expect(
            process.env.iter().all(|entry| is_assignment(entry)),
            "process.env",
            "a list of NAME=value without NUL",
        )?;
        expect(
            process.cwd.as_deref().is_none_or(is_normal_path),
            "process.cwd",
            ABSOLUTE,
        )
    }
}

/// Whether the path begins at the root and says no more than it must.
fn is_normal_path(path: &str) -> bool {
    let names = path.strip_prefix('/').map(|names| names.split('/'));
    path == "/"
        || names.is_some_and(|mut names| names.all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0')))
}

fn is_assignment(entry: &str) -> bool {
    !entry.contains('\0') && entry.split_once('=').is_some_and(|(name, _)| !name.is_empty())
}

/// The bytes that lower-case hexadecimal digits stand for.
pub(super) fn decode_hex(field: &'static str, text: &str) -> Result<Vec<u8>, ManifestError> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect::<Option<Vec<u8>>>();
    bytes.filter(|_| rest.is_empty()).ok_or(ManifestError::Value {
        field,
        expected: "an even number of lower-case hexadecimal digits",
    })
}

/// The digest that 64 lower-case hexadecimal digits stand for.
pub(super) fn decode_digest(field: &'static str, text: &str) -> Result<BlockDigest, ManifestError> {
    let expected = "64 lower-case hexadecimal digits";
    let bytes = decode_hex(field, text)
        .ok()
        .filter(|bytes| bytes.len() == DIGEST_LENGTH);
    bytes
        .and_then(|bytes| bytes.first_chunk().copied())
        .ok_or(ManifestError::Value { field, expected })
}

/// The digest as lower-case hexadecimal digits.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
