//! The conditions, and what a start comes to under each: the one place to change when the ladder gets a rung.

use support::host::{Host, PLAIN};

/// What a start comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// The program runs, with its files from this rung; `POLECAT_DEBUG` says all of these.
    Starts(&'static str, &'static [&'static str]),
    /// It does not, with status 125, and all of these are said.
    Refused(&'static [&'static str]),
    /// No root of its own can be had, as `POLECAT_DEBUG` says by all of these: the program runs in the host's, with its
    /// files from this rung. With `--strict` it is refused, and the text behind them is said too.
    HostsRoot(&'static str, &'static [&'static str], &'static str),
}

/// A host and what it comes to there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Condition {
    pub(crate) name: &'static str,
    pub(crate) host: Host,
    pub(crate) root: Outcome,
    pub(crate) user: Outcome,
}

use Outcome::{HostsRoot, Refused, Starts};

/// Best rung of root, and of an ordinary user.
const LOOP: Outcome = Starts("loop", &[]);
const FUSE: Outcome = Starts("fuse", &[]);

const NO_CONTROL: Outcome = Starts("fuse", &["loop: left: open /dev/loop-control: No such file"]);
const NO_NODE: Outcome = Starts("fuse", &["loop: left: open /dev/loop", ": No such file"]);
const NO_FUSE: Outcome = Starts("unpack", &["fuse: left: open /dev/fuse: No such file"]);

/// Where no mount can be made there is no root of its own.
const NO_MOUNT: &str = "part the mounts from the host's: ";
const MODULE: &str = "(try: a security module forbids to mount here";
const NAMESPACES: &str = "make user, mount, PID, IPC and UTS namespaces: ";

const fn on(name: &'static str, host: Host, root: Outcome, user: Outcome) -> Condition {
    Condition { name, host, root, user }
}

const fn filtered(words: &'static [&'static str]) -> Host {
    Host { setup: "", words }
}

const fn arranged(setup: &'static str) -> Host {
    Host { setup, words: &[] }
}

pub(crate) const DEVICES: &[Condition] = &[
    on("as it is", PLAIN, LOOP, FUSE),
    on(
        "no /dev/fuse",
        arranged("dev loop-control 600 10 237"),
        NO_FUSE,
        NO_FUSE,
    ),
    on(
        "/dev/fuse of root's",
        arranged("chmod 600 /dev/fuse"),
        LOOP,
        Starts("unpack", &["fuse: left: open /dev/fuse: Permission denied"]),
    ),
    on(
        "no /dev/null",
        arranged("WITHOUT=null; dev fuse 666 10 229"),
        NO_CONTROL,
        FUSE,
    ),
    on("an empty /dev", arranged("mount -t tmpfs tmpfs /dev"), NO_FUSE, NO_FUSE),
    on("no loop-control", arranged("dev fuse 666 10 229"), NO_CONTROL, FUSE),
    on(
        "no nodes of loop devices",
        arranged("dev fuse 666 10 229 loop-control 600 10 237"),
        NO_NODE,
        FUSE,
    ),
    on(
        "loop devices all taken",
        filtered(&["deny=ioctl-0x4c82:ENOSPC"]),
        Starts(
            "fuse",
            &["loop: left: /dev/loop-control: no free loop device: No space left"],
        ),
        FUSE,
    ),
];

pub(crate) const PROC: &[Condition] = &[
    on(
        "no /proc",
        arranged("mount -t tmpfs tmpfs /proc"),
        LOOP,
        HostsRoot(
            "disk",
            &["write /proc/self/uid_map: No such file"],
            "(try: mount proc on /proc)",
        ),
    ),
    on(
        "a read-only /proc",
        arranged("mount -o remount,bind,ro /proc"),
        LOOP,
        HostsRoot(
            "disk",
            &["write /proc/self/uid_map: Read-only file system"],
            "(try: mount proc on /proc so that it may be written to)",
        ),
    ),
    on("/proc masked as by container engines", arranged(MASKED), LOOP, FUSE),
    on(
        "/proc that hides processes",
        arranged("mount -t proc -o hidepid=2 proc /proc"),
        LOOP,
        FUSE,
    ),
];

