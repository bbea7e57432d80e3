//! What a loader was built with, read from its own file: distributions differ in the default directories, in what `$LIB` means and
//! in where the cache is, and nothing but the loader knows.
//!
//! These are string constants in its read-only data. glibc keeps `system_dirs` (`elf/dl-load.c`, from `trusted-dirs.h`) as strings
//! one behind the other, each with a slash at both ends; `LD_SO_CACHE` and the names of the glibc-hwcaps subdirectories are
//! ordinary strings. Where a constant is not found the value is derived from where the loader lies.

use crate::rootfs::RootPath;

/// What a glibc loader was built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlibcBuild {
    /// Default directories in the order they are searched, each with a slash at its end.
    pub system_dirs: Vec<Vec<u8>>,
    /// What `$LIB` stands for.
    pub lib: Vec<u8>,
    /// Path of the cache.
    pub cache: Vec<u8>,
    /// Path of the preload list.
    pub preload: Vec<u8>,
    /// Names of the glibc-hwcaps subdirectories it knows, best first.
    pub hwcaps: Vec<Vec<u8>>,
    /// Knows the older scheme of processor-specific directories: glibc before 2.37.
    pub legacy_hwcaps: bool,
}

impl GlibcBuild {
    /// For a loader that is not known, at `path`: the usual directories of its place, no cache.
    pub(super) fn by_place(path: &RootPath) -> Self {
        Self {
            cache: Vec::new(),
            preload: Vec::new(),
            legacy_hwcaps: false,
            ..glibc(&[], path)
        }
    }
}

/// What a musl loader was built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuslBuild {
    /// Its name for the machine, as in `/etc/ld-musl-x86_64.path`.
    pub architecture: Vec<u8>,
    /// Directories searched where there is no path file, separated by colons.
    pub system_path: Vec<u8>,
}

/// The two loaders that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Build {
    /// GNU C library.
    Glibc(GlibcBuild),
    /// musl.
    Musl(MuslBuild),
}

impl Build {
    /// Tells the loader whose file has these bytes, found at `path`; none where it is neither.
    pub fn recognise(bytes: &[u8], path: &RootPath) -> Option<Self> {
        let strings: Vec<&[u8]> = c_strings(bytes).collect();
        if let Some(format) = strings.iter().find_map(|string| find(string, b"/etc/ld-musl-")) {
            return Some(Self::Musl(musl(&strings, format)));
        }
        let is_glibc = strings
            .iter()
            .any(|string| string.starts_with(b"glibc-ld.so.cache") || string.ends_with(b"/ld.so.cache"));
        is_glibc.then(|| Self::Glibc(glibc(&strings, path)))
    }
}

/// `format` is what follows `/etc/ld-musl-` in the constant `%.*s/etc/ld-musl-ARCH.path`.
fn musl(strings: &[&[u8]], format: &[u8]) -> MuslBuild {
    let default = |string: &&&[u8]| string.starts_with(b"/lib:/");
    MuslBuild {
        architecture: format.strip_suffix(b".path").unwrap_or(format).to_vec(),
        system_path: strings
            .iter()
            .find(default)
            .map_or_else(|| b"/lib:/usr/local/lib:/usr/lib".to_vec(), |string| string.to_vec()),
    }
}

fn glibc(strings: &[&[u8]], path: &RootPath) -> GlibcBuild {
    let system_dirs = system_dirs(strings).unwrap_or_else(|| dirs_by_place(path));
    let ending = |end: &[u8]| {
        strings
            .iter()
            .find(|string| string.starts_with(b"/") && string.ends_with(end))
            .map(|string| string.to_vec())
    };
    let names_legacy = |string: &&[u8]| find(string, b"Legacy HWCAP subdirectories").is_some();
    let knows_new = strings.iter().any(|string| find(string, b"glibc-hwcaps").is_some());
    GlibcBuild {
        lib: lib_token(&system_dirs),
        system_dirs,
        cache: ending(b"/ld.so.cache").unwrap_or_else(|| b"/etc/ld.so.cache".to_vec()),
        preload: ending(b"/ld.so.preload").unwrap_or_else(|| b"/etc/ld.so.preload".to_vec()),
        hwcaps: hwcaps(strings),
        legacy_hwcaps: !knows_new || strings.iter().any(names_legacy),
    }
}

