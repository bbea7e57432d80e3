//! Real programs of a Debian root file system, each with two different uses, in that root file system and packed out of
//! it: `fixtures/cases`.

#![forbid(unsafe_code)]

#[path = "cases/case.rs"]
mod case;
#[path = "cases/keyboard.rs"]
mod keyboard;
#[path = "cases/missing.rs"]
mod missing;
#[path = "cases/packed.rs"]
mod packed;
#[path = "cases/report.rs"]
mod report;
#[path = "cases/sandbox.rs"]
mod sandbox;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use support::requirement::skip;
use support::{Need, Scratch};

use case::{Case, Use};
use packed::{Closure, Packed};
use report::{Outcome, Report};
use sandbox::{Harness, Place, Who};

/// In so many cases both uses pass when the closure is what the packer knows by itself. To be raised, never lowered.
const BOTH_PASS_AT_LEAST: usize = 69;

/// What all of it needs of the machine.
const NEEDS: [Need; 6] = [
    Need::Root,
    Need::UserNamespaces,
    Need::Overlay,
    Need::CasesRootfs,
    Need::Tool("busybox"),
    Need::Tool("openssl"),
];

/// Each of the tests below uses all processors by itself.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where the uses of a case are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tree {
    /// In the root file system they come from.
    Whole,
    /// In what was packed of it.
    Packed(Closure),
}

#[test]
fn programs_work_in_their_root_file_system() {
    if skip(&NEEDS) {
        return;
    }
    let report = run_all(Tree::Whole);
    assert_eq!(report.uses_pass(), 2 * report.0.len(), "see above");
}

#[test]
fn programs_work_when_packed() {
    if skip(&NEEDS) || skip(&[Need::Polecat]) {
        return;
    }
    let report = run_all(Tree::Packed(Closure::Static));
    let expected = if chosen().is_some() {
        report.0.len()
    } else {
        BOTH_PASS_AT_LEAST
    };
    assert!(
        report.both_pass() >= expected,
        "both uses pass in {}, not in {expected}",
        report.both_pass()
    );
}

/// Names out of `cargo xtask cases NAME…`.
fn chosen() -> Option<String> {
    std::env::var("POLECAT_TEST_CASES")
        .ok()
        .filter(|names| !names.is_empty())
}

/// Runs the cases on all processors, and prints what came of them.
fn run_all(tree: Tree) -> Report {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let cases = match chosen() {
        Some(names) => Case::named(&names.split(',').collect::<Vec<_>>()),
        None => Case::all(),
    };
    let rootfs = support::requirement::cases_rootfs();
    let harness = Harness::new(&rootfs);
    let queue = Mutex::new(cases.iter().enumerate());
    let outcomes = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, case)) = next else { return };
                    let outcome = run_case(case, tree, &rootfs, &harness);
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.push((index, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(index, _)| *index);
    let report = Report(outcomes.into_iter().map(|(_, outcome)| outcome).collect());
    // Not through println!, which the test harness hides of a test that passes.
    write!(std::io::stderr(), "{report}").expect("standard error");
    report
}

fn run_case(case: &Case, tree: Tree, rootfs: &Path, harness: &Harness) -> Outcome {
    let scratch = Scratch::new();
    let whole = Place {
        tree: rootfs.to_owned(),
        mount_point: scratch.open_directory("mount-point"),
        who: Who::Root,
    };
    // Twice: some uses sleep for a while and then expect that another program is ready, which a busy machine breaks.
    let check = |use_: &Use, place: &Place| {
        harness
            .check(case, use_, place)
            .or_else(|_| harness.check(case, use_, place))
    };
    let both = |place: &Place| [&case.a, &case.b].map(|use_| check(use_, place));
    let (size, uses) = match tree {
        Tree::Whole => (None, Ok(both(&whole))),
        Tree::Packed(closure) => {
            let who = if case.wants_root() { Who::Root } else { Who::User };
            match packed::pack(case, rootfs, closure, who, &scratch) {
                Ok(Packed { tree, size }) => {
                    let place = Place {
                        tree,
                        mount_point: whole.mount_point.clone(),
                        who,
                    };
                    let mut uses = both(&place);
                    if missing::is_wanted() {
                        for (use_, result) in [&case.a, &case.b].into_iter().zip(&mut uses) {
                            if let Err(failure) = result {
                                failure.missing = find_missing(harness, case, use_, &whole, &place);
                            }
                        }
                    }
                    keep(case, &place.tree);
                    (Some(size), Ok(uses))
                }
                Err(why) => (None, Err(why)),
            }
        }
    };
    Outcome {
        name: case.name.clone(),
        size,
        uses,
    }
}

/// Runs a use in the whole root file system and in what was packed, below strace(1), and compares.
fn find_missing(harness: &Harness, case: &Case, use_: &Use, whole: &Place, packed: &Place) -> Vec<String> {
    let traces = Scratch::new();
    let trace = |name: &str, place: &Place| {
        let directory = traces.open_directory(name);
        let _ran = harness.run(case, use_, place, Some(&directory));
        directory
    };
    let (in_whole, in_packed) = (trace("whole", whole), trace("packed", packed));
    missing::describe(&whole.tree, &packed.tree, &in_whole, &in_packed)
}

/// Moves an extracted tree away for somebody to look at, where `cargo xtask cases --keep` asks for it.
fn keep(case: &Case, tree: &Path) {
    if let Some(directory) = std::env::var_os("POLECAT_TEST_CASES_KEEP").map(PathBuf::from) {
        let mut copy = std::process::Command::new("cp");
        copy.arg("-a").arg(tree).arg(directory.join(&case.name));
        let _no_output = support::exec::run(&mut copy).success();
    }
}
