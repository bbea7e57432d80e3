//! The filter of every program.

use crate::{Need, PLAIN, Place, answers, everywhere, field, line, skip};

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

/// What the default filter refuses to everybody.
const REFUSED: [&str; 27] = [
    "acct",
    "add_key",
    "bpf",
    "clock_settime",
    "delete_module",
    "finit_module",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "nfsservctl",
    "open_by_handle_at",
    "perf_event_open",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "userfaultfd",
    "vhangup",
];

/// Calls of those that the kernel itself answers otherwise, though they come from a program without capabilities: the arguments are none.
const OTHERWISE_ANSWERED: [&str; 7] = [
    "add_key",
    "io_uring_setup",
    "keyctl",
    "lookup_dcookie",
    "perf_event_open",
    "request_key",
    "userfaultfd",
];

fn filters(status: &str) -> u32 {
    field(status, "Seccomp_filters").map_or(0, |count| count.parse().expect("a number"))
}

#[test]
fn every_program_has_one_filter_of_ours() {
    // There may be filters around these tests.
    let around = filters(&std::fs::read_to_string("/proc/self/status").expect("/proc"));
    everywhere(|place, bundle| {
        for (options, expected) in [
            (&[][..], around + 1),
            (&["--polecat-seccomp=default"], around + 1),
            (&["--polecat-seccomp=none"], around),
        ] {
            let status = line(bundle, place, options, "busybox cat /proc/self/status")
                .success()
                .out();
            assert_eq!(filters(&status), expected, "{place} {options:?}: {status}");
            let mode = if expected == 0 { "0" } else { "2" };
            assert_eq!(field(&status, "Seccomp"), Some(mode), "{place} {options:?}");
        }
    });
}

#[test]
fn what_governs_the_machine_is_refused() {
    everywhere(|place, bundle| {
        let calls = format!("calls {}", REFUSED.join(" "));
        let ended = line(bundle, place, &[], &calls).success();
        let expected = REFUSED.map(|name| (name.to_owned(), EPERM));
        assert_eq!(answers(&ended), expected, "{place}");
    });
}

/// Else it could be the kernel that refuses, and the filter be empty.
#[test]
fn it_is_the_filter_that_refuses() {
    everywhere(|place, bundle| {
        let calls = format!("calls {}", OTHERWISE_ANSWERED.join(" "));
        let ended = line(bundle, place, &["--polecat-seccomp", "none"], &calls).success();
        for (name, errno) in answers(&ended) {
            assert_ne!(errno, EPERM, "{place}: {name}: {ended}");
        }
    });
}

#[test]
fn what_programs_live_by_is_not() {
    everywhere(|place, bundle| {
        // CLONE_NEWUSER, PTRACE_TRACEME, ADDR_NO_RANDOMIZE of personality(2), EINVAL of clone3 and seccomp.
        let line = line(
            bundle,
            place,
            &[],
            "calls unshare=0x10000000 ptrace=0 personality=0x40000 getpid clone3 seccomp",
        );
        let answers: Vec<i32> = answers(&line.success()).into_iter().map(|(_, errno)| errno).collect();
        assert_eq!(answers[..4], [0, 0, 0, 0], "{place}: {answers:?}");
        assert!(!answers[4..].contains(&EPERM), "{place}: {answers:?}");
    });
}

/// A user namespace in the box may still mount: that is what browsers' sandboxes and bundles in bundles do.
#[test]
fn a_namespace_in_the_box_may_mount() {
    if skip(&[Need::UserNamespaces]) {
        return;
    }
    everywhere(|place, bundle| {
        let script =
            "busybox unshare -Urm busybox sh -c 'busybox mount -t tmpfs x /tmp && busybox pivot_root / /tmp; echo $?'";
        let ended = line(bundle, place, &[], script);
        assert_eq!(
            ended.out(),
            "1\n",
            "{place}: mounted, and pivot_root knows why not: {ended}"
        );
        assert!(ended.err().contains("Invalid argument"), "{place}: {ended}");
    });
}

#[test]
#[cfg(target_arch = "x86_64")]
fn other_ways_into_the_kernel_are_no_ways_around() {
    everywhere(|place, bundle| {
        let ended = line(bundle, place, &[], "calls x32:getpid x32:keyctl").success();
        let expected = ["x32:getpid", "x32:keyctl"].map(|word| (word.to_owned(), ENOSYS));
        assert_eq!(answers(&ended), expected, "{place}");
        // getpid; without 32-bit calls in the kernel it is a fault.
        if line(bundle, place, &["--polecat-seccomp=none"], "calls i386:20").code() != Some(0) {
            return;
        }
        // acct, add_key, keyctl, io_uring_setup, and getpid.
        let ended = line(bundle, place, &[], "calls i386:51 i386:286 i386:288 i386:425 i386:20").success();
        let answers: Vec<i32> = answers(&ended).into_iter().map(|(_, errno)| errno).collect();
        assert_eq!(answers, [EPERM, EPERM, EPERM, EPERM, 0], "{place}");
    });
}

/// The capability that governs a call lifts its refusal; the kernel decides then.
#[test]
fn capabilities_lift_what_they_govern() {
    if skip(&crate::NEEDS) || skip(Place::RootUnpack.needs()) {
        return;
    }
    let bundle = PLAIN.get();
    let calls = "calls clock_settime swapon keyctl";
    let options = ["--polecat-cap-add=sys_time,sys_admin"];
    let ended = line(&bundle, Place::RootUnpack, &options, calls).success();
    let answers: Vec<i32> = answers(&ended).into_iter().map(|(_, errno)| errno).collect();
    assert!(!answers[..2].contains(&EPERM) && answers[2] == EPERM, "{ended}");
}
