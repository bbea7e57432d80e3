//! Lines and fields of the system's files.

/// The parts of `text` between bytes that are `at`, `most` of them: the last one is the rest.
pub(crate) fn split(text: &[u8], at: u8, most: usize) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    while parts.len() + 1 < most
        && let Some(end) = rest.iter().position(|&byte| byte == at)
    {
        let (part, behind) = rest.split_at(end);
        parts.push(part);
        rest = behind.get(1..).unwrap_or_default();
    }
    parts.push(rest);
    parts
}

/// All parts of it.
pub(crate) fn parts(text: &[u8], at: u8) -> Vec<&[u8]> {
    split(text, at, usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_lines() {
        for (text, most, expected) in [
            (&b"a:b:c"[..], 9, &[&b"a"[..], b"b", b"c"][..]),
            (b"a:b:c", 2, &[b"a", b"b:c"]),
            (b"a:b:c", 1, &[b"a:b:c"]),
            (b"::", 9, &[b"", b"", b""]),
            (b"", 9, &[b""]),
        ] {
            assert_eq!(split(text, b':', most), expected);
        }
        assert_eq!(parts(b"x\n", b'\n'), [&b"x"[..], b""]);
    }
}
