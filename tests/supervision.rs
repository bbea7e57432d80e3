//! How a bundle is watched over: by a service manager, in the background, until the last of its processes ends, without an init,
//! and how its end is told.

#![forbid(unsafe_code)]

#[path = "supervision/background.rs"]
mod background;
#[path = "supervision/ends.rs"]
mod ends;
#[path = "supervision/pid_1.rs"]
mod pid_1;
#[path = "supervision/service.rs"]
mod service;

use std::sync::Arc;

use support::bundle::Shared;
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, busybox};
use support::{Bundle, Place, Scratch};

static SHELL: Shared = Shared::new(|| Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]));

/// A packed shell, where `busybox` has all the tools; none where it cannot be had.
fn shell() -> Option<Arc<Bundle>> {
    (!skip(&BUSYBOX_NEEDS)).then(|| SHELL.get())
}

/// Those that the machine has.
fn places() -> impl Iterator<Item = Place> {
    Place::ALL.into_iter().filter(|place| !skip(place.needs()))
}
