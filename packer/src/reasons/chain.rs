//! From the command down to a path.

use std::collections::HashSet;

use serde::Serialize;

use super::phrase::{phrase, phrase_of_unknown};
use super::{Reasons, ReasonsError, Record, RecordKind};
use crate::plan::Reason;
use crate::rootfs::RootPath;

/// One path of a chain, with what brought it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The path.
    pub path: RootPath,
    /// Kind of the reason.
    pub kind: RecordKind,
    /// The path that the reason came from: that of the step before. None at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<RootPath>,
    /// What was asked for: a soname, a pattern, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The same in words.
    pub text: String,
}

impl Reasons {
    /// The chain of reasons that ends with the path at `place`. `path_at` gives the paths of the image by their places.
    ///
    /// # Errors
    /// [`ReasonsError::Circle`], [`ReasonsError::Place`].
    pub fn chain<'a>(
        &self,
        place: usize,
        path_at: impl Fn(usize) -> Option<&'a RootPath>,
    ) -> Result<Vec<Step>, ReasonsError> {
        let mut steps = Vec::new();
        let mut met = HashSet::new();
        let mut next = Some(place);
        while let Some(place) = next {
            let fault = || ReasonsError::Place {
                place: u32::try_from(place).unwrap_or(u32::MAX),
            };
            let path = path_at(place).ok_or_else(fault)?;
            if !met.insert(place) {
                return Err(ReasonsError::Circle { path: path.clone() });
            }
            let record = self.record(place).ok_or_else(fault)?;
            steps.push(record.step(path, &path_at));
            next = record.by.and_then(|by| usize::try_from(by).ok());
        }
        steps.reverse();
        Ok(steps)
    }
}

impl Record {
    fn step<'a>(&self, path: &RootPath, path_at: impl Fn(usize) -> Option<&'a RootPath>) -> Step {
        let by = self.by(path_at);
        let is_outside = by.as_ref().is_some_and(|(_, inside)| !inside);
        let by = by.map(|(by, _)| by);
        let mut text = match &self.kind {
            RecordKind::Known(kind) => phrase(&Reason {
                kind: *kind,
                by: by.clone(),
                detail: self.detail.clone(),
            }),
            RecordKind::Other(name) => phrase_of_unknown(name, by.as_ref(), &self.detail),
        };
        if is_outside {
            text.push_str(" (which is not in the bundle)");
        }
        Step {
            path: path.clone(),
            kind: self.kind.clone(),
            by,
            detail: self.detail.clone(),
            text,
        }
    }
}
