//! What the tests of images share.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod bundles;
pub(crate) mod needs;
pub(crate) mod snapshot;
pub(crate) mod source;
