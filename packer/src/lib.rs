//! polecat: from a root file system and a command to one signed file.
//!
//! The pipeline, in the order of the modules: [`rootfs`] answers every look-up inside the tree, [`elf`] and [`ldso`] say what a file
//! needs and where the loader finds it, [`closure`] follows that to the end, [`plan`] is the result as a value, [`image`] writes it as a
//! squashfs and [`seal`] makes the signed file of it; [`export`] writes it in the formats of others. [`trace`] is what a command was seen
//! to use, for the closure, and [`script`] what is installed before it.
#![forbid(unsafe_code)]

pub mod cli;
pub mod closure;
pub mod difference;
pub mod elf;
pub mod evidence;
pub mod export;
pub mod image;
pub mod inventory;
pub mod known_paths;
pub mod ldso;
pub mod listing;
pub mod options;
pub mod packages;
pub mod plan;
pub mod reasons;
pub mod rootfs;
pub mod rules;
pub mod sbom;
pub mod script;
pub mod seal;
pub mod section;
pub mod stubs;
pub mod trace;
