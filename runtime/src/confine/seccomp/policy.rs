//! What becomes of which calls. Plain values; [`super::assemble`] makes a program of them.

/// What becomes of a call, seccomp(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// It is done.
    Allow,
    /// It is done, and noted in the kernel's log.
    Log,
    /// It fails with this number of errno(3).
    Errno(u16),
    /// A tracer is told, with this message; without a tracer it fails with `ENOSYS`.
    Trace(u16),
    /// The thread gets SIGSYS.
    Trap,
    /// The thread ends.
    KillThread,
    /// The process ends.
    KillProcess,
}

impl Action {
    /// What the filter returns.
    pub(super) fn value(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Log => libc::SECCOMP_RET_LOG,
            Self::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
            Self::Trace(message) => libc::SECCOMP_RET_TRACE | u32::from(message),
            Self::Trap => libc::SECCOMP_RET_TRAP,
            Self::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Self::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }

    /// Whether the call is done.
    pub(super) fn permits(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }
}

/// How an argument is compared, all 64 bits of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `==`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
    /// `==`, of the bits in this mask alone.
    MaskedEqual(u64),
}

/// What an argument must be for a rule to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    /// Which, from 0 to 5.
    pub(super) argument: u8,
    /// How it is compared.
    pub(super) comparison: Comparison,
    /// With what.
    pub(super) value: u64,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Its number.
    pub(super) number: u32,
    /// What must all hold of its arguments.
    pub(super) conditions: Vec<Condition>,
    /// What becomes of it then.
    pub(super) action: Action,
}

impl Rule {
    /// One without conditions.
    pub(super) fn always(number: u32, action: Action) -> Self {
        Self {
            number,
            conditions: Vec::new(),
            action,
        }
    }
}

/// The calls of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Calls {
    /// Which, as `linux/audit.h` numbers machines.
    pub(super) architecture: u32,
    /// The first that holds counts.
    pub(super) rules: Vec<Rule>,
    /// What becomes of calls that no rule is about.
    pub(super) otherwise: Action,
    /// From a number on, what becomes of all calls: in the order of the numbers.
    pub(super) beyond: Vec<(u32, Action)>,
}

/// What becomes of every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    /// By machine.
    pub(super) calls: Vec<Calls>,
    /// What becomes of the calls of other machines.
    pub(super) foreign: Action,
}

/// From here on calls on x86_64 are those of x32, `asm/unistd.h`.
pub(super) const X32: u32 = 0x4000_0000;
