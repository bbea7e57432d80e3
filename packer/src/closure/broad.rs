//! Directories that hold the whole system. Who lists one of them, or names it, looks for something in it and does not want all of it.

use crate::rootfs::RootPath;

/// Directories that hold the whole system.
const BROAD: [&str; 32] = [
    "/",
    "/bin",
    "/boot",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/sbin",
    "/srv",
    "/usr",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/cache",
    "/var/lib",
];

/// Directories of which each architecture has one.
const ABOVE_TRIPLES: [&str; 3] = ["/lib", "/usr/lib", "/usr/local/lib"];

/// Is it one of them?
pub(super) fn is_broad(directory: &RootPath) -> bool {
    let is = |path: &RootPath, known: &[&str]| known.iter().any(|known| known.as_bytes() == path.as_bytes());
    let is_triple = || {
        let name = directory.file_name();
        let parent = directory.parent();
        parent.is_some_and(|parent| is(&parent, &ABOVE_TRIPLES)) && name.windows(7).any(|part| part == b"-linux-")
    };
    is(directory, &BROAD) || is_triple()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broad_directories() {
        assert!(BROAD.is_sorted());
        for (path, expected) in [
            ("/", true),
            ("/usr", true),
            ("/usr/lib", true),
            ("/usr/lib/x86_64-linux-gnu", true),
            ("/usr/lib/i386-linux-gnu", true),
            ("/lib/aarch64-linux-musl", true),
            ("/usr/lib/python3.11", false),
            ("/usr/lib/x86_64-linux-gnu/gconv", false),
            ("/opt/x86_64-linux-gnu", false),
            ("/etc", true),
            ("/etc/apt", false),
        ] {
            assert_eq!(is_broad(&RootPath::new(path)), expected, "{path}");
        }
    }
}
