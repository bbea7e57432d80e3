//! Parts of the host in the app's root: which, and in which order. Pure.

use std::fmt;
use std::path::PathBuf;

use super::op::{Bind, BindKind, Entry};
use super::plan::MOUNT_POINTS;
use super::survey::{Standing, Survey};
use crate::host::Shared;
use crate::options::can_be_target;

/// What is `shared` by itself, and what is `named`, where the image's links lead: the outer ones first. Of two in one place the later
/// stands.
pub(super) fn arrange(named: &[Bind], shared: Vec<Shared>, survey: &Survey) -> Result<Vec<Bind>, PlanFault> {
    let mut parts = Vec::new();
    for Shared { path, source } in shared {
        let (kind, optional) = (BindKind::Shared, true);
        insert(
            &mut parts,
            Bind {
                source,
                path,
                kind,
                optional,
            },
        );
    }
    for bind in named {
        let path = survey.resolved(&bind.path).to_owned();
        if !can_be_target(&path) {
            let asked = bind.path.clone();
            return Err(PlanFault::Target { asked, path });
        }
        let bind = Bind { path, ..bind.clone() };
        if !is_seen(&bind, &parts) {
            parts.retain(|other: &Bind| other.path != bind.path);
            insert(&mut parts, bind);
        }
    }
    Ok(parts)
}

/// What lies in another one comes behind it.
fn insert(parts: &mut Vec<Bind>, part: Bind) {
    let first_inside = parts.iter().position(|other| other.path.starts_with(&part.path));
    parts.insert(first_inside.unwrap_or(parts.len()), part);
}

/// Whether the innermost of the `parts` around it shows it there already, as it is wanted.
fn is_seen(bind: &Bind, parts: &[Bind]) -> bool {
    if let BindKind::Part(part) = bind.kind
        && (part.devices || (part.read_only && !bind.optional))
    {
        return false;
    }
    let around = parts.iter().rev().find(|outer| bind.path.starts_with(&outer.path));
    around.is_some_and(|outer| {
        let inside = bind.path.strip_prefix(&outer.path).ok();
        outer.kind == BindKind::Shared && inside == bind.source.strip_prefix(&outer.source).ok()
    })
}

/// Places for parts of the host, where the image has none. Made in the layer, which is the caller's where the directories of the
/// image may be somebody else's.
pub(super) fn points(parts: &[Bind], survey: &Survey) -> Vec<Entry> {
    let mut points = Vec::new();
    for Bind { path, kind, .. } in parts {
        let is_inside =
            |part: &Bind| part.kind.is_hosts_directory() && part.path != *path && path.starts_with(&part.path);
        let is_covered = MOUNT_POINTS.iter().any(|(point, _)| path.starts_with(point)) || parts.iter().any(is_inside);
        if is_covered || survey.standing(path) != Standing::Missing {
            continue;
        }
        let path = path.clone();
        points.push(match kind.is_hosts_directory() {
            true => Entry::Directory { path, mode: 0o755 },
            false => Entry::File {
                path,
                contents: Vec::new(),
            },
        });
    }
    points
}

/// What cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanFault {
    /// The image has no user or group of this name.
    Nobody(String),
    /// Links of the image lead a part of the host to where none can be.
    Target {
        /// Where it was to be.
        asked: PathBuf,
        /// Where it would be.
        path: PathBuf,
    },
}

impl fmt::Display for PlanFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(name) => write!(f, "{name}: the image has no user or group of this name"),
            Self::Target { asked, path } if asked == path => {
                write!(f, "bind on {}, which is the box's own", path.display())
            }
            Self::Target { asked, path } => write!(
                f,
                "bind on {}: links of the image lead to {}, which is the box's own",
                asked.display(),
                path.display()
            ),
        }
    }
}
