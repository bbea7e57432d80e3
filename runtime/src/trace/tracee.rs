//! Reading what a waiting call names out of its process.

use std::fs;
use std::io::IoSliceMut;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::calls::{Flags, Name};
use super::place::join;

/// Longest path with its NUL byte, `linux/limits.h`.
const PATH_MAX: usize = 4096;
/// No page is smaller, and what can be read at all can be read to the end of its page.
const PAGE: usize = 4096;

/// A thread whose call waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracee<'a> {
    pub(super) thread: Pid,
    pub(super) arguments: &'a [u64; 6],
}

impl Tracee<'_> {
    /// The path, as seen from the root; none where the name is no path: a null pointer, an empty string, a pipe.
    pub(super) fn path(self, name: Name) -> Option<PathBuf> {
        let name = match name {
            Name::Path(name) => return self.resolve(None, &self.string(name)?),
            Name::PathAt(directory, name) => return self.resolve(Some(directory), &self.string(name)?),
            Name::Descriptor(number) => return self.directory(number),
            Name::Address(address, length) => self.address(address, length)?,
        };
        self.resolve(None, &name)
    }

    /// The flags of open(2).
    pub(super) fn flags(self, flags: Flags) -> i32 {
        let low = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0).cast_signed();
        match flags {
            Flags::Argument(number) => low(self.arguments[number]),
            Flags::How(number) => {
                let bytes = self.bytes(self.arguments[number], 8).unwrap_or_default();
                low(bytes.try_into().map_or(0, u64::from_ne_bytes))
            }
            Flags::Create => libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC,
        }
    }

    fn resolve(self, directory: Option<usize>, name: &[u8]) -> Option<PathBuf> {
        if name.is_empty() {
            return None;
        }
        let start = if name.starts_with(b"/") {
            // Its own where it is in a chroot.
            self.link("root")?
        } else {
            match directory {
                Some(number) => self.directory(number)?,
                None => self.link("cwd")?,
            }
        };
        let name = name.strip_prefix(b"/").unwrap_or(name);
        Some(join(&start, name))
    }

    /// The directory that a descriptor stands for.
    fn directory(self, number: usize) -> Option<PathBuf> {
        let number = u32::try_from(self.arguments[number] & u64::from(u32::MAX))
            .ok()?
            .cast_signed();
        if number == libc::AT_FDCWD {
            return self.link("cwd");
        }
        self.link(&format!("fd/{number}"))
    }

    /// A link of proc_pid(5) that leads to something that has a path, and still has it.
    fn link(self, name: &str) -> Option<PathBuf> {
        let path = fs::read_link(format!("/proc/{}/{name}", self.thread)).ok()?;
        (path.is_absolute() && !path.as_os_str().as_bytes().ends_with(b" (deleted)")).then_some(path)
    }

    /// The string that an argument points to.
    fn string(self, number: usize) -> Option<Vec<u8>> {
        let mut string = Vec::new();
        let mut address = self.arguments[number];
        while string.len() < PATH_MAX {
            let offset = usize::try_from(address).ok()? % PAGE;
            let part = self.bytes(address, PAGE - offset)?;
            if let Some(end) = part.iter().position(|&byte| byte == 0) {
                string.extend_from_slice(&part[..end]);
                return (string.len() < PATH_MAX).then_some(string);
            }
            address = address.checked_add(part.len() as u64)?;
            string.extend(part);
        }
        None
    }

    /// The path of a Unix socket, unix(7); none for one without a path.
    fn address(self, address: usize, length: usize) -> Option<Vec<u8>> {
        let length = usize::try_from(self.arguments[length] & u64::from(u32::MAX)).ok()?;
        let bytes = self.bytes(self.arguments[address], length.min(size_of::<libc::sockaddr_un>()))?;
        socket_path(&bytes)
    }

    fn bytes(self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        let remote = RemoteIoVec {
            base: usize::try_from(address).ok()?,
            len: length,
        };
        let read = process_vm_readv(self.thread, &mut [IoSliceMut::new(&mut bytes)], &[remote]).ok()?;
        (read == length && length > 0).then_some(bytes)
    }
}

fn socket_path(address: &[u8]) -> Option<Vec<u8>> {
    let (family, path) = address.split_at_checked(2)?;
    let is_unix = i32::from(u16::from_ne_bytes(family.try_into().ok()?)) == libc::AF_UNIX;
    let path = path.split(|&byte| byte == 0).next()?;
    // One that begins with NUL has no file.
    (is_unix && !path.is_empty()).then(|| path.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::getpid;
    use std::path::Path;

    #[test]
    fn addresses_of_sockets() {
        let unix = u16::try_from(libc::AF_UNIX).unwrap().to_ne_bytes();
        let inet = u16::try_from(libc::AF_INET).unwrap().to_ne_bytes();
        for (family, rest, expected) in [
            (unix, &b"/run/x\0\0"[..], Some(&b"/run/x"[..])),
            (unix, b"x", Some(b"x")),
            (unix, b"\0abstract", None),
            (unix, b"", None),
            (inet, b"/run/x\0", None),
        ] {
            let address = [&family[..], rest].concat();
            assert_eq!(socket_path(&address).as_deref(), expected, "{rest:?}");
        }
        assert_eq!(socket_path(b"\x01"), None);
    }

    #[test]
    fn strings_of_a_process() {
        let words = [c"/usr/lib", c"", c"relative"];
        let long = std::ffi::CString::new(vec![b'x'; 5000]).unwrap();
        let mut arguments = [0; 6];
        for (argument, word) in arguments.iter_mut().zip(words.iter().copied().chain([long.as_c_str()])) {
            *argument = word.as_ptr().addr() as u64;
        }
        let tracee = Tracee {
            thread: getpid(),
            arguments: &arguments,
        };
        assert_eq!(tracee.string(0).as_deref(), Some(&b"/usr/lib"[..]));
        assert_eq!(tracee.path(Name::Path(0)).as_deref(), Some(Path::new("/usr/lib")));
        assert_eq!(tracee.path(Name::Path(1)), None);
        let expected = std::env::current_dir().unwrap().join("relative");
        assert_eq!(tracee.path(Name::Path(2)), Some(expected));
        assert_eq!(tracee.string(3), None, "longer than any path");
        assert_eq!(tracee.string(4), None, "a null pointer");
    }
}
