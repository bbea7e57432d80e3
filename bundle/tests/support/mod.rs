//! What the tests of the format share. Each test file uses its part of it.
#![allow(dead_code, unreachable_pub)]

pub mod fixtures;
pub mod forge;
pub mod judge;
pub mod random;
pub mod sample;