pub(crate) const NAMESPACES_AND_MOUNTS: &[Condition] = &[
    on(
        "clone(NEWUSER): EPERM",
        filtered(&["deny=newuser:EPERM", "deny=clone3:ENOSYS"]),
        LOOP,
        HostsRoot(
            "disk",
            &[NAMESPACES, "Operation not permitted"],
            "(try: user namespaces are forbidden here",
        ),
    ),
    on(
        "clone(NEWUSER): ENOSYS",
        filtered(&["deny=newuser:ENOSYS"]),
        LOOP,
        HostsRoot(
            "disk",
            &[NAMESPACES, "Function not implemented"],
            "(try: this kernel has no user namespaces",
        ),
    ),
    on(
        "clone(NEWUSER): EINVAL",
        filtered(&["deny=newuser:EINVAL"]),
        LOOP,
        HostsRoot(
            "disk",
            &[NAMESPACES, "Invalid argument"],
            "(try: this kernel has no user namespaces",
        ),
    ),
    on(
        "clone(NEWUSER): ENOSPC",
        filtered(&["deny=newuser:ENOSPC"]),
        LOOP,
        HostsRoot(
            "disk",
            &[NAMESPACES, "No space left on device"],
            "(try: raise user.max_user_namespaces",
        ),
    ),
    on(
        "only one user namespace",
        filtered(&["deny=unshare:EPERM"]),
        LOOP,
        HostsRoot(
            "disk",
            &["make the app's user namespace: Operation not permitted"],
            "(try: user namespaces are restricted",
        ),
    ),
    // What AppArmor does on Ubuntu 24.04: namespaces can be made, and mean nothing.
    on(
        "mount: EACCES",
        filtered(&["deny=mount:EACCES"]),
        HostsRoot("disk", &[NO_MOUNT, "Permission denied"], MODULE),
        HostsRoot("disk", &[NO_MOUNT, "Permission denied"], MODULE),
    ),
    on(
        "mount: EPERM",
        filtered(&["deny=mount:EPERM"]),
        HostsRoot("disk", &[NO_MOUNT, "Operation not permitted"], MODULE),
        HostsRoot("disk", &[NO_MOUNT, "Operation not permitted"], MODULE),
    ),
    on(
        "mount: ENOSYS",
        filtered(&["deny=mount:ENOSYS"]),
        HostsRoot("disk", &[NO_MOUNT, "Function not implemented"], ""),
        HostsRoot("disk", &[NO_MOUNT, "Function not implemented"], ""),
    ),
    on(
        "pivot_root: EPERM",
        filtered(&["deny=pivot_root:EPERM"]),
        HostsRoot(
            "fusermount",
            &["pivot_root to the base of the new root: Operation not permitted"],
            "",
        ),
        HostsRoot(
            "disk",
            &["pivot_root to the base of the new root: Operation not permitted"],
            "",
        ),
    ),
    // Half a root is none: nothing of the host may stay beneath.
    on(
        "umount2: EPERM",
        filtered(&["deny=umount2:EPERM"]),
        HostsRoot("fusermount", &["detach the old root: Operation not permitted"], ""),
        HostsRoot("disk", &["detach the old root: Operation not permitted"], ""),
    ),
    on(
        "mount_setattr: ENOSYS",
        filtered(&["deny=mount_setattr:ENOSYS"]),
        LOOP,
        FUSE,
    ),
    on(
        "mount_setattr: EPERM",
        filtered(&["deny=mount_setattr:EPERM"]),
        LOOP,
        FUSE,
    ),
    on("setns: EPERM", filtered(&["deny=setns:EPERM"]), LOOP, FUSE),
    on("a kernel before the new calls", filtered(UNKNOWN), LOOP, FUSE),
    on("a filter that forbids the new calls", filtered(FORBIDDEN), LOOP, FUSE),
];

