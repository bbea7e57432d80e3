//! The manifest, always signed.

use super::{Defect, MINIMAL, defect};
use crate::support::sample::MANIFEST;

pub(super) const DEFECTS: &[Defect] = &[
    defect(
        "manifest-changed",
        MINIMAL,
        |b| b.flip(MANIFEST + 10).seal(),
        "the signature of key 21fe31dfa154a261 is wrong",
    ),
    defect(
        "manifest-not-json",
        MINIMAL,
        |b| b.with_manifest(b"\x1f\x8b\x08\0"),
        "the bundle's manifest is invalid: expected value at line 1 column 1",
    ),
    defect(
        "manifest-nested",
        MINIMAL,
        |b| b.with_manifest(&[b"{\"x\":".as_slice(), &[b'['; 4000]].concat()),
        "the bundle's manifest is invalid: EOF while parsing a list at line 1 column 4005",
    ),
    defect(
        "manifest-trailing-data",
        MINIMAL,
        |b| b.edit_manifest("\n}\n", "\n}\n{}\n"),
        "the bundle's manifest is invalid: trailing characters at line 37 column 1",
    ),
    defect(
        "manifest-field-missing",
        MINIMAL,
        |b| b.edit_manifest("\"rootDigest\"", "\"rootDijest\""),
        "the bundle's manifest is invalid: missing field `rootDigest` at line 22 column 3",
    ),
    defect(
        "manifest-field-twice",
        MINIMAL,
        |b| b.edit_manifest("\"created\": 0,", "\"created\": 0, \"created\": 0,"),
        "the bundle's manifest is invalid: duplicate field `created` at line 5 column 25",
    ),
    defect(
        "manifest-version-other",
        MINIMAL,
        |b| b.edit_manifest("\"formatVersion\": 1", "\"formatVersion\": 2"),
        "the bundle's manifest is invalid: formatVersion must be 1",
    ),
    defect(
        "manifest-requires-unknown",
        MINIMAL,
        |b| b.edit_manifest("\"created\"", "\"requires\": [\"telepathy\"], \"created\""),
        "the bundle's manifest is invalid: it requires \"telepathy\", which this polecat does not know",
    ),
    defect(
        "manifest-options-not-required",
        MINIMAL,
        |b| b.edit_manifest("\"contain\": false", "\"contain\": false, \"options\": [\"contain\"]"),
        "the bundle's manifest is invalid: isolation.options must be named in requires",
    ),
    defect(
        "manifest-seccomp-not-required",
        MINIMAL,
        |b| {
            let profile = r#""contain": false, "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}"#;
            b.edit_manifest("\"contain\": false", profile)
        },
        "the bundle's manifest is invalid: isolation.seccomp must be named in requires, as isolation-options",
    ),
    defect(
        "manifest-path-relative",
        MINIMAL,
        |b| b.edit_manifest("\"/bin/hello\"", "\"bin/hello\""),
        "the bundle's manifest is invalid: process.path must be an absolute path without `.`, `..`, empty names and NUL",
    ),
    defect(
        "manifest-path-climbs",
        MINIMAL,
        |b| b.edit_manifest("\"/bin/hello\"", "\"/bin/../../hello\""),
        "the bundle's manifest is invalid: process.path must be an absolute path without `.`, `..`, empty names and NUL",
    ),
    defect(
        "manifest-name-steers-the-terminal",
        MINIMAL,
        |b| b.edit_manifest("\"hello\"", "\"\\u001b[2J\""),
        "the bundle's manifest is invalid: name must be 1 to 255 bytes of text without control characters",
    ),
    defect(
        "manifest-without-arguments",
        MINIMAL,
        |b| b.edit_manifest("\"hello\",\n      \"--greeting=hi\"", ""),
        "the bundle's manifest is invalid: process.args must be a list of at least one word",
    ),
    defect(
        "manifest-argument-with-nul",
        MINIMAL,
        |b| b.edit_manifest("--greeting=hi", "--greeting=\\u0000"),
        "the bundle's manifest is invalid: process.args must be free of NUL",
    ),
    defect(
        "manifest-environment-without-name",
        MINIMAL,
        |b| b.edit_manifest("PATH=", "="),
        "the bundle's manifest is invalid: process.env must be a list of NAME=value without NUL",
    ),
    defect(
        "manifest-digest-upper-case",
        MINIMAL,
        |b| b.edit_manifest("\"rootDigest\": \"", "\"rootDigest\": \"A"),
        "the bundle's manifest is invalid: hashTree.rootDigest must be 64 lower-case hexadecimal digits",
    ),
    defect(
        "manifest-salt-odd",
        MINIMAL,
        |b| b.edit_manifest("\"salt\": \"00", "\"salt\": \"0"),
        "the bundle's manifest is invalid: hashTree.salt must be an even number of lower-case hexadecimal digits",
    ),
    defect(
        "manifest-image-elsewhere",
        MINIMAL,
        |b| b.edit_manifest("16384", "12288").edit_manifest("20480", "16384"),
        "the bundle's manifest does not fit the file: image.offset is 12288 there and 16384 in the file",
    ),
    defect(
        "manifest-image-longer",
        MINIMAL,
        |b| b.edit_manifest("\"length\": 4096", "\"length\": 8192"),
        "the bundle's manifest is invalid: hashTree.offset must be the end of the image",
    ),
    defect(
        "manifest-stub-longer",
        MINIMAL,
        |b| b.edit_manifest("\"length\": 132", "\"length\": 133"),
        "the bundle's manifest does not fit the file: stub.length is 133 there and 132 in the file",
    ),
];
