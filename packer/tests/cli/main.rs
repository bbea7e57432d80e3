//! The command line, through the real executable: what is printed, where, and with which status.

mod bundles;
#[path = "../common/mod.rs"]
mod common;
mod desk;
mod keys;
mod packing;
mod refusals;
