//! A report, for people and as JSON.

use std::fmt;

use nix::errno::Errno;

use super::findings::{FILESYSTEMS, Namespace};
use super::{Examined, Findings, Report};
use crate::ladder::Rung;

/// What a rung gives, in a word.
fn isolation(rung: Rung) -> &'static str {
    if rung.has_own_root() { "full" } else { "reduced" }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.taken {
            Some(rung) if rung.has_own_root() => writeln!(f, "{file} starts on {rung}, with a root of its own.")?,
            Some(rung) => writeln!(f, "{file} starts on {rung}, without namespaces and a root of its own.")?,
            None if self.is_unverified() => writeln!(f, "{file} is not what was signed.")?,
            None => writeln!(f, "{file} cannot be started here.")?,
        }
        for examined in &self.rungs {
            let name = examined.rung.name();
            let Some(failure) = &examined.failure else {
                writeln!(f, "  {name:<11} works")?;
                continue;
            };
            writeln!(f, "  {name:<11} {}", failure.message.display())?;
            for remedy in &examined.remedies {
                writeln!(f, "  {:<13} {}", "", remedy.cause)?;
                if let Some(command) = &remedy.command {
                    writeln!(f, "  {:<15} {command}", "")?;
                }
            }
        }
        Ok(())
    }
}

impl Report {
    /// One JSON object, and the end of a line.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = Writer(String::from("{"));
        out.bare("version", "1");
        out.text("file", Some(&self.file.display().to_string()));
        out.text("taken", self.taken.map(Rung::name));
        out.open("rungs", "[");
        for examined in &self.rungs {
            examined.write(&mut out);
        }
        out.0.push(']');
        self.findings.write(&mut out);
        out.0.push_str("}\n");
        out.0
    }
}

impl Examined {
    fn write(&self, out: &mut Writer) {
        out.begin();
        out.text("name", Some(self.rung.name()));
        out.text("isolation", Some(isolation(self.rung)));
        out.switch("works", self.failure.is_none());
        let reason = self.failure.as_ref().map(|failure| failure.message.to_string_lossy());
        out.text("reason", reason.as_deref());
        out.open("remedies", "[");
        for remedy in &self.remedies {
            out.begin();
            out.text("cause", Some(&remedy.cause));
            out.text("command", remedy.command.as_deref());
            out.0.push('}');
        }
        out.0.push_str("]}");
    }
}

impl Findings {
    fn write(&self, out: &mut Writer) {
        let (state, errno) = match self.namespace {
            Namespace::Works => ("works", None),
            Namespace::NotMade(errno) => ("refused", Some(errno)),
            Namespace::Useless(errno) => ("useless", Some(errno)),
        };
        out.open("host", "{");
        out.bare("uid", &self.uid.to_string());
        out.switch("privileged", self.privileged);
        out.text("userNamespaces", Some(state));
        out.errno("userNamespacesErrno", errno);
        out.errno("fuseErrno", self.fuse);
        out.errno("loopControlErrno", self.loop_control);
        out.open("filesystems", "{");
        for (name, has) in FILESYSTEMS.iter().zip(self.filesystems.iter().flatten()) {
            out.switch(name, *has);
        }
        out.0.push('}');
        out.switch("seccompFilter", self.filtered);
        out.open("sysctl", "{");
        for (name, value) in &self.settings {
            out.bare(name, &value.to_string());
        }
        out.0.push_str("}}");
    }
}

/// JSON, RFC 8259, as it is written: with a comma before whatever is not the first.
struct Writer(String);

impl Writer {
    fn comma(&mut self) {
        if !self.0.ends_with(['{', '[']) {
            self.0.push(',');
        }
    }

    /// The next object of an array.
    fn begin(&mut self) {
        self.comma();
        self.0.push('{');
    }

    #[inline(never)]
    fn bare(&mut self, name: &str, value: &str) {
        self.comma();
        self.string(name);
        self.0.push(':');
        self.0.push_str(value);
    }

    /// What follows is in brackets, or in braces, which the caller closes.
    fn open(&mut self, name: &str, bracket: &str) {
        self.bare(name, bracket);
    }

    fn switch(&mut self, name: &str, value: bool) {
        self.bare(name, if value { "true" } else { "false" });
    }

    #[inline(never)]
    fn text(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => {
                self.bare(name, "");
                self.string(value);
            }
            None => self.bare(name, "null"),
        }
    }

    #[inline(never)]
    fn errno(&mut self, name: &str, errno: Option<Errno>) {
        self.text(name, errno.map(|errno| format!("{errno:?}")).as_deref());
    }

    #[inline(never)]
    fn string(&mut self, text: &str) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |number: u32| char::from(DIGITS[usize::try_from(number % 16).unwrap_or_default()]);
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => {
                    self.0.push('\\');
                    self.0.push(character);
                }
                '\0'..='\x1f' => {
                    let number = u32::from(character);
                    self.0.push_str("\\u00");
                    self.0.push(digit(number / 16));
                    self.0.push(digit(number));
                }
                _ => self.0.push(character),
            }
        }
        self.0.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Remedy;
    use crate::process::message::Failure;

    fn report() -> Report {
        let failure = Failure {
            status: 125,
            message: "mount \"x\":\nno".into(),
            hint: None,
        };
        let remedy = Remedy {
            cause: "c".into(),
            command: Some("sudo \\ true".into()),
        };
        Report {
            file: "/a b.run".into(),
            taken: Some(Rung::Unpack),
            rungs: vec![
                Examined {
                    rung: Rung::Fuse,
                    failure: Some(failure),
                    remedies: vec![remedy],
                },
                Examined {
                    rung: Rung::Unpack,
                    failure: None,
                    remedies: Vec::new(),
                },
            ],
            findings: Findings {
                uid: 7,
                privileged: false,
                namespace: Namespace::Useless(Errno::EACCES),
                fuse: Some(Errno::ENOENT),
                loop_control: None,
                filesystems: Some([true, false, true]),
                settings: vec![("user.max_user_namespaces", 5)],
                filtered: true,
            },
        }
    }

    #[test]
    fn as_json() {
        let expected = "{\"version\":1,\"file\":\"/a b.run\",\"taken\":\"unpack\",\"rungs\":[\
            {\"name\":\"fuse\",\"isolation\":\"full\",\"works\":false,\"reason\":\"mount \\\"x\\\":\\u000ano\",\
            \"remedies\":[{\"cause\":\"c\",\"command\":\"sudo \\\\ true\"}]},\
            {\"name\":\"unpack\",\"isolation\":\"full\",\"works\":true,\"reason\":null,\"remedies\":[]}],\
            \"host\":{\"uid\":7,\"privileged\":false,\"userNamespaces\":\"useless\",\"userNamespacesErrno\":\"EACCES\",\
            \"fuseErrno\":\"ENOENT\",\"loopControlErrno\":null,\
            \"filesystems\":{\"squashfs\":true,\"overlay\":false,\"fuse\":true},\
            \"seccompFilter\":true,\"sysctl\":{\"user.max_user_namespaces\":5}}}\n";
        assert_eq!(report().json(), expected);
    }

    #[test]
    fn for_people() {
        let text = report().to_string();
        assert!(
            text.starts_with("/a b.run starts on unpack, with a root of its own.\n"),
            "{text}"
        );
        assert!(text.contains("  unpack      works\n"), "{text}");
        assert!(text.contains("sudo \\ true\n"), "{text}");
        let none = Report {
            taken: None,
            ..report()
        };
        assert!(none.to_string().contains("cannot be started here"));
        assert_eq!((none.status(), report().status()), (1, 0));
    }
}
