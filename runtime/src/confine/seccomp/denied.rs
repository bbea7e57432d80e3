//! The filter that every program has unless another is asked for. Like Docker's default profile it refuses what governs the machine and
//! what attacks on kernels begin with; unlike it, it lists what is refused, and leaves alone what capabilities govern well: mount(2),
//! unshare(2), setns(2) and their like work in user namespaces, by which browsers and bundles in bundles live, and ptrace(2)
//! is for debuggers.

use caps::Capability;

use super::instruction::{NATIVE, OF_32_BITS};
use super::policy::{Action, Calls, Comparison, Condition, Policy, Rule, X32};
use crate::confine::capability_set::CapabilitySet;

/// A call that is refused with `EPERM`, as the kernel itself refuses it to who may not.
struct Denied {
    /// Its numbers: on x86_64, in programs of 32 bits there, on 64-bit ARM and RISC-V, in programs of 32 bits on ARM.
    numbers: [u16; 4],
    /// With one of these it is left to the kernel.
    but_with: &'static [Capability],
}

/// Where there is no such call.
const NONE: u16 = u16::MAX;

const fn denied(numbers: [u16; 4], but_with: &'static [Capability]) -> Denied {
    Denied { numbers, but_with }
}

const ADMIN: Capability = Capability::CAP_SYS_ADMIN;

#[rustfmt::skip]
const DENIED: &[Denied] = &[
    // Another kernel, and code in this one.
    denied([246, 283, 104, 347], &[Capability::CAP_SYS_BOOT]), // kexec_load
    denied([320, NONE, 294, 401], &[Capability::CAP_SYS_BOOT]), // kexec_file_load
    denied([169, 88, 142, 88], &[Capability::CAP_SYS_BOOT]), // reboot
    denied([175, 128, 105, 128], &[Capability::CAP_SYS_MODULE]), // init_module
    denied([313, 350, 273, 379], &[Capability::CAP_SYS_MODULE]), // finit_module
    denied([176, 129, 106, 129], &[Capability::CAP_SYS_MODULE]), // delete_module
    denied([321, 357, 280, 386], &[ADMIN, Capability::CAP_BPF]), // bpf
    denied([298, 336, 241, 364], &[ADMIN, Capability::CAP_PERFMON]), // perf_event_open
    denied([172, 110, NONE, NONE], &[Capability::CAP_SYS_RAWIO]), // iopl
    denied([173, 101, NONE, NONE], &[Capability::CAP_SYS_RAWIO]), // ioperm
    // Keys are the user's, not the namespace's: keyrings(7).
    denied([248, 286, 217, 309], &[]), // add_key
    denied([249, 287, 218, 310], &[]), // request_key
    denied([250, 288, 219, 311], &[]), // keyctl
    // Most of the attacks of the last years; kernel.io_uring_disabled and vm.unprivileged_userfaultfd refuse them just so.
    denied([323, 374, 282, 388], &[]), // userfaultfd
    denied([425, 425, 425, 425], &[]), // io_uring_setup
    denied([426, 426, 426, 426], &[]), // io_uring_enter
    denied([427, 427, 427, 427], &[]), // io_uring_register
    // Files by their numbers, past all directories.
    denied([304, 342, 265, 371], &[Capability::CAP_DAC_READ_SEARCH]), // open_by_handle_at
    denied([212, 253, 18, 249], &[ADMIN]), // lookup_dcookie
    // Machine-wide settings and records.
    denied([167, 87, 224, 87], &[ADMIN]), // swapon
    denied([168, 115, 225, 115], &[ADMIN]), // swapoff
    denied([179, 131, 60, 131], &[ADMIN]), // quotactl
    denied([443, 443, 443, 443], &[ADMIN]), // quotactl_fd
    denied([180, 169, 42, 169], &[ADMIN]), // nfsservctl
    denied([163, 51, 89, 51], &[Capability::CAP_SYS_PACCT]), // acct
    denied([153, 111, 58, 111], &[Capability::CAP_SYS_TTY_CONFIG]), // vhangup
    denied([103, 103, 116, 103], &[ADMIN, Capability::CAP_SYSLOG]), // syslog
    denied([164, 79, 170, 79], &[Capability::CAP_SYS_TIME]), // settimeofday
    denied([227, 264, 112, 262], &[Capability::CAP_SYS_TIME]), // clock_settime
    denied([NONE, 404, NONE, 404], &[Capability::CAP_SYS_TIME]), // clock_settime64
    denied([NONE, 25, NONE, NONE], &[Capability::CAP_SYS_TIME]), // stime
];

/// A call that is refused for what it is asked.
struct DeniedRequest {
    /// As in [`Denied`].
    numbers: [u16; 4],
    /// Which argument says it, of which the kernel looks at the lower half alone.
    argument: u8,
    value: u64,
    errno: u16,
}

