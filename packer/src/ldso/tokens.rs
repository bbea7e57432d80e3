//! Dynamic string tokens: `$ORIGIN`, `$LIB` and `$PLATFORM`, `ld.so(8)` and the gABI's "substitution sequences".

/// What the tokens stand for in one object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// Directory of the object, `$ORIGIN`.
    pub(super) origin: &'a [u8],
    /// What the loader was built with, `$LIB`.
    pub(super) lib: &'a [u8],
    /// Name of the processor, `$PLATFORM`; the kernel does not name every one.
    pub(super) platform: Option<&'a str>,
}

/// Replaces the tokens in `input` as glibc does; none where one of them has no value, which makes the whole path unusable.
/// Anything else behind a `$` stays as it is.
pub(super) fn expand(input: &[u8], tokens: Tokens<'_>) -> Option<Vec<u8>> {
    let mut expanded = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
        expanded.extend_from_slice(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let values = [
            ("ORIGIN", Some(tokens.origin)),
            ("PLATFORM", tokens.platform.map(str::as_bytes)),
            ("LIB", Some(tokens.lib)),
        ];
        match values
            .iter()
            .find_map(|&(name, value)| Some((token_length(rest, name)?, value)))
        {
            Some((length, value)) => {
                expanded.extend_from_slice(value?);
                rest = &rest[length..];
            }
            None => expanded.push(b'$'),
        }
    }
    expanded.extend_from_slice(rest);
    Some(expanded)
}

/// Does the input ask for `$PLATFORM`, which another machine may answer differently?
pub(super) fn asks_for_platform(input: &[u8]) -> bool {
    let dollars = input.iter().enumerate().filter(|&(_, &byte)| byte == b'$');
    dollars
        .into_iter()
        .any(|(dollar, _)| token_length(&input[dollar + 1..], "PLATFORM").is_some())
}

/// Length of the token `name`, in braces or not, at the start of what follows a `$`: `is_dst` in glibc's `elf/dl-load.c`.
fn token_length(input: &[u8], name: &str) -> Option<usize> {
    let (braces, inner) = match input.strip_prefix(b"{") {
        Some(inner) => (2, inner),
        None => (0, input),
    };
    let rest = inner.strip_prefix(name.as_bytes())?;
    let next = rest.first().copied();
    let ends = if braces > 0 {
        next == Some(b'}')
    } else {
        next.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')
    };
    ends.then_some(name.len() + braces)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: Tokens<'static> = Tokens {
        origin: b"/opt/app/bin",
        lib: b"lib/x86_64-linux-gnu",
        platform: Some("x86_64"),
    };

    #[test]
    fn expand_as_glibc_does() {
        for (input, expected) in [
            ("/usr/lib", "/usr/lib"),
            ("$ORIGIN", "/opt/app/bin"),
            ("$ORIGIN/../lib", "/opt/app/bin/../lib"),
            ("${ORIGIN}/../lib", "/opt/app/bin/../lib"),
            ("/a/$LIB/b/${PLATFORM}", "/a/lib/x86_64-linux-gnu/b/x86_64"),
            ("$ORIGIN$LIB", "/opt/app/binlib/x86_64-linux-gnu"),
            ("$ORIGINAL", "$ORIGINAL"),
            ("$ORIGIN_", "$ORIGIN_"),
            ("$ORIGIN-1", "/opt/app/bin-1"),
            ("${ORIGIN", "${ORIGIN"),
            ("{ORIGIN}", "{ORIGIN}"),
            ("$HOME/lib", "$HOME/lib"),
            ("$", "$"),
            ("$$ORIGIN", "$/opt/app/bin"),
        ] {
            assert_eq!(
                expand(input.as_bytes(), TOKENS).as_deref(),
                Some(expected.as_bytes()),
                "{input}"
            );
        }
    }

    #[test]
    fn a_token_without_a_value_makes_the_path_unusable() {
        let tokens = Tokens {
            platform: None,
            ..TOKENS
        };
        assert_eq!(expand(b"/opt/$PLATFORM", tokens), None);
        assert_eq!(
            expand(b"/opt/$LIB", tokens).as_deref(),
            Some(&b"/opt/lib/x86_64-linux-gnu"[..])
        );
    }

    #[test]
    fn platform_is_noticed() {
        for (input, expected) in [
            ("/a/$PLATFORM", true),
            ("${PLATFORM}", true),
            ("$PLATFORMS", false),
            ("$ORIGIN", false),
        ] {
            assert_eq!(asks_for_platform(input.as_bytes()), expected, "{input}");
        }
    }
}
