//! Which of the paths and programs that are mentioned are worth taking. A mention is weak evidence: what is large or general is left,
//! unless something stronger asks for it.

use super::{Extension, add_data};
use crate::closure::broad::is_broad;
use crate::closure::error::ClosureError;
use crate::closure::follow::{Demand, Follow};
use crate::elf::is_absence;
use crate::plan::{Reason, ReasonKind};
use crate::rootfs::{Kind, Last, RootPath, RootfsError, printable};

/// Most bytes of a directory that is only mentioned.
const MAX_BYTES: u64 = 16 << 20;
/// Most bytes that a program brings that a program mentions.
const MAX_HELPER: u64 = 3 << 20;
/// Most bytes that a command of a script brings.
const MAX_COMMAND: u64 = 16 << 20;
/// Most entries of one.
const MAX_ENTRIES: usize = 4000;

/// Places that programs mention and that belong to everybody, to the caller or to the kernel: nothing in them is taken for a mention.
const LEFT_TREES: [&str; 20] = [
    "/etc/systemd",
    "/usr/lib/systemd/system",
    "/usr/lib/systemd/user",
    "/dev",
    "/proc",
    "/sys",
    "/run",
    "/tmp",
    "/home",
    "/root",
    "/boot",
    "/media",
    "/mnt",
    "/var/run",
    "/var/tmp",
    "/usr/include",
    "/usr/src",
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/locale",
];

/// More directories that are shared by many: mentioned, they are not taken as a whole, though what they hold may be mentioned by name.
const SHARED: &[&str] = &[
    "/usr/share/applications",
    "/usr/share/icons",
    "/usr/share/fonts",
    "/usr/share/info",
    "/usr/share/games",
    "/usr/share/misc",
    "/usr/share/perl5",
    "/usr/share/java",
    "/usr/share/i18n",
    "/usr/share/terminfo",
    "/usr/share/zoneinfo",
    "/usr/lib/locale",
    "/usr/lib/debug",
    "/usr/lib/python3",
    "/usr/lib/python3/dist-packages",
    "/usr/lib/systemd",
    "/var/log",
    "/var/mail",
    "/var/spool",
    "/etc/init.d",
    "/etc/default",
    "/etc/alternatives",
    "/etc/ssl",
    "/etc/xdg",
    "/etc/opt",
    "/etc/X11",
    "/var/lib/dpkg",
    "/usr/lib/debug/.build-id",
];

/// Interpreters, compilers, viewers and the like: a program that mentions one works without it, and they are large. Programs that
/// change the user cannot do so inside, and bring PAM.
const HEAVY: [&str; 46] = [
    "perl",
    "python",
    "python2",
    "python3",
    "ruby",
    "node",
    "nodejs",
    "php",
    "java",
    "javac",
    "tclsh",
    "wish",
    "guile",
    "lua",
    "gcc",
    "cc",
    "g++",
    "c++",
    "clang",
    "gdb",
    "emacs",
    "vim",
    "vi",
    "nano",
    "editor",
    "sensible-editor",
    "sensible-browser",
    "x-www-browser",
    "xdg-open",
    "firefox",
    "lynx",
    "man",
    "info",
    "mail",
    "sendmail",
    "valgrind",
    "strace",
    "systemctl",
    "dpkg",
    "apt",
    "apt-get",
    "rpm",
    "login",
    "su",
    "sudo",
    "pager",
];

/// Programs with names that are words: they are meant only where more than the name says so.
const WORDS: [&str; 89] = [
    "chmod", "chown", "mkdir", "rmdir", "pwd", "sleep", "readlink", "setsid", "flock", "truncate", "nice", "mknod",
    "mkfifo", "realpath", "dirname", "basename", "chroot", "getopt", "wall", "view", "tree", "cluster", "dot",
    "stream", "strip", "last", "echo", "printf", "dir", "file", "time", "test", "sort", "cut", "free", "display",
    "convert", "script", "users", "groups", "locale", "factor", "look", "split", "join", "install", "link", "unlink",
    "stat", "kill", "expand", "true", "false", "yes", "id", "who", "which", "env", "date", "head", "tail", "host",
    "import", "compare", "compose", "print", "less", "more", "top", "watch", "paste", "fold", "comm", "column", "col",
    "open", "select", "animate", "identify", "mount", "uptime", "write", "login", "size", "strings", "delta", "sum",
    "reset", "clear",
];

