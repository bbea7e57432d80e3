//! Why each path is in a bundle, as the bundle itself carries it: the plan's reasons, in the section of reasons (`docs/format.md`),
//! whose digest the signed manifest holds.
//!
//! The section does not repeat the paths. They are those of the image in bytewise order, and reasons name them by their places in it;
//! neighbours mostly share a reason, so that each is stored once.

mod chain;
mod error;
mod phrase;

use std::collections::HashMap;

use bundle::ReadAt;
use bundle::manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::inventory::{from_path_text, path_text};
use crate::plan::{Plan, Reason, ReasonKind};
use crate::rootfs::RootPath;
use crate::section;

pub use chain::Step;
pub use error::ReasonsError;
pub use phrase::phrase;

/// Most bytes of a section once it is unpacked: some twenty a path of a large distribution.
const MAX_UNPACKED: usize = 32 << 20;

/// The reasons of all paths of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasons {
    /// The reasons, each once, in the order in which the paths meet them.
    reasons: Vec<Record>,
    /// For each path of the image, in bytewise order, the place of its reason among them.
    paths: Vec<u32>,
}

/// A reason as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Record {
    kind: RecordKind,
    /// Place of the path that the reason came from; none for roots of the closure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<u32>,
    /// The same in words, where that path is not in the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outside: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// A kind that this polecat knows, or one that a newer one wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RecordKind {
    /// One of this polecat's.
    Known(ReasonKind),
    /// Its name.
    Other(String),
}

impl Reasons {
    /// The reasons of a plan.
    ///
    /// # Errors
    /// [`ReasonsError::TooMany`].
    pub fn of(plan: &Plan) -> Result<Self, ReasonsError> {
        let mut places = HashMap::new();
        for (place, path) in plan.entries.keys().enumerate() {
            let place = u32::try_from(place).map_err(|_| ReasonsError::TooMany)?;
            places.insert(path, place);
        }
        let mut known: HashMap<&Reason, u32> = HashMap::new();
        let mut found = Self::default();
        for entry in plan.entries.values() {
            let reason = &entry.reason;
            let next = u32::try_from(found.reasons.len()).map_err(|_| ReasonsError::TooMany)?;
            let number = *known.entry(reason).or_insert(next);
            if number == next {
                let by = reason.by.as_ref();
                found.reasons.push(Record {
                    kind: RecordKind::Known(reason.kind),
                    by: by.and_then(|by| places.get(by)).copied(),
                    outside: by
                        .filter(|by| !places.contains_key(by))
                        .map(|by| path_text(by.as_bytes())),
                    detail: reason.detail.clone(),
                });
            }
            found.paths.push(number);
        }
        Ok(found)
    }

    /// The section.
    ///
    /// # Errors
    /// [`ReasonsError::Section`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, ReasonsError> {
        Ok(section::encode(self)?)
    }

    /// The reasons in the bytes of a section, whose digest was checked, for an image of so many entries.
    ///
    /// # Errors
    /// [`ReasonsError::Section`], [`ReasonsError::OtherImage`], [`ReasonsError::Place`].
    pub fn parse(bytes: &[u8], entries: usize) -> Result<Self, ReasonsError> {
        let found: Self = section::decode(bytes, MAX_UNPACKED)?;
        if found.paths.len() != entries {
            return Err(ReasonsError::OtherImage {
                paths: found.paths.len(),
                entries,
            });
        }
        let is_beyond = |place: &u32, count: usize| usize::try_from(*place).map_or(true, |place| place >= count);
        let reason = found.paths.iter().find(|place| is_beyond(place, found.reasons.len()));
        let by = || {
            let mut places = found.reasons.iter().filter_map(|reason| reason.by.as_ref());
            places.find(|place| is_beyond(place, entries))
        };
        match reason.or_else(by) {
            Some(place) => Err(ReasonsError::Place { place: *place }),
            None => Ok(found),
        }
    }

    /// What the bundle in `reader` carries; none where it carries none. `manifest` is its manifest, whose signature was checked,
    /// `entries` the number of entries of its image.
    ///
    /// # Errors
    /// [`ReasonsError`].
    pub fn read(reader: &impl ReadAt, manifest: &Manifest, entries: usize) -> Result<Option<Self>, ReasonsError> {
        match &manifest.reasons {
            Some(record) => Self::parse(&record.read(reader)?, entries).map(Some),
            None => Ok(None),
        }
    }

    /// How many paths there are reasons for.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    fn record(&self, place: usize) -> Option<&Record> {
        let number = usize::try_from(*self.paths.get(place)?).ok()?;
        self.reasons.get(number)
    }
}

impl Record {
    /// The path that the reason came from, and whether that is in the image.
    fn by<'a>(&self, path_at: impl Fn(usize) -> Option<&'a RootPath>) -> Option<(RootPath, bool)> {
        let inside = self.by.and_then(|place| usize::try_from(place).ok()).and_then(path_at);
        let outside = || Some((RootPath::new(from_path_text(self.outside.as_deref()?)), false));
        inside.map(|path| (path.clone(), true)).or_else(outside)
    }
}

#[cfg(test)]
mod tests;
