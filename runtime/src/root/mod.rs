//! The app's root file system: a plan, and the one executor of it.
//!
//! [`survey`] looks at the image, [`plan`] decides, [`apply`] does, [`pivot`] steps in.

pub mod apply;
pub mod binds;
pub mod contract;
pub mod dev;
pub mod identity;
pub mod op;
pub mod overlay;
pub mod parts;
pub mod pivot;
pub mod plan;
pub mod survey;
pub mod tmpfs;
pub mod user;

pub(crate) mod mount_table;
pub(crate) mod mounting;
pub mod tree;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::contract::Offer;
    use super::identity::Account;
    use super::survey::{Standing, Survey};
    use crate::host::Facts;

    /// A user without anything to share.
    pub(super) fn facts() -> Facts {
        Facts {
            uid: 1000,
            gid: 100,
            privileged: false,
            all_ids: true,
            home: None,
            cwd: None,
            terminal: None,
            account: Account {
                uid: 1000,
                gid: 100,
                user: b"ada".to_vec(),
                group: b"users".to_vec(),
                home: "/home/ada".into(),
            },
            files: Vec::new(),
            offer: Offer::default(),
            memory: 1 << 30,
        }
    }

    /// An image that holds `held` and nothing else, asked for `questions`.
    pub(super) fn survey(questions: &[PathBuf], held: &[(&str, Standing)]) -> Survey {
        let standing = |path: &PathBuf| {
            let known = held.iter().find(|(known, _)| Path::new(known) == path);
            (path.clone(), known.map_or(Standing::Missing, |(_, standing)| *standing))
        };
        Survey {
            standings: questions.iter().map(standing).collect(),
            ..Survey::default()
        }
    }
}
