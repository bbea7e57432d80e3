//! polecat.
fn main() {}