/// The longest run of neighbouring strings that are directories with a slash at both ends and a `lib` in them.
fn system_dirs(strings: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let runs = strings.chunk_by(|a, b| is_library_directory(a) == is_library_directory(b));
    let candidates = runs.filter(|run| run.first().is_some_and(|first| is_library_directory(first)));
    // The first of equals: the constant stands more than once in some builds.
    let longest = candidates.reduce(|best, run| if run.len() > best.len() { run } else { best })?;
    Some(longest.iter().map(|string| string.to_vec()).collect())
}

fn is_library_directory(string: &[u8]) -> bool {
    let is_directory = string.starts_with(b"/") && string.ends_with(b"/") && !string.contains(&b'%');
    is_directory && string.split(|&byte| byte == b'/').any(|name| name.starts_with(b"lib"))
}

/// Default directories of a loader without the constant: those of its multiarch triplet, or of `lib64`, or `lib`.
fn dirs_by_place(path: &RootPath) -> Vec<Vec<u8>> {
    let directory = path.parent().unwrap_or_else(RootPath::root);
    let name = String::from_utf8_lossy(directory.file_name()).into_owned();
    let dirs = match name.as_str() {
        "lib64" | "libx32" | "lib32" => vec![format!("/{name}/"), format!("/usr/{name}/")],
        triplet if triplet.contains("-linux-") => {
            vec![
                format!("/lib/{triplet}/"),
                format!("/usr/lib/{triplet}/"),
                "/lib/".into(),
                "/usr/lib/".into(),
            ]
        }
        _ => vec!["/lib/".into(), "/usr/lib/".into()],
    };
    dirs.into_iter().map(String::into_bytes).collect()
}

/// DL_DST_LIB: the first default directory as seen from its prefix, `lib/TRIPLET` on Debian, else its last component.
fn lib_token(system_dirs: &[Vec<u8>]) -> Vec<u8> {
    let first = system_dirs.first().map(Vec::as_slice).unwrap_or_default();
    let first = first.strip_suffix(b"/").unwrap_or(first);
    let below = first.strip_prefix(b"/usr").unwrap_or(first);
    match below.strip_prefix(b"/") {
        Some(lib) if lib.starts_with(b"lib") => lib.to_vec(),
        _ => first.rsplit(|&byte| byte == b'/').next().unwrap_or(b"lib").to_vec(),
    }
}

/// `_dl_hwcaps_subdirs`: the names joined by colons.
fn hwcaps(strings: &[&[u8]]) -> Vec<Vec<u8>> {
    let plain = |string: &[u8]| {
        string
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':'))
    };
    let known: [&[u8]; 3] = [b"x86-64-v2", b"power9", b"z13"];
    let list = strings
        .iter()
        .find(|string| plain(string) && string.split(|&byte| byte == b':').any(|name| known.contains(&name)));
    list.map(|list| list.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect())
        .unwrap_or_default()
}

/// What follows `needle` in `string`.
fn find<'a>(string: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    let start = string.windows(needle.len()).position(|window| window == needle)?;
    Some(&string[start + needle.len()..])
}

