//! `rpmdb.sqlite`: a header in each row of the table `Packages`.
//!
//! SQLite wants a path. The database is copied out of the tree, with what is still in its write-ahead log, so that neither a link nor
//! a lock leads anywhere else.

use std::fs::File;
use std::io;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::super::PackagesError;
use crate::rootfs::{RootPath, Rootfs, RootfsError, errno_of};

/// Most packages that are read.
const MAX_PACKAGES: usize = 1 << 20;

/// Hands each header to `take`.
pub(super) fn read(rootfs: &Rootfs, path: &RootPath, take: &mut dyn FnMut(&[u8])) -> Result<(), PackagesError> {
    let directory = tempfile::tempdir().map_err(|error| PackagesError::Copy {
        problem: error.to_string(),
    })?;
    copy(rootfs, path, &directory, "rpmdb.sqlite")?;
    let log = RootPath::new([path.as_bytes(), b"-wal"].concat());
    match copy(rootfs, &log, &directory, "rpmdb.sqlite-wal") {
        Err(PackagesError::Rootfs(error)) if error.is_not_found() => {}
        result => result?,
    }
    headers(&directory, take).map_err(|error| PackagesError::Sqlite {
        path: path.clone(),
        problem: error.to_string(),
    })
}

fn copy(rootfs: &Rootfs, from: &RootPath, directory: &TempDir, name: &str) -> Result<(), PackagesError> {
    let mut source = rootfs.open_file(from)?;
    let fault = |error: io::Error| PackagesError::Copy {
        problem: error.to_string(),
    };
    let mut target = File::create_new(directory.path().join(name)).map_err(fault)?;
    io::copy(&mut source, &mut target).map(drop).map_err(|error| {
        RootfsError::Read {
            path: from.clone(),
            errno: errno_of(&error),
        }
        .into()
    })
}

fn headers(directory: &TempDir, take: &mut dyn FnMut(&[u8])) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(directory.path().join("rpmdb.sqlite"), flags)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // A view of this name could be a program.
    let kind = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'Packages' AND sql NOT LIKE '%VIRTUAL%'";
    connection.query_row(kind, (), |_| Ok(()))?;
    let mut statement = connection.prepare("SELECT blob FROM Packages ORDER BY hnum")?;
    let mut rows = statement.query(())?;
    for _ in 0..MAX_PACKAGES {
        let Some(row) = rows.next()? else { break };
        take(row.get_ref(0)?.as_blob()?);
    }
    Ok(())
}
