//! Images made by mksquashfs, by backhand and by hand, read back and judged by the tree they were made of, by the
//! kernel's squashfs and by unsquashfs.

mod craft;
mod directories;
mod files;
mod hostile;
mod large;
mod laziness;
mod lies;
mod packers;
mod requirement;
mod round_trip;
mod snapshot;
mod tree;
