//! How large the shipped executables are.

use crate::error::Error;
use crate::{build, programs};

/// Prints the size of the packer and what it says of the stub inside it.
pub(crate) fn print() -> Result<(), Error> {
    let packer = build::packer()?;
    let bytes = std::fs::metadata(&packer).map_err(Error::file("read", &packer))?.len();
    println!("{bytes:>10}  {}", packer.display());
    print!(
        "{}",
        programs::output(std::process::Command::new(&packer).arg("--version"))?
    );
    Ok(())
}
