//! Whom the host trusts: its certificates, and what is wrong with them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{HostError, read_regular};
use crate::debug::Trace;
use crate::directory;
use crate::error::errno;
use crate::root::contract::certificates::{Certificates, is_hash};

/// The first of `files` that is there, and the certificates in the first of `directories` that holds any: those as far as they are `all`
/// that is to be trusted, or there is no file.
///
/// # Errors
/// Something that cannot be read. Unless it is `all` that is to be trusted, it is left out and told.
#[inline(never)]
pub(super) fn trusted(
    files: &[&str],
    directories: &[&str],
    all: bool,
    trace: Trace,
) -> Result<Certificates, HostError> {
    let mut found = Certificates::default();
    for path in files.iter().map(Path::new) {
        match regular(path) {
            Ok(file) => found.file = file,
            Err(errno) => leave_out(path, errno, all, trace)?,
        }
        if found.file.is_some() {
            break;
        }
    }
    for directory in directories.iter().map(Path::new) {
        if !found.hashed.is_empty() || (found.file.is_some() && !all) {
            break;
        }
        let names = match directory::names(directory) {
            Ok(names) => names,
            Err(errno) => {
                leave_out(directory, errno, all, trace)?;
                continue;
            }
        };
        for name in names {
            if !is_hash(name.as_bytes()) {
                continue;
            }
            let path = directory.join(&name);
            match read_regular(&path, 0) {
                Ok(Some(contents)) => found.hashed.push((name, contents)),
                Ok(None) => {}
                Err(errno) => leave_out(&path, errno, all, trace)?,
            }
        }
    }
    if all && found.file.is_none() && found.hashed.is_empty() {
        trace.say(format_args!(
            "ca=host: the host trusts nobody, and the image's certificates stay"
        ));
    }
    Ok(found)
}

/// Goes on without what is at `path`, or not. Nothing is there behind a link that leads nowhere.
#[inline(never)]
fn leave_out(path: &Path, errno: Errno, all: bool, trace: Trace) -> Result<(), HostError> {
    if matches!(errno, Errno::ENOENT | Errno::ENOTDIR) {
        return Ok(());
    }
    let path = path.to_owned();
    let error = HostError::Certificates { path, errno };
    if all {
        return Err(error);
    }
    trace.say(format_args!("{error}"));
    Ok(())
}

/// Where the file behind `path` really is. One without contents is none.
fn regular(path: &Path) -> Result<Option<PathBuf>, Errno> {
    let real = fs::canonicalize(path).map_err(|error| errno(&error))?;
    let known = fs::metadata(&real).map_err(|error| errno(&error))?;
    Ok((known.is_file() && known.len() > 0).then_some(real))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;
    use crate::host::LONGEST_FILE;

    /// What is found below `top`: whether there is a file, and the names, in order; or the errno.
    fn found(top: &Path, all: bool) -> Result<(bool, Vec<OsString>), Errno> {
        let below = |names: [&str; 3]| names.map(|name| top.join(name).display().to_string());
        let (files, directories) = (
            below(["none.crt", "file/x", "all.crt"]),
            below(["none", "file", "certs"]),
        );
        let [files, directories] = [&files, &directories].map(|paths| paths.each_ref().map(String::as_str));
        match trusted(&files, &directories, all, Trace::default()) {
            Ok(found) => {
                let mut names: Vec<_> = found.hashed.into_iter().map(|(name, _)| name).collect();
                names.sort();
                Ok((found.file.is_some(), names))
            }
            Err(HostError::Certificates { errno, .. }) => Err(errno),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_not_there_is_none_and_what_cannot_be_read_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        let top = scratch.path();
        fs::write(top.join("file"), "").unwrap();
        assert_eq!(found(top, true), Ok((false, Vec::new())));
        let certs = top.join("certs");
        fs::create_dir(&certs).unwrap();
        fs::create_dir(certs.join("00000000.0")).unwrap();
        mkfifo(&certs.join("00000001.0"), Mode::S_IRWXU).unwrap();
        symlink("nowhere", certs.join("00000002.0")).unwrap();
        symlink("/etc/passwd/x", certs.join("00000003.0")).unwrap();
        let _socket = UnixListener::bind(certs.join("00000004.0")).unwrap();
        fs::write(certs.join("README"), "no hash").unwrap();
        assert_eq!(found(top, true), Ok((false, Vec::new())));
        fs::write(certs.join("0a0b0c0d.0"), "x").unwrap();
        symlink("0a0b0c0d.0", certs.join("0a0b0c0e.1")).unwrap();
        let both = ["0a0b0c0d.0", "0a0b0c0e.1"].map(OsString::from).to_vec();
        assert_eq!(found(top, true), Ok((false, both.clone())));
        assert_eq!(found(top, false), Ok((false, both.clone())));
        let all = top.join("all.crt");
        fs::write(&all, "").unwrap();
        assert_eq!(found(top, false), Ok((false, both.clone())), "it is empty");
        fs::write(&all, "x").unwrap();
        assert_eq!(found(top, true), Ok((true, both.clone())));
        assert_eq!(found(top, false), Ok((true, Vec::new())), "the file is enough");
        fs::remove_file(&all).unwrap();
        // A part of what is trusted is not what is trusted.
        symlink("ffffffff.0", certs.join("ffffffff.0")).unwrap();
        assert_eq!(found(top, true), Err(Errno::ELOOP));
        assert_eq!(found(top, false), Ok((false, both.clone())));
        fs::remove_file(certs.join("ffffffff.0")).unwrap();
        File::create(certs.join("ffffffff.0"))
            .unwrap()
            .set_len(LONGEST_FILE + 1)
            .unwrap();
        assert_eq!(found(top, true), Err(Errno::EFBIG));
        // The directory itself, and the file.
        for odd in ["none", "none.crt"] {
            fs::remove_file(certs.join("ffffffff.0")).unwrap_or_default();
            symlink(odd, top.join(odd)).unwrap();
            assert_eq!(found(top, true), Err(Errno::ELOOP), "{odd}");
            assert_eq!(found(top, false), Ok((false, both.clone())), "{odd}");
            fs::remove_file(top.join(odd)).unwrap();
        }
    }
}
