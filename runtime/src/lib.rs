//! Verify, mount, isolate and supervise a bundle.

pub mod image;
#[allow(unsafe_code)]
pub mod sys;
pub mod verify;
