//! The runtime in the process it is made for: bundles with this very stub, around an image of busybox by mksquashfs,
//! started and watched by the kernel's own means.

#![forbid(unsafe_code)]

#[path = "run/bundle.rs"]
mod bundle;
#[path = "run/descriptors.rs"]
mod descriptors;
#[path = "run/image_server.rs"]
mod image_server;
#[path = "run/job_control.rs"]
mod job_control;
#[path = "run/kills.rs"]
mod kills;
#[path = "run/places.rs"]
mod places;
#[path = "run/rights.rs"]
mod rights;
#[path = "run/signals.rs"]
mod signals;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bundle::Bundle;
use support::requirement::skip;
use support::{Need, Place};

/// A bundle of `/bin/sh`, shared by the tests that run at the same time, gone with the last of them; none where it cannot be made.
fn shell() -> Option<Arc<Bundle>> {
    static SHELL: Mutex<Weak<Bundle>> = Mutex::new(Weak::new());
    if skip(&[Need::Tool("busybox"), Need::Tool("mksquashfs")]) {
        return None;
    }
    let mut shared = SHELL.lock().unwrap_or_else(PoisonError::into_inner);
    Some(shared.upgrade().unwrap_or_else(|| {
        let bundle = Arc::new(Bundle::of_busybox(|_| ()));
        *shared = Arc::downgrade(&bundle);
        bundle
    }))
}

/// Those that the machine has.
fn places() -> impl Iterator<Item = Place> {
    Place::ALL.into_iter().filter(|place| !skip(place.needs()))
}
