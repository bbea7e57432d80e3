//! Verify, mount, isolate and supervise a bundle.
//!
//! The recipe is a chain of types. A stage can only be reached through the one before it, so nothing is mounted that
//! was not verified, and nothing is executed that was not confined.
//!
//! | stage | is | where |
//! |---|---|---|
//! | [`verify::Opened`] | a file with the outline of a bundle; nothing in it is believed | the caller's process |
//! | [`verify::Verified`] | the manifest is what its signers signed | |
//! | [`host::Facts`], `Planned` | what the host has; which rungs of the [`ladder`] to try | monitor |
//! | `Entered` | own namespaces, own mounts, the host at `/old` | init |
//! | `Mounted` | a rung holds: the image, a layer to write to, and the plan of the rest | |
//! | `Rooted` | the plan is done, the old root detached | |
//! | [`confine::Confined`] | no capabilities but a few, `no_new_privs` | the app's process |
//! | [`confine::Sealed`] | the app's limits, its filter of system calls | |
//! | execve(2) | the app | |
//!
//! What can be decided without touching anything is a pure function over plain values, tested as a table:
//! [`ladder::choose`], [`root::plan::plan`], [`environment::compose`]. One executor does what was decided:
//! [`root::apply`]. Every line of unsafe code is in [`sys`].
//!
//! ```no_run
//! use runtime::{Control, exit, run, verify::Opened};
//!
//! let bundle = std::fs::File::open("top.run")?;
//! let verified = Opened::new(bundle)?.verify()?;
//! let process = verified.manifest().process.clone();
//! let end = run(verified, process, Vec::new(), Control::default());
//! exit::leave(&end)
//! # ; Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod build;
pub mod confine;
pub mod control;
pub mod debug;
pub mod doctor;
pub mod environment;
pub mod error;
pub mod exit;
pub mod host;
pub mod image;
pub mod keep;
pub mod ladder;
pub mod limits;
pub mod options;
pub mod process;
pub mod root;
#[allow(unsafe_code)]
pub mod sys;
pub mod trace;
pub mod userns;
pub mod verify;

mod cgroup;
mod climb;
mod directory;
mod hosts_root;
mod job;
mod name_services;
mod persist;
mod prepare;
mod resources;
mod run;
mod session;
mod stages;
mod text;

pub use control::Control;
pub use prepare::prepare;
pub use run::{run, run_directory};
