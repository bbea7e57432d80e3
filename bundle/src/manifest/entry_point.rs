//! Several programs in one bundle, each with a name that starts it.

use serde::Serialize;

use super::record::{Field, Place, Record};
use super::{Manifest, Process};

/// Longest name in bytes: it is the name of a file, and every file system has room for it.
const MAX_NAME_LENGTH: usize = 255;

/// A program beside the command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EntryPoint {
    /// What it is asked for by, and its `argv[0]`: see [`EntryPoint::is_name`].
    pub name: String,
    /// Absolute path of the executable inside the image.
    pub path: String,
}

impl EntryPoint {
    /// Whether `text` can be the name of an entry point: one of a file, that no program takes for an option, and that can be shown
    /// on a terminal.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        !matches!(text, "" | "." | "..")
            && text.len() <= MAX_NAME_LENGTH
            && !text.starts_with('-')
            && !text.contains(|character: char| character == '/' || character.is_control())
    }
}

impl Record for EntryPoint {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::needed("name", Place::Text(&mut self.name)),
            Field::needed("path", Place::Text(&mut self.path)),
        ]
    }
}

impl Manifest {
    /// How the entry point called `name` is started: with its name and nothing else before the caller's arguments, and with what the
    /// command has for variables and directory. None where there is no such entry point.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<Process> {
        let entry = self.entry_points.iter().find(|entry| entry.name == name)?;
        Some(Process {
            path: entry.path.clone(),
            args: vec![entry.name.clone()],
            ..self.process.clone()
        })
    }
}