const fn request(numbers: [u16; 4], argument: u8, value: u64, errno: u16) -> DeniedRequest {
    DeniedRequest {
        numbers,
        argument,
        value,
        errno,
    }
}

/// Left to the kernel with [`ADMIN`].
const DENIED_REQUESTS: [DeniedRequest; 3] = [
    // What makes the caller's terminal believe that something was typed, or pastes into a console: ioctl_tty(2), TIOCSTI and TIOCLINUX.
    request([16, 54, 29, 54], 1, 0x5412, EPERM),
    request([16, 54, 29, 54], 1, 0x541c, EPERM),
    // socket(2), AF_VSOCK: the host of a virtual machine, past all network namespaces. Programs of 32 bits have socketcall(2), too.
    request([41, 359, 198, 281], 0, 40, EAFNOSUPPORT),
];

/// Columns of [`Denied::numbers`] for this machine and for its programs of 32 bits.
const COLUMNS: [usize; 2] = if cfg!(target_arch = "x86_64") { [0, 1] } else { [2, 3] };

/// What becomes of every call of an app that has these capabilities; none where the calls of this machine are not known.
pub(super) fn policy(kept: CapabilitySet) -> Option<Policy> {
    let calls = |architecture, column: usize| Calls {
        architecture,
        rules: rules(column, kept),
        otherwise: Action::Allow,
        beyond: Vec::new(),
    };
    let mut native = calls(NATIVE?, COLUMNS[0]);
    if cfg!(target_arch = "x86_64") {
        // As a kernel without them says.
        native.beyond.push((X32, Action::Errno(ENOSYS)));
    }
    let of_32_bits = OF_32_BITS.map(|architecture| calls(architecture, COLUMNS[1]));
    Some(Policy {
        calls: [native].into_iter().chain(of_32_bits).collect(),
        // There are none.
        foreign: Action::Errno(ENOSYS),
    })
}

const EPERM: u16 = 1;
const EAFNOSUPPORT: u16 = 97;
pub(super) const ENOSYS: u16 = 38;

fn rules(column: usize, kept: CapabilitySet) -> Vec<Rule> {
    let refused = DENIED
        .iter()
        .filter(|denied| !denied.but_with.iter().any(|one| kept.has(*one)));
    let numbers = refused.map(|denied| denied.numbers[column]);
    numbers
        .filter(|&number| number != NONE)
        .map(|number| Rule::always(number.into(), Action::Errno(EPERM)))
        .chain(requests(column, kept))
        .collect()
}

fn requests(column: usize, kept: CapabilitySet) -> impl Iterator<Item = Rule> {
    let refused = DENIED_REQUESTS.iter().filter(move |_| !kept.has(ADMIN));
    refused.map(move |denied| Rule {
        number: denied.numbers[column].into(),
        conditions: vec![Condition {
            argument: denied.argument,
            comparison: Comparison::MaskedEqual(u32::MAX.into()),
            value: denied.value,
        }],
        action: Action::Errno(denied.errno),
    })
}

#[cfg(test)]
mod tests {
    use super::super::assemble::assemble;
    use super::super::instruction::machine::run;
    use super::super::names;
    use super::*;

    fn answer(kept: CapabilitySet, architecture: Option<u32>, number: u32) -> Option<u32> {
        let program = assemble(&policy(kept)?).unwrap();
        Some(run(&program, architecture?, number, [0; 6]))
    }

    fn errno(errno: u16) -> Option<u32> {
        Some(Action::Errno(errno).value())
    }

    const ALLOW: Option<u32> = Some(libc::SECCOMP_RET_ALLOW);

    /// Of this machine, by name.
    fn named(kept: CapabilitySet, name: &str) -> Option<u32> {
        answer(kept, NATIVE, names::number(name).unwrap_or_else(|| panic!("{name}")))
    }

    #[test]
    fn refused_by_name() {
        if NATIVE.is_none() {
            return;
        }
        for name in [
            "kexec_load",
            "kexec_file_load",
            "reboot",
            "init_module",
            "finit_module",
            "delete_module",
            "bpf",
            "perf_event_open",
            "add_key",
            "request_key",
            "keyctl",
            "userfaultfd",
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "open_by_handle_at",
            "lookup_dcookie",
            "swapon",
            "swapoff",
            "quotactl",
            "quotactl_fd",
            "nfsservctl",
            "acct",
            "vhangup",
            "syslog",
            "settimeofday",
            "clock_settime",
        ] {
            assert_eq!(named(CapabilitySet::NONE, name), errno(EPERM), "{name}");
        }
        let known = DENIED
            .iter()
            .filter(|denied| denied.numbers[COLUMNS[0]] != NONE)
            .count();
        assert_eq!(known, if cfg!(target_arch = "x86_64") { 29 } else { 27 });
    }

