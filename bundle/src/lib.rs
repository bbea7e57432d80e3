//! The file format of polecat bundles, both directions.
#![forbid(unsafe_code)]

pub mod manifest;