pub(crate) const FILES_AND_LIMITS: &[Condition] = &[
    on("all read-only and noexec", arranged(READ_ONLY), LOOP, FUSE),
    on("full file systems", arranged(FULL), LOOP, FUSE),
    on(
        "a working directory that is gone",
        arranged("mkdir /mnt/gone; cd /mnt/gone; rmdir /mnt/gone"),
        LOOP,
        FUSE,
    ),
    on("pipes for files of configuration", arranged(PIPES), LOOP, FUSE),
    on("RLIMIT_NOFILE 16", filtered(&["limit=7:16"]), LOOP, FUSE),
    on("RLIMIT_FSIZE 0", filtered(&["limit=1:0"]), LOOP, FUSE),
    on("RLIMIT_MEMLOCK 0", filtered(&["limit=8:0"]), LOOP, FUSE),
    on("RLIMIT_CORE 0", filtered(&["limit=4:0"]), LOOP, FUSE),
    on("RLIMIT_STACK 64 KiB", filtered(&["limit=3:0x10000"]), LOOP, FUSE),
    on("RLIMIT_AS 256 MiB", filtered(&["limit=9:0x10000000"]), LOOP, FUSE),
    // No room for the server's buffers: its process ends, and the image is unpacked.
    on(
        "RLIMIT_AS 8 MiB",
        filtered(&["limit=9:0x800000"]),
        LOOP,
        Starts("unpack", &["fuse: left: nobody serves the image"]),
    ),
    on(
        "RLIMIT_DATA 1 MiB",
        filtered(&["limit=2:0x100000"]),
        LOOP,
        Refused(&[
            "there is no memory to be had (try: raise the limit of data (ulimit -d))",
            "init ended before the app did: exit status 125 (try: raise the limit of data (ulimit -d))",
        ]),
    ),
];

/// What runc masks and makes read-only.
pub(crate) const MASKED: &str = "for path in acpi asound scsi; do [ ! -d /proc/$path ] || mount -t tmpfs -o ro tmpfs /proc/$path; done; \
    for path in kcore keys timer_list latency_stats sched_debug; do \
    [ ! -e /proc/$path ] || mount --bind /dev/null /proc/$path; done; \
    for path in bus fs irq sys sysrq-trigger; do \
    [ ! -e /proc/$path ] || { mount --bind /proc/$path /proc/$path; mount -o remount,bind,ro /proc/$path; }; done";

/// Calls that Linux has had since 4.11 or later, and what a kernel without them says.
const UNKNOWN: &[&str] = &[
    "deny=open_tree:ENOSYS",
    "deny=move_mount:ENOSYS",
    "deny=fsopen:ENOSYS",
    "deny=fsconfig:ENOSYS",
    "deny=fsmount:ENOSYS",
    "deny=mount_setattr:ENOSYS",
    "deny=clone3:ENOSYS",
    "deny=openat2:ENOSYS",
    "deny=close_range:ENOSYS",
    "deny=pidfd_open:ENOSYS",
    "deny=memfd_create:ENOSYS",
    "deny=statx:ENOSYS",
    "deny=keyctl:ENOSYS",
    "deny=execveat:ENOSYS",
];

/// What a filter says that is older than they are.
const FORBIDDEN: &[&str] = &[
    "deny=open_tree:EPERM",
    "deny=move_mount:EPERM",
    "deny=fsopen:EPERM",
    "deny=fsconfig:EPERM",
    "deny=fsmount:EPERM",
    "deny=mount_setattr:EPERM",
    "deny=clone3:EPERM",
    "deny=openat2:EPERM",
    "deny=close_range:EPERM",
    "deny=pidfd_open:EPERM",
    "deny=memfd_create:EPERM",
    "deny=keyctl:EPERM",
    "deny=execveat:EPERM",
];

/// Only what is below the bundle's directory may be executed; nothing may be written.
const READ_ONLY: &str = "mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"; \
    for point in $(tac /proc/self/mountinfo | cut -d' ' -f5); do \
    case $point in \"$1\"|/proc) ;; *) mount -o remount,bind,ro,noexec $point 2>/dev/null || :;; esac; done; \
    if touch /tmp/polecat-write 2>/dev/null; then exit 99; fi";

const FULL: &str = "for point in /run /var/tmp /dev/shm \"$1/home\" \"$1/work\"; do [ -d $point ] || continue; \
    mount -t tmpfs -o size=8k,mode=1777 tmpfs $point; \
    dd if=/dev/zero of=$point/filler bs=8k count=1 2>/dev/null; done; if dd if=/dev/zero of=\"$1/work/more\" bs=8k count=1 2>/dev/null; then exit 99; fi";

/// Nobody writes to them.
const PIPES: &str = "mkfifo -m 644 /mnt/pipe; for file in /etc/resolv.conf /etc/hosts /etc/localtime /etc/passwd /etc/group; do \
    [ ! -e $file ] || mount --bind /mnt/pipe $file; done";
