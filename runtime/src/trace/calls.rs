//! System calls that name files, and where in their arguments: syscalls(2). Pure.
#![cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code))]

use libc::c_long;

/// A file that a call names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    /// Where the name is.
    pub(super) name: Name,
    /// What is done with the file.
    pub(super) act: Act,
}

/// Where the name is; numbers are those of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// A path, from the working directory.
    Path(usize),
    /// A path, from the directory that the descriptor in the first argument is of.
    PathAt(usize, usize),
    /// A descriptor stands for its file.
    Descriptor(usize),
    /// An address of a socket, and its length.
    Address(usize, usize),
}

/// What is done with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Opened, with flags of open(2).
    Open(Flags),
    /// Executed.
    Execute,
    /// Looked at or changed: it must be there.
    Look,
    /// Its entries are read.
    List,
    /// Made: its directory must be there.
    Make,
}

/// Where the flags are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flags {
    /// In this argument.
    Argument(usize),
    /// In the `struct open_how` that this argument points to.
    How(usize),
    /// Always those of creat(2).
    Create,
}

const fn path(name: usize, act: Act) -> Named {
    Named {
        name: Name::Path(name),
        act,
    }
}

const fn at(directory: usize, name: usize, act: Act) -> Named {
    Named {
        name: Name::PathAt(directory, name),
        act,
    }
}

const fn look(name: usize) -> Named {
    path(name, Act::Look)
}

const fn look_at(directory: usize, name: usize) -> Named {
    at(directory, name, Act::Look)
}

const fn address(act: Act) -> Named {
    Named {
        name: Name::Address(1, 2),
        act,
    }
}

const LIST: Named = Named {
    name: Name::Descriptor(0),
    act: Act::List,
};

/// Calls that both architectures have.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const COMMON: &[(c_long, &[Named])] = &[
    (libc::SYS_openat, &[at(0, 1, Act::Open(Flags::Argument(2)))]),
    (libc::SYS_openat2, &[at(0, 1, Act::Open(Flags::How(2)))]),
    (libc::SYS_execve, &[path(0, Act::Execute)]),
    (libc::SYS_execveat, &[at(0, 1, Act::Execute)]),
    (libc::SYS_newfstatat, &[look_at(0, 1)]),
    (libc::SYS_statx, &[look_at(0, 1)]),
    (libc::SYS_faccessat, &[look_at(0, 1)]),
    (libc::SYS_faccessat2, &[look_at(0, 1)]),
    (libc::SYS_readlinkat, &[look_at(0, 1)]),
    (libc::SYS_name_to_handle_at, &[look_at(0, 1)]),
    (libc::SYS_fchmodat, &[look_at(0, 1)]),
    (libc::SYS_fchownat, &[look_at(0, 1)]),
    (libc::SYS_utimensat, &[look_at(0, 1)]),
    (libc::SYS_unlinkat, &[look_at(0, 1)]),
    (libc::SYS_truncate, &[look(0)]),
    (libc::SYS_chdir, &[look(0)]),
    (libc::SYS_chroot, &[look(0)]),
    (libc::SYS_statfs, &[look(0)]),
    (libc::SYS_getxattr, &[look(0)]),
    (libc::SYS_lgetxattr, &[look(0)]),
    (libc::SYS_listxattr, &[look(0)]),
    (libc::SYS_llistxattr, &[look(0)]),
    (libc::SYS_setxattr, &[look(0)]),
    (libc::SYS_lsetxattr, &[look(0)]),
    (libc::SYS_removexattr, &[look(0)]),
    (libc::SYS_lremovexattr, &[look(0)]),
    (libc::SYS_inotify_add_watch, &[look(1)]),
    (libc::SYS_getdents64, &[LIST]),
    (libc::SYS_mkdirat, &[at(0, 1, Act::Make)]),
    (libc::SYS_mknodat, &[at(0, 1, Act::Make)]),
    (libc::SYS_symlinkat, &[at(1, 2, Act::Make)]),
    (libc::SYS_linkat, &[look_at(0, 1), at(2, 3, Act::Make)]),
    (libc::SYS_renameat2, &[look_at(0, 1), at(2, 3, Act::Make)]),
    (libc::SYS_bind, &[address(Act::Make)]),
    (libc::SYS_connect, &[address(Act::Look)]),
];

/// Those that only the older one has.
#[cfg(target_arch = "x86_64")]
const OLD: &[(c_long, &[Named])] = &[
    (libc::SYS_open, &[path(0, Act::Open(Flags::Argument(1)))]),
    (libc::SYS_creat, &[path(0, Act::Open(Flags::Create))]),
    (libc::SYS_stat, &[look(0)]),
    (libc::SYS_lstat, &[look(0)]),
    (libc::SYS_access, &[look(0)]),
    (libc::SYS_readlink, &[look(0)]),
    (libc::SYS_chmod, &[look(0)]),
    (libc::SYS_chown, &[look(0)]),
    (libc::SYS_lchown, &[look(0)]),
    (libc::SYS_utime, &[look(0)]),
    (libc::SYS_utimes, &[look(0)]),
    (libc::SYS_futimesat, &[look_at(0, 1)]),
    (libc::SYS_unlink, &[look(0)]),
    (libc::SYS_rmdir, &[look(0)]),
    (libc::SYS_getdents, &[LIST]),
    (libc::SYS_mkdir, &[path(0, Act::Make)]),
    (libc::SYS_mknod, &[path(0, Act::Make)]),
    (libc::SYS_symlink, &[path(1, Act::Make)]),
    (libc::SYS_link, &[look(0), path(1, Act::Make)]),
    (libc::SYS_rename, &[look(0), path(1, Act::Make)]),
    (libc::SYS_renameat, &[look_at(0, 1), at(2, 3, Act::Make)]),
];

#[cfg(target_arch = "aarch64")]
const OLD: &[(c_long, &[Named])] = &[(libc::SYS_renameat, &[look_at(0, 1), at(2, 3, Act::Make)])];

/// Of other architectures nothing is known, and `filter` makes no program for them.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const COMMON: &[(c_long, &[Named])] = &[];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const OLD: &[(c_long, &[Named])] = &[];

fn all() -> impl Iterator<Item = &'static (c_long, &'static [Named])> {
    COMMON.iter().chain(OLD)
}

/// Numbers of the calls that are announced.
pub(super) fn numbers() -> impl Iterator<Item = c_long> {
    all().map(|(number, _)| *number)
}

/// The files that the call with this number names.
pub(super) fn named(number: c_long) -> &'static [Named] {
    all()
        .find(|(known, _)| *known == number)
        .map_or(&[], |(_, named)| named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_call_stands_there_once_and_names_arguments_that_there_are() {
        let unique: HashSet<c_long> = numbers().collect();
        assert_eq!(unique.len(), numbers().count());
        for number in numbers() {
            assert!(!named(number).is_empty());
            for named in named(number) {
                let highest = match named.name {
                    Name::Path(name) | Name::Descriptor(name) => name,
                    Name::PathAt(directory, name) | Name::Address(directory, name) => directory.max(name),
                };
                assert!(highest < 6, "{named:?}");
            }
        }
        assert_eq!(named(libc::SYS_read), []);
    }
}
