//! What keeps the app apart from the host, layer by layer, and how far each holds. Pure: whoever builds a layer notes what he got,
//! the app's process prints it right before the app begins.
//!
//! A new layer is a variant of [`Layer`], a line in [`Layer::ALL`] and one in [`Layer::name`]; whoever makes it calls
//! [`Status::note`]. What nobody notes was not asked for.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Something that keeps the app apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// User namespace, user_namespaces(7).
    User,
    /// Mount namespace.
    Mount,
    /// PID namespace.
    Pid,
    /// IPC namespace.
    Ipc,
    /// UTS namespace.
    Uts,
    /// Network namespace.
    Net,
    /// Cgroup namespace.
    Cgroup,
    /// Time namespace.
    Time,
    /// Limit of memory, cgroups(7).
    Memory,
    /// Limit of processor time, cgroups(7).
    Cpus,
    /// Limit of processes, cgroups(7).
    Pids,
    /// A root file system of its own: the rung of the [ladder](crate::ladder).
    Root,
    /// Capabilities, capabilities(7).
    Capabilities,
    /// `PR_SET_NO_NEW_PRIVS`, prctl(2).
    NoNewPrivs,
    /// Limits of resources, setrlimit(2).
    Rlimits,
    /// Rules of files, landlock(7).
    Landlock,
    /// A filter of system calls, seccomp(2).
    Seccomp,
}

impl Layer {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 17] = [
        Self::User,
        Self::Mount,
        Self::Pid,
        Self::Ipc,
        Self::Uts,
        Self::Net,
        Self::Cgroup,
        Self::Time,
        Self::Memory,
        Self::Cpus,
        Self::Pids,
        Self::Root,
        Self::Capabilities,
        Self::NoNewPrivs,
        Self::Rlimits,
        Self::Landlock,
        Self::Seccomp,
    ];

    /// What it is called in options, lines and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Net => "net",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Cpus => "cpus",
            Self::Pids => "pids",
            Self::Root => "root",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivs => "no_new_privs",
            Self::Rlimits => "rlimits",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }

    /// The layer of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }
}

/// Why, in a few words.
pub type Reason = Cow<'static, str>;

/// How far a layer holds, and what it is or why it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Degree {
    /// As it is meant.
    Full(Reason),
    /// Some of it.
    Partial(Reason),
    /// Not at all.
    None(Reason),
}

impl Degree {
    /// `full`, `partial` or `none`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Full(_) => "full",
            Self::Partial(_) => "partial",
            Self::None(_) => "none",
        }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Full(reason) | Self::Partial(reason) | Self::None(reason) => reason,
        }
    }
}

/// What is said of a layer that nobody has built.
const NOT_ASKED: Degree = Degree::None(Cow::Borrowed("not asked for"));

/// What stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status(Vec<(Layer, Degree)>);

impl Status {
    /// Notes how far `layer` holds, over what was noted of it before.
    pub fn note(&mut self, layer: Layer, degree: Degree) {
        self.0.retain(|(known, _)| *known != layer);
        self.0.push((layer, degree));
    }

    /// How far `layer` holds.
    #[must_use]
    pub fn degree(&self, layer: Layer) -> &Degree {
        let noted = self.0.iter().find(|(known, _)| *known == layer);
        noted.map_or(&NOT_ASKED, |(_, degree)| degree)
    }

    /// The first of the `required` layers that does not hold in full.
    #[must_use]
    pub fn missing(&self, required: &[Layer]) -> Option<Missing> {
        let missing = |layer: &Layer| !matches!(self.degree(*layer), Degree::Full(_));
        required.iter().copied().find(missing).map(|layer| Missing {
            layer,
            degree: self.degree(layer).clone(),
        })
    }

    /// A line for each layer, for stderr.
    #[must_use]
    pub fn lines(&self) -> String {
        self.each(|layer, degree| format!("polecat: status: {layer}: {}: {}\n", degree.name(), degree.reason()))
            .collect()
    }

    /// One JSON object on one line: a member for each layer, with its `degree` and `reason`.
    #[must_use]
    pub fn json(&self) -> String {
        let members: Vec<String> = self
            .each(|layer, degree| {
                let reason = quoted(degree.reason());
                format!(r#""{layer}":{{"degree":"{}","reason":{reason}}}"#, degree.name())
            })
            .collect();
        format!("{{{}}}\n", members.join(","))
    }

    fn each<T>(&self, render: impl Fn(&str, &Degree) -> T) -> impl Iterator<Item = T> {
        Layer::ALL
            .into_iter()
            .map(move |layer| render(layer.name(), self.degree(layer)))
    }
}

/// As a string of JSON, RFC 8259.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // Writing to a String cannot fail.
            '\0'..='\x1f' => match write!(quoted, "\\u{:04x}", u32::from(character)) {
                Ok(()) | Err(_) => {}
            },
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// A layer that the start needs and that does not hold in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub layer: Layer,
    /// How far it does, and why no further.
    pub degree: Degree,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, degree } = self;
        write!(
            f,
            "{} is required in full and is {}: {}",
            layer.name(),
            degree.name(),
            degree.reason()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let mut status = Status::default();
        status.note(Layer::Root, Degree::Full("loop".into()));
        status.note(Layer::Seccomp, Degree::Full("default".into()));
        status.note(Layer::Landlock, Degree::Partial("ABI \"1\"\n".into()));
        status.note(Layer::Seccomp, Degree::None("the kernel has none".into()));
        status
    }

    #[test]
    fn names_lead_back_and_are_words() {
        for layer in Layer::ALL {
            assert_eq!(Layer::named(layer.name()), Some(layer));
            assert!(
                layer
                    .name()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
        }
        assert_eq!(Layer::named("Seccomp"), None);
    }

    #[test]
    fn a_line_for_each_layer() {
        let lines = status().lines();
        assert_eq!(
            lines.lines().count(),
            Layer::ALL.len() + 1,
            "the reason of Landlock has two"
        );
        assert!(
            lines.starts_with("polecat: status: user: none: not asked for\n"),
            "{lines}"
        );
        assert!(lines.contains("\npolecat: status: root: full: loop\n"), "{lines}");
        assert!(
            lines.ends_with("\npolecat: status: seccomp: none: the kernel has none\n"),
            "{lines}"
        );
    }

    #[test]
    fn one_object() {
        let json = status().json();
        assert!(
            json.starts_with(r#"{"user":{"degree":"none","reason":"not asked for"},"#),
            "{json}"
        );
        assert!(
            json.contains(r#""landlock":{"degree":"partial","reason":"ABI \"1\"\u000a"}"#),
            "{json}"
        );
        assert!(json.ends_with("}}\n") && json.lines().count() == 1, "{json}");
    }

    #[test]
    fn what_is_required_must_be_full() {
        let cases: [(&[Layer], Option<&str>); 5] = [
            (&[], None),
            (&[Layer::Root], None),
            (
                &[Layer::Net],
                Some("net is required in full and is none: not asked for"),
            ),
            (
                &[Layer::Root, Layer::Landlock, Layer::Net],
                Some("landlock is required"),
            ),
            (&[Layer::Seccomp], Some("is none: the kernel has none")),
        ];
        for (required, told) in cases {
            let missing = status().missing(required).map(|missing| missing.to_string());
            assert_eq!(missing.is_some(), told.is_some(), "{required:?}");
            let missing = missing.unwrap_or_default();
            assert!(missing.contains(told.unwrap_or_default()), "{missing}");
        }
    }
}
