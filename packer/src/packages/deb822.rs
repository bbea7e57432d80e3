//! Debian's control files: deb822(5).

/// One stanza: fields in their order.
#[derive(Debug, Default)]
pub(crate) struct Stanza<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

/// A line that neither begins a field nor goes on with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoField {
    /// Which, counted from 1.
    pub(crate) line: usize,
}

impl<'a> Stanza<'a> {
    /// The stanzas of a file. A value is everything from the colon to the next field, without white space around it.
    pub(crate) fn parse_all(text: &'a str) -> Result<Vec<Self>, NoField> {
        let mut stanzas = Vec::new();
        let mut fields: Vec<(&str, &str)> = Vec::new();
        let mut start = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let end = start + line.len();
            match line.split_once(':') {
                _ if line.trim().is_empty() => {
                    if !fields.is_empty() {
                        stanzas.push(Self {
                            fields: std::mem::take(&mut fields),
                        });
                    }
                }
                _ if line.starts_with('#') => {}
                _ if line.starts_with([' ', '\t']) => match fields.last_mut() {
                    // From the first byte of the value to the end of this line.
                    Some((_, value)) => *value = extend(text, value, end),
                    None => return Err(NoField { line: number + 1 }),
                },
                Some((name, _)) => fields.push((name, text.get(start + name.len() + 1..end).unwrap_or_default())),
                None => return Err(NoField { line: number + 1 }),
            }
            start = end;
        }
        if !fields.is_empty() {
            stanzas.push(Self { fields });
        }
        Ok(stanzas)
    }

    /// The value of a field, whatever the case of its name.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let field = self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

/// The part of `text` that begins where `value` does and ends at `end`.
fn extend<'a>(text: &'a str, value: &'a str, end: usize) -> &'a str {
    let start = value.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    text.get(start..end).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_and_fields() {
        let text =
            "Package: a\nDepends: b,\n c\n# remark\nEmpty:\n\n\nPackage:d\nDescription: short\n long: text\n .\n end";
        let stanzas = Stanza::parse_all(text).expect("valid");
        assert_eq!(stanzas.len(), 2);
        for (stanza, field, expected) in [
            (0, "Package", Some("a")),
            (0, "depends", Some("b,\n c")),
            (0, "Empty", None),
            (0, "Description", None),
            (1, "Package", Some("d")),
            (1, "Description", Some("short\n long: text\n .\n end")),
        ] {
            assert_eq!(stanzas[stanza].get(field), expected, "{field}");
        }
    }

    #[test]
    fn what_is_no_field_is_told() {
        for (text, line) in [(" continued: x\n", 1), ("A: b\nnonsense\n", 2), ("A: b\n\n c\n", 3)] {
            assert_eq!(Stanza::parse_all(text).expect_err("no field"), NoField { line });
        }
    }
}
