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
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use support::requirement::{self, skip};
use support::{Need, Scratch, exec};

use case::{Case, Use};
use packed::Packed;
use report::{Outcome, Report};
use sandbox::{Failure, Harness, Place, Tracer, Who};

/// In so many cases both uses pass when the closure is what the packer knows by itself. To be raised, never lowered.
const BOTH_PASS_AT_LEAST: usize = 70;

/// The same with a trace of the first use.
const BOTH_PASS_TRACED_AT_LEAST: usize = 70;

/// The same for the cases of another architecture.
const ARM64_PASS_AT_LEAST: usize = 13;

/// What all of it needs of the machine.
const NEEDS: [Need; 6] = [
    Need::Root,
    Need::UserNamespaces,
    Need::Overlay,
    Need::CasesRootfs,
    Need::Tool("busybox"),
    Need::Tool("openssl"),
];

/// What the cases of another architecture need besides.
const ARM64_NEEDS: [Need; 4] = [
    Need::CasesRootfsArm64,
    Need::Binfmt,
    Need::Tool("aarch64-linux-gnu-gcc"),
    Need::Tool("qemu-aarch64-static"),
];

/// Each of the tests below uses all processors by itself.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where the uses of a case are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tree {
    /// In the root file system they come from.
    Whole,
    /// In what was packed of it.
    Packed,
    /// In what was packed of it with a trace of the first use.
    Traced,
}

#[test]
fn programs_work_in_their_root_file_system() {
    if skip(&NEEDS) {
        return;
    }
    let report = run_all("debian-amd64.json", &requirement::cases_rootfs(), Tree::Whole);
    expect(&report, report.0.len());
}

#[test]
fn programs_work_when_packed() {
    if skip(&NEEDS) || skip(&[Need::Polecat]) {
        return;
    }
    let report = run_all("debian-amd64.json", &requirement::cases_rootfs(), Tree::Packed);
    expect(&report, BOTH_PASS_AT_LEAST);
}

#[test]
fn programs_work_when_packed_with_a_trace() {
    if skip(&NEEDS) || skip(&[Need::Polecat]) {
        return;
    }
    let report = run_all("debian-amd64.json", &requirement::cases_rootfs(), Tree::Traced);
    expect(&report, BOTH_PASS_TRACED_AT_LEAST);
}

#[test]
fn programs_of_another_architecture_work_in_their_root_file_system() {
    if skip(&NEEDS) || skip(&ARM64_NEEDS) {
        return;
    }
    let scratch = Scratch::new();
    let rootfs = copy_for_user(&requirement::cases_rootfs_arm64(), &scratch);
    let report = run_all("debian-arm64.json", &rootfs, Tree::Whole);
    expect(&report, report.0.len());
}

#[test]
fn programs_of_another_architecture_work_when_packed() {
    if skip(&NEEDS) || skip(&ARM64_NEEDS) || skip(&[Need::Polecat]) {
        return;
    }
    let report = run_all("debian-arm64.json", &requirement::cases_rootfs_arm64(), Tree::Packed);
    expect(&report, ARM64_PASS_AT_LEAST);
}

/// A copy of a root file system that is the ordinary user's.
fn copy_for_user(rootfs: &Path, scratch: &Scratch) -> PathBuf {
    let copy = scratch.join("rootfs");
    let mut cp = Command::new("cp");
    let _no_output = exec::run(cp.arg("-a").args([rootfs, &copy])).success();
    sandbox::give_to_user(&copy);
    copy
}

/// Fails where too few cases pass; where a person chose some, all must.
fn expect(report: &Report, at_least: usize) {
    let at_least = if chosen().is_some() { report.0.len() } else { at_least };
    let passed = report.all_pass();
    assert!(passed >= at_least, "{passed} cases pass, not {at_least}: see above");
}

/// Names out of `cargo xtask cases NAME…`.
fn chosen() -> Option<String> {
    std::env::var("POLECAT_TEST_CASES")
        .ok()
        .filter(|names| !names.is_empty())
}

/// Runs the cases of a description on all processors, and prints what came of them.
fn run_all(description: &str, rootfs: &Path, tree: Tree) -> Report {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let cases = match chosen() {
        Some(names) => Case::named(description, &names.split(',').collect::<Vec<_>>()),
        None => Case::all(description),
    };
    let harness = Harness::new(rootfs);
    let queue = Mutex::new(cases.iter().enumerate());
    let outcomes = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, case)) = next else { return };
            let outcome = run_case(case, tree, rootfs, &harness);
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.push((index, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
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
        // An emulator is for the namespaces of an ordinary user; in those of root it would be for the whole machine.
        who: if case.is_foreign() { Who::User } else { Who::Root },
    };
    let trace = (tree == Tree::Traced).then(|| {
        let trace = scratch.join("a.trace");
        // However it ends: what it needs and what it may not do in the box of a bundle, a person sees there too.
        let _ran = harness.run(case, &case.a, &whole, Some(Tracer::Polecat(&trace)));
        trace
    });
    let (size, uses) = match tree {
        Tree::Whole => (None, Ok(check_all(case, &whole, harness))),
        Tree::Packed | Tree::Traced => match packed::pack(case, rootfs, trace.as_deref(), &scratch) {
            Ok(Packed { tree, who, size }) => {
                let place = Place {
                    tree,
                    mount_point: whole.mount_point.clone(),
                    who,
                };
                let mut uses = check_all(case, &place, harness);
                if missing::is_wanted() {
                    for (use_, result) in case.uses().zip(&mut uses) {
                        if let Err(failure) = result {
                            failure.missing = find_missing(harness, case, use_, &whole, &place);
                        }
                    }
                }
                keep(case, &place.tree);
                (Some(size), Ok(uses))
            }
            Err(why) => (None, Err(why)),
        },
    };
    Outcome {
        name: case.name.clone(),
        size,
        uses,
    }
}

/// Runs all uses in one place.
fn check_all(case: &Case, place: &Place, harness: &Harness) -> Vec<Result<(), Failure>> {
    let check = |use_| harness.check(case, use_, place);
    // Twice: some uses sleep for a while and then expect that another program is ready, which a busy machine breaks.
    case.uses().map(|use_| check(use_).or_else(|_| check(use_))).collect()
}

/// Runs a use in the whole root file system and in what was packed, below strace(1), and compares.
fn find_missing(harness: &Harness, case: &Case, use_: &Use, whole: &Place, packed: &Place) -> Vec<String> {
    let traces = Scratch::new();
    let trace = |name: &str, place: &Place| {
        let directory = traces.open_directory(name);
        let _ran = harness.run(case, use_, place, Some(Tracer::Strace(&directory)));
        directory
    };
    let (in_whole, in_packed) = (trace("whole", whole), trace("packed", packed));
    missing::describe(&whole.tree, &packed.tree, &in_whole, &in_packed)
}

/// Moves an extracted tree away for somebody to look at, where `cargo xtask cases --keep` asks for it.
fn keep(case: &Case, tree: &Path) {
    if let Some(directory) = std::env::var_os("POLECAT_TEST_CASES_KEEP").map(PathBuf::from) {
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(tree).arg(directory.join(&case.name));
        let _no_output = exec::run(&mut copy).success();
    }
}
