//! Images mounted by the kernel, served through FUSE and unpacked, beside the trees they were made of.

#[path = "../support/mod.rs"]
mod support;

mod hostile;
mod mounts;
mod tampering;
mod trees;
mod verification;