impl Extension<'_> {
    /// Adds a file, or a directory that is no larger than a mention is worth.
    pub(super) fn add_mentioned(
        &self,
        follow: &mut Follow<'_>,
        path: &RootPath,
        by: &RootPath,
    ) -> Result<(), ClosureError> {
        if is_left(path) {
            return Ok(());
        }
        let end = match follow.rootfs().resolve(path.as_bytes(), Last::Follow) {
            Ok(end) => end,
            Err(error) if is_absence(error.errno()) => return Ok(()),
            // What may not be looked at cannot be taken either.
            Err(_) => return Ok(()),
        };
        if is_left(&end.path) || is_shared(&end.path) {
            return Ok(());
        }
        let reason = Reason {
            kind: ReasonKind::PathMention,
            by: Some(by.clone()),
            detail: printable(path.as_bytes()),
        };
        match end.metadata.kind {
            Kind::File if end.metadata.mode & 0o111 != 0 && self.is_in_path(path) => {
                if is_one_of(&HEAVY, path.file_name()) || follow.cost(&end)? > MAX_HELPER {
                    return Ok(());
                }
                follow.program(path.as_bytes(), &reason, Demand::Optional, 0)
            }
            Kind::File => add_data(follow, path, &reason),
            Kind::Directory => {
                let Some(tree) = small_tree(follow, &end.path)? else {
                    return Ok(());
                };
                add_data(follow, path, &reason)?;
                for path in &tree {
                    add_data(follow, path, &reason)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Adds a program whose name is a constant and [`is_helper`].
    pub(super) fn add_helper(&self, follow: &mut Follow<'_>, name: &[u8], by: &RootPath) -> Result<(), ClosureError> {
        self.add_mentioned_command(follow, name, by, MAX_HELPER)
    }

    /// Adds a command of a script.
    pub(super) fn add_command(&self, follow: &mut Follow<'_>, name: &[u8], by: &RootPath) -> Result<(), ClosureError> {
        self.add_mentioned_command(follow, name, by, MAX_COMMAND)
    }

    fn add_mentioned_command(
        &self,
        follow: &mut Follow<'_>,
        name: &[u8],
        by: &RootPath,
        limit: u64,
    ) -> Result<(), ClosureError> {
        let name = printable(name);
        let reason = Reason {
            kind: ReasonKind::CommandMention,
            by: Some(by.clone()),
            detail: name.clone(),
        };
        self.add_program_within(follow, &name, &reason, limit)
    }

    fn is_in_path(&self, path: &RootPath) -> bool {
        self.programs.contains_key(path.file_name())
    }
}

/// Whether a constant of this name means the program: it is neither a word nor larger than a mention is worth.
pub(super) fn is_helper(name: &[u8]) -> bool {
    !is_one_of(&HEAVY, name) && !is_one_of(&WORDS, name)
}

fn is_left(path: &RootPath) -> bool {
    // Headers of an interpreter, for those who write modules.
    matches!(path.file_name(), b"CORE" | b"include")
        || LEFT_TREES.iter().any(|tree| path.is_within(&RootPath::new(tree)))
}

/// Is it a directory that many share?
pub(in crate::closure) fn is_shared(path: &RootPath) -> bool {
    is_broad(path) || SHARED.iter().any(|shared| shared.as_bytes() == path.as_bytes())
}

fn is_one_of(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|known| known.as_bytes() == name)
}

/// All below a directory; none where it is too much.
fn small_tree(follow: &Follow<'_>, directory: &RootPath) -> Result<Option<Vec<RootPath>>, RootfsError> {
    let (mut bytes, mut found, mut pending) = (0, Vec::new(), vec![directory.clone()]);
    while let Some(path) = pending.pop() {
        let entries = match follow.rootfs().read_dir(&path) {
            Ok(entries) => entries,
            // A directory that may not be read: what is in it is not for everybody.
            Err(_) => continue,
        };
        for entry in entries {
            let path = path.join(&entry.name);
            let metadata = follow.rootfs().lstat(&path)?;
            bytes += metadata.size;
            found.push(path.clone());
            if bytes > MAX_BYTES || found.len() > MAX_ENTRIES {
                return Ok(None);
            }
            if metadata.kind == Kind::Directory {
                pending.push(path);
            }
        }
    }
    found.sort_unstable();
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_and_what_is_shared() {
        for (path, left, shared) in [
            ("/dev/null", true, false),
            ("/usr/share/doc/x", true, false),
            ("/usr/lib/systemd/system", true, false),
            ("/usr/share/figlet", false, false),
            ("/usr/share", false, true),
            ("/usr/lib/x86_64-linux-gnu", false, true),
            ("/usr/lib/x86_64-linux-gnu/gconv", false, false),
        ] {
            let path = RootPath::new(path);
            assert_eq!((is_left(&path), is_shared(&path)), (left, shared), "{path}");
        }
    }
}
