//! What the person who starts a bundle may rely on: arguments, environment, files, streams, exit statuses, signals, and
//! that nothing stays behind.

#![forbid(unsafe_code)]

#[path = "run_contract/arguments.rs"]
mod arguments;
#[path = "run_contract/ends.rs"]
mod ends;
#[path = "run_contract/environment.rs"]
mod environment;
#[path = "run_contract/finding_itself.rs"]
mod finding_itself;
#[path = "run_contract/kills.rs"]
mod kills;
#[path = "run_contract/ladder.rs"]
mod ladder;
#[path = "run_contract/signals.rs"]
mod signals;
#[path = "run_contract/starts_at_once.rs"]
mod starts_at_once;
#[path = "run_contract/streams.rs"]
mod streams;

use std::sync::Arc;

use support::bundle::Shared;
use support::requirement::skip;
use support::roots::{BUSYBOX_NEEDS, TINY_NEEDS, busybox, probe, tiny};
use support::{Bundle, Place, Scratch};

static SHELL: Shared = Shared::new(|| Bundle::pack(&[], &busybox(&Scratch::new()), &["/bin/sh"]));
static PROBE: Shared = Shared::new(|| Bundle::pack(&[], &probe(&Scratch::new()), &["/bin/probe"]));
static TINY: Shared = Shared::new(|| Bundle::pack(&[], &tiny(&Scratch::new()), &["/bin/tiny"]));

/// A packed shell, where `busybox` has all the tools; none where it cannot be had.
fn shell() -> Option<Arc<Bundle>> {
    (!skip(&BUSYBOX_NEEDS)).then(|| SHELL.get())
}

/// A packed program that prints its arguments, one a line, and ends with their number.
fn printer() -> Option<Arc<Bundle>> {
    (!skip(&TINY_NEEDS)).then(|| TINY.get())
}

/// A packed program that looks at itself: `fixtures/programs/probe.c`.
fn packed_probe() -> Option<Arc<Bundle>> {
    (!skip(&TINY_NEEDS)).then(|| PROBE.get())
}

/// Those that the machine has.
fn places() -> impl Iterator<Item = Place> {
    Place::ALL.into_iter().filter(|place| !skip(place.needs()))
}
