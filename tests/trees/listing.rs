//! What `fixtures/programs/tree.c` prints.

use std::collections::BTreeMap;

/// One path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    kind: String,
    mode: u32,
    uid: u64,
    gid: u64,
    links: String,
    size: String,
    time: String,
    device: String,
    contents: String,
    path: String,
}

impl Line {
    fn parse(text: &str) -> Self {
        let fields: Vec<&str> = text.split(' ').collect();
        let [kind, mode, uid, gid, links, size, time, device, contents, path] = fields[..] else {
            panic!("not a line of tree: {text}")
        };
        Self {
            kind: kind.to_owned(),
            mode: u32::from_str_radix(mode, 8).expect("permissions"),
            uid: uid.parse().expect("an owner"),
            gid: gid.parse().expect("a group"),
            links: links.to_owned(),
            size: size.to_owned(),
            time: time.to_owned(),
            device: device.to_owned(),
            contents: contents.to_owned(),
            path: path.to_owned(),
        }
    }

    /// Path below the root, odd bytes escaped; the root's own is empty.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Permission bits.
    pub(crate) const fn mode(&self) -> u32 {
        self.mode
    }

    /// Owner.
    pub(crate) const fn uid(&self) -> u64 {
        self.uid
    }

    /// Group.
    pub(crate) const fn gid(&self) -> u64 {
        self.gid
    }

    /// Without what squashfs, or the writer, does not keep: parts of a second, times before 1970, hard links.
    pub(crate) fn stored(mut self) -> Self {
        let seconds = self
            .time
            .split('.')
            .next()
            .unwrap_or_default()
            .parse::<i64>()
            .expect("seconds");
        self.time = seconds.clamp(0, i64::from(u32::MAX)).to_string();
        self.links = "-".to_owned();
        self
    }
}

/// A tree, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    lines: BTreeMap<String, Line>,
}

impl Listing {
    pub(crate) fn parse(text: &str) -> Self {
        text.lines().map(Line::parse).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    pub(crate) fn find(&self, path: &str) -> Option<&Line> {
        self.lines.get(path)
    }

    pub(crate) fn map(self, change: impl Fn(Line) -> Line) -> Self {
        self.lines.into_values().map(change).collect()
    }

    /// As a run shows it that has but one user: there are no other ids to be set to, and what permissions keep from the
    /// owner cannot be read.
    pub(crate) fn owned_by(&self, id: u32) -> Self {
        self.clone().map(|line| {
            let unreadable = line.mode & 0o400 == 0 && matches!(line.kind.as_str(), "f" | "d");
            let contents = if unreadable {
                "!".to_owned()
            } else {
                line.contents.clone()
            };
            Line {
                uid: id.into(),
                gid: id.into(),
                contents,
                mode: line.mode & !0o6000,
                ..line
            }
        })
    }

    /// Without what a run changes of the tree itself: the root directory, and the time of `/etc`, in which it makes names.
    pub(crate) fn untouched_by_runs(&self) -> Self {
        let there = self.lines.values().filter(|line| !line.path.is_empty()).cloned();
        there
            .map(|line| match line.path.as_str() {
                "/etc" => Line {
                    time: "-".to_owned(),
                    ..line
                },
                _ => line,
            })
            .collect()
    }

    /// Only a directory and what is in it.
    pub(crate) fn below(&self, directory: &str) -> Self {
        let inside = |line: &&Line| std::path::Path::new(&line.path).starts_with(directory);
        self.lines.values().filter(inside).cloned().collect()
    }

    /// # Panics
    /// With all the paths that differ.
    pub(crate) fn assert_equal(&self, other: &Self, what: &str) {
        let paths: std::collections::BTreeSet<&String> = self.lines.keys().chain(other.lines.keys()).collect();
        let differing = paths.into_iter().filter_map(|path| {
            let (left, right) = (self.lines.get(path), other.lines.get(path));
            (left != right).then(|| format!("{path}\n  {left:?}\n  {right:?}"))
        });
        let differing: Vec<String> = differing.collect();
        let number = differing.len();
        assert!(
            number == 0,
            "{what}: {number} paths differ\n{}",
            differing[..number.min(20)].join("\n")
        );
    }
}

impl FromIterator<Line> for Listing {
    fn from_iter<T: IntoIterator<Item = Line>>(lines: T) -> Self {
        Self {
            lines: lines.into_iter().map(|line| (line.path.clone(), line)).collect(),
        }
    }
}