    #[test]
    fn what_programs_live_by_is_left_alone() {
        if NATIVE.is_none() {
            return;
        }
        for name in [
            "read",
            "execve",
            "clone",
            "clone3",
            "unshare",
            "setns",
            "mount",
            "umount2",
            "pivot_root",
            "chroot",
            "ptrace",
            "process_vm_readv",
            "seccomp",
            "landlock_restrict_self",
            "personality",
            "prctl",
            "adjtimex",
            "clock_adjtime",
            "clock_gettime",
            "open_tree",
            "fsopen",
            "mount_setattr",
            "memfd_create",
            "name_to_handle_at",
            "mbind",
            "sethostname",
            "fanotify_init",
            "pidfd_getfd",
            "rseq",
            "futex_waitv",
            "mseal",
        ] {
            assert_eq!(named(CapabilitySet::NONE, name), ALLOW, "{name}");
        }
    }

    #[test]
    fn refused_for_what_is_asked() {
        let Some((policy, native)) = policy(CapabilitySet::NONE).zip(NATIVE) else {
            return;
        };
        let program = assemble(&policy).unwrap();
        let machines = [
            Some((native, COLUMNS[0])),
            OF_32_BITS.map(|machine| (machine, COLUMNS[1])),
        ];
        for (machine, column) in machines.into_iter().flatten() {
            let (ioctl, socket) = (DENIED_REQUESTS[0].numbers[column], DENIED_REQUESTS[2].numbers[column]);
            for (number, arguments, expected) in [
                (ioctl, [0, 0x5412], errno(EPERM)),
                (ioctl, [0, 0xdead_0000_5412], errno(EPERM)),
                (ioctl, [0, 0x541c], errno(EPERM)),
                (ioctl, [0, 0x5401], ALLOW), // TCGETS
                (ioctl, [40, 0], ALLOW),
                (socket, [40, 1], errno(EAFNOSUPPORT)),
                (socket, [1, 40], ALLOW),
                (socket, [2, 1], ALLOW),
            ] {
                let [first, second] = arguments;
                let answer = run(&program, machine, number.into(), [first, second, 0, 0, 0, 0]);
                assert_eq!(Some(answer), expected, "{machine:#x}: {number} {arguments:#x?}");
            }
        }
        for (name, at) in [("ioctl", 0), ("socket", 2)] {
            assert_eq!(
                names::number(name),
                Some(DENIED_REQUESTS[at].numbers[COLUMNS[0]].into())
            );
        }
    }

    #[test]
    fn a_capability_lifts_what_it_governs() {
        if NATIVE.is_none() {
            return;
        }
        for (capability, name, lifted) in [
            (Capability::CAP_SYS_TIME, "clock_settime", true),
            (Capability::CAP_SYS_TIME, "reboot", false),
            (Capability::CAP_SYS_BOOT, "reboot", true),
            (Capability::CAP_BPF, "bpf", true),
            (ADMIN, "bpf", true),
            (ADMIN, "keyctl", false),
            (ADMIN, "io_uring_setup", false),
        ] {
            let expected = if lifted { ALLOW } else { errno(EPERM) };
            assert_eq!(
                named(CapabilitySet::of(&[capability]), name),
                expected,
                "{capability} {name}"
            );
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn other_ways_of_calling() {
        // acct, getpid, keyctl of 32 bits; getpid and keyctl of x32; none of ARM's.
        for (architecture, number, expected) in [
            (OF_32_BITS, 51, errno(EPERM)),
            (OF_32_BITS, 20, ALLOW),
            (OF_32_BITS, 288, errno(EPERM)),
            (OF_32_BITS, 425, errno(EPERM)),
            (NATIVE, X32 + 39, errno(ENOSYS)),
            (NATIVE, X32 + 250, errno(ENOSYS)),
            (Some(0x4000_0028), 20, errno(ENOSYS)),
        ] {
            assert_eq!(
                answer(CapabilitySet::NONE, architecture, number),
                expected,
                "{number:#x}"
            );
        }
    }

    #[test]
    fn no_number_stands_twice_and_the_program_is_short() {
        for column in 0..4 {
            let mut numbers: Vec<u16> = DENIED.iter().map(|denied| denied.numbers[column]).collect();
            numbers.retain(|&number| number != NONE);
            numbers.sort_unstable();
            assert!(numbers.is_sorted_by(|one, next| one < next), "{column}: {numbers:?}");
        }
        if let Some(policy) = policy(CapabilitySet::NONE) {
            let length = assemble(&policy).unwrap().len();
            assert!(length < 130, "{length}");
        }
    }
}
