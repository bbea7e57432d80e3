//! The processes of a run.
//!
//! ```text
//! caller's shell ── monitor            host namespaces; the process that the caller started
//!                     ├── image server   host namespaces; on the FUSE rung only, forked when init asks for it
//!                     └── init           pid 1 of new namespaces; builds the root, reaps
//!                           └── app        in the caller's process group and session
//! ```
//!
//! Nobody outlives the monitor, and nobody in the namespaces outlives init: `PR_SET_PDEATHSIG` between the first two,
//! the PID namespace between the others. What they mounted goes with the mount namespace.
//!
//! Where the app is to be process 1 itself, it is so in a PID namespace below init's.
//! In the host's root there is no PID namespace: monitor and init adopt orphans and kill them at the end, and the app dies with init.

pub(crate) mod app;
pub(crate) mod background;
pub mod clone;
pub(crate) mod control_socket;
pub(crate) mod descendants;
pub(crate) mod descriptors;
pub(crate) mod gate;
pub(crate) mod init;
pub(crate) mod manager;
pub mod message;
pub(crate) mod monitor;
pub(crate) mod named_file;
pub(crate) mod notice;
pub(crate) mod observer;
pub(crate) mod outcome;
pub(crate) mod packet;
pub(crate) mod pid_file;
pub(crate) mod relay;
pub(crate) mod server;
pub(crate) mod signals;
pub(crate) mod terminal;
pub(crate) mod witness;