/// The printable NUL-terminated strings of at least two characters, in order. What lies between two NULs and is not all printable
/// yields its printable end: a string may stand behind binary data.
fn c_strings(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == 0).filter_map(|piece| {
        let start = piece
            .iter()
            .rposition(|byte| !matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
            .map_or(0, |last| last + 1);
        Some(&piece[start..]).filter(|string| string.len() >= 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(strings: &[&str]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x01\x02\x03\x00\xff\xfe".to_vec();
        for string in strings {
            bytes.extend_from_slice(string.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    fn glibc_of(strings: &[&str], path: &str) -> GlibcBuild {
        match Build::recognise(&file(strings), &RootPath::new(path)) {
            Some(Build::Glibc(build)) => build,
            other => panic!("not glibc: {other:?}"),
        }
    }

    #[test]
    fn debian_multiarch() {
        let dirs = [
            "/lib/x86_64-linux-gnu/",
            "/usr/lib/x86_64-linux-gnu/",
            "/lib/",
            "/usr/lib/",
        ];
        let strings = [
            &["x", "/proc/self/"],
            &dirs[..],
            &["/etc/ld.so.cache", "glibc-ld.so.cache1.1", "glibc-hwcaps/"],
        ]
        .concat();
        let build = glibc_of(
            &[strings, vec!["x86-64-v4:x86-64-v3:x86-64-v2"]].concat(),
            "/lib/x86_64-linux-gnu/ld.so",
        );
        assert_eq!(build.system_dirs.last().map(Vec::as_slice), Some(&b"/usr/lib/"[..]));
        assert_eq!(build.lib, b"lib/x86_64-linux-gnu");
        assert_eq!(build.cache, b"/etc/ld.so.cache");
        assert_eq!(build.hwcaps, [b"x86-64-v4", b"x86-64-v3", b"x86-64-v2"]);
        assert!(!build.legacy_hwcaps);
    }

    #[test]
    fn other_layouts() {
        let cache = "/etc/ld.so.cache";
        for (strings, path, dirs, lib) in [
            (
                vec!["/lib64/", "/usr/lib64/", "q", cache],
                "/usr/lib64/ld-linux-x86-64.so.2",
                "/lib64/ /usr/lib64/",
                "lib64",
            ),
            (
                vec!["/usr/lib/", "q", cache],
                "/usr/lib/ld-linux-x86-64.so.2",
                "/usr/lib/",
                "lib",
            ),
            (
                vec![
                    "/nix/store/abc-glibc-2.39/lib/",
                    "q",
                    "/nix/store/abc-glibc-2.39/etc/ld.so.cache",
                ],
                "/nix/store/abc-glibc-2.39/lib/ld-linux-x86-64.so.2",
                "/nix/store/abc-glibc-2.39/lib/",
                "lib",
            ),
            (vec![cache], "/lib64/ld-2.17.so", "/lib64/ /usr/lib64/", "lib64"),
            (vec![cache], "/lib/ld-linux.so.2", "/lib/ /usr/lib/", "lib"),
            (
                vec![cache],
                "/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
                "/lib/aarch64-linux-gnu/ /usr/lib/aarch64-linux-gnu/ /lib/ /usr/lib/",
                "lib/aarch64-linux-gnu",
            ),
        ] {
            let build = glibc_of(&strings, path);
            let found: Vec<_> = build
                .system_dirs
                .iter()
                .map(|dir| String::from_utf8_lossy(dir))
                .collect();
            assert_eq!(found.join(" "), dirs, "{path}");
            assert_eq!(build.lib, lib.as_bytes(), "{path}");
            assert!(build.cache.ends_with(b"/etc/ld.so.cache"));
            assert!(build.legacy_hwcaps);
        }
    }

    #[test]
    fn musl_names_its_machine() {
        let bytes = file(&["/lib:/usr/local/lib:/usr/lib", "%.*s/etc/ld-musl-x86_64.path"]);
        let expected = MuslBuild {
            architecture: b"x86_64".to_vec(),
            system_path: b"/lib:/usr/local/lib:/usr/lib".to_vec(),
        };
        assert_eq!(
            Build::recognise(&bytes, &RootPath::new("/lib/x")),
            Some(Build::Musl(expected))
        );
    }

    #[test]
    fn neither() {
        assert_eq!(
            Build::recognise(&file(&["/lib/", "hello"]), &RootPath::new("/lib/x")),
            None
        );
    }
}
