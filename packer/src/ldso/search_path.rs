//! Lists of directories as they stand in RPATH, RUNPATH and musl's path file.

use super::tokens::{Tokens, expand};

/// The directories of an RPATH or RUNPATH in order, each with a slash at its end, or empty for the working directory: glibc's
/// `fillin_rpath`. Parts with a token that has no value are left out, repetitions as well.
pub(super) fn glibc_directories(list: &[u8], tokens: Tokens<'_>) -> Vec<Vec<u8>> {
    let mut directories: Vec<Vec<u8>> = Vec::new();
    if list.is_empty() {
        return directories;
    }
    for part in list.split(|&byte| byte == b':') {
        let Some(mut directory) = expand(part, tokens) else {
            continue;
        };
        if directory.is_empty() && !part.is_empty() {
            continue;
        }
        while directory.len() > 1 && directory.ends_with(b"/") {
            directory.pop();
        }
        if !directory.is_empty() && !directory.ends_with(b"/") {
            directory.push(b'/');
        }
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// The directories of a musl path in order: separated by colons and newlines, empty ones skipped: `path_open`.
pub(super) fn musl_directories(list: &[u8]) -> Vec<Vec<u8>> {
    let parts = list.split(|byte| matches!(byte, b':' | b'\n'));
    parts.filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Replaces `$ORIGIN` in a musl RPATH; none where there is another `$`: then the whole path is ignored, `fixup_rpath`.
pub(super) fn musl_rpath(list: &[u8], origin: &[u8]) -> Option<Vec<u8>> {
    let mut expanded = Vec::with_capacity(list.len());
    let mut rest = list;
    while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
        expanded.extend_from_slice(&rest[..dollar]);
        expanded.extend_from_slice(origin);
        rest = &rest[dollar..];
        rest = rest
            .strip_prefix(b"$ORIGIN")
            .or_else(|| rest.strip_prefix(b"${ORIGIN}"))?;
    }
    expanded.extend_from_slice(rest);
    Some(expanded)
}

/// `/etc/ld.so.preload`: names separated by white space and colons, `#` begins a comment; `handle_preload_list` of glibc.
pub(super) fn preload_names(list: &[u8]) -> Vec<Vec<u8>> {
    let lines = list
        .split(|&byte| byte == b'\n')
        .map(|line| line.split(|&byte| byte == b'#').next().unwrap_or_default());
    let names = lines.flat_map(|line| line.split(|byte| matches!(byte, b' ' | b'\t' | b':')));
    names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: Vec<Vec<u8>>) -> Vec<String> {
        list.into_iter()
            .map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
            .collect()
    }

    #[test]
    fn glibc() {
        let tokens = Tokens {
            origin: b"/opt/app/bin",
            lib: b"lib64",
            platform: None,
        };
        for (list, expected) in [
            ("", vec![]),
            ("/opt/a:/opt/b", vec!["/opt/a/", "/opt/b/"]),
            ("/opt/none::", vec!["/opt/none/", ""]),
            (":", vec![""]),
            ("/", vec!["/"]),
            ("//", vec!["/"]),
            ("/opt//app/lib//", vec!["/opt//app/lib/"]),
            (
                "$ORIGIN/../lib:/x/$PLATFORM:/y/$LIB",
                vec!["/opt/app/bin/../lib/", "/y/lib64/"],
            ),
            ("/a:/a/:/b", vec!["/a/", "/b/"]),
        ] {
            assert_eq!(strings(glibc_directories(list.as_bytes(), tokens)), expected, "{list}");
        }
    }

    #[test]
    fn musl() {
        assert_eq!(
            strings(musl_directories(b"/lib:/opt/m\n\n/usr/lib::")),
            ["/lib", "/opt/m", "/usr/lib"]
        );
        for (list, expected) in [
            ("/opt/a", Some("/opt/a")),
            ("$ORIGIN/../lib:${ORIGIN}", Some("/app/bin/../lib:/app/bin")),
            ("$ORIGIN:/x/$LIB", None),
            ("$", None),
        ] {
            assert_eq!(
                musl_rpath(list.as_bytes(), b"/app/bin").as_deref(),
                expected.map(str::as_bytes),
                "{list}"
            );
        }
    }

    #[test]
    fn preload() {
        assert_eq!(
            strings(preload_names(b"# c\n/a.so libb.so:/c.so # d\n\t/e.so")),
            ["/a.so", "libb.so", "/c.so", "/e.so"]
        );
    }
}
