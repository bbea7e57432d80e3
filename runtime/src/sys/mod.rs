//! Every line of unsafe code: what neither nix nor caps wraps.

pub mod loop_device;
