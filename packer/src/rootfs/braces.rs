//! Braces in patterns: each choice is a pattern of its own.

/// Most patterns that one text may stand for.
const MAX_CHOICES: usize = 1024;

/// Every choice of the braces in `text`, nested ones as well; a backslash takes the meaning from what follows it.
pub(super) fn expand(text: &str) -> Result<Vec<String>, &'static str> {
    let mut pending = vec![text.to_owned()];
    let mut done = Vec::new();
    while let Some(text) = pending.pop() {
        let Some(Group { before, choices, after }) = first_group(&text)? else {
            done.push(text);
            continue;
        };
        pending.extend(choices.iter().map(|choice| format!("{before}{choice}{after}")));
        if pending.len() + done.len() > MAX_CHOICES {
            return Err("its braces stand for too many patterns");
        }
    }
    done.sort();
    Ok(done)
}

/// A pair of braces with what stands around it.
struct Group<'a> {
    before: &'a str,
    choices: Vec<&'a str>,
    after: &'a str,
}

/// The first group that is not inside another.
fn first_group(text: &str) -> Result<Option<Group<'_>>, &'static str> {
    let mut choices = Vec::new();
    let (mut depth, mut open, mut start) = (0_usize, 0, 0);
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => {
                depth += 1;
                if depth == 1 {
                    (open, start) = (at, at + 1);
                }
            }
            ',' if depth == 1 => {
                choices.push(&text[start..at]);
                start = at + 1;
            }
            '}' if depth == 1 => {
                choices.push(&text[start..at]);
                return Ok(Some(Group {
                    before: &text[..open],
                    choices,
                    after: &text[at + 1..],
                }));
            }
            '}' => depth = depth.checked_sub(1).ok_or("a brace is closed that was not opened")?,
            _ => {}
        }
    }
    if depth == 0 {
        Ok(None)
    } else {
        Err("a brace is not closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        for (text, expected) in [
            ("/a", vec!["/a"]),
            ("/{a,b/c}/d", vec!["/a/d", "/b/c/d"]),
            ("/{a,b{1,2}}", vec!["/a", "/b1", "/b2"]),
            ("/{a,b}{1,2}", vec!["/a1", "/a2", "/b1", "/b2"]),
            ("/x{,y}", vec!["/x", "/xy"]),
            ("/\\{a,b\\}", vec!["/\\{a,b\\}"]),
        ] {
            assert_eq!(
                expand(text).as_deref(),
                Ok(&expected.into_iter().map(str::to_owned).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
        for text in ["/{a", "/a}", "/{a,{b}", &"{1,2}".repeat(11)] {
            assert!(expand(text).is_err(), "{text}");
        }
    }
}
