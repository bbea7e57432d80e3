//! What is written to which file of a cgroup. Pure.

use crate::options::Limits;

/// Over which time a share of the processors is given, microseconds: the kernel's own default.
const PERIOD: u64 = 100_000;

/// A file that makes a controller hold a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) controller: &'static str,
    /// In a hierarchy of version 2.
    pub(super) unified: bool,
    pub(super) file: &'static str,
    /// Not every kernel has the file.
    pub(super) optional: bool,
    value: Value,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Memory,
    /// Memory that is swapped out is memory that is used.
    NoSwap,
    Period,
    Quota,
    QuotaAndPeriod,
    Pids,
}

const fn set(controller: &'static str, unified: bool, file: &'static str, value: Value) -> Setting {
    Setting {
        controller,
        unified,
        file,
        optional: false,
        value,
    }
}

const fn try_to_set(controller: &'static str, unified: bool, file: &'static str, value: Value) -> Setting {
    Setting {
        optional: true,
        ..set(controller, unified, file, value)
    }
}

/// In the order in which they are written: `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/`.
pub(super) const SETTINGS: [Setting; 9] = [
    set("memory", true, "memory.max", Value::Memory),
    try_to_set("memory", true, "memory.swap.max", Value::NoSwap),
    set("memory", false, "memory.limit_in_bytes", Value::Memory),
    try_to_set("memory", false, "memory.memsw.limit_in_bytes", Value::Memory),
    set("cpu", true, "cpu.max", Value::QuotaAndPeriod),
    set("cpu", false, "cpu.cfs_period_us", Value::Period),
    set("cpu", false, "cpu.cfs_quota_us", Value::Quota),
    set("pids", true, "pids.max", Value::Pids),
    set("pids", false, "pids.max", Value::Pids),
];

impl Setting {
    /// What is written to the file for `limits`, which have one of this controller.
    pub(super) fn value(self, limits: Limits) -> String {
        let quota = u64::from(limits.cpus.unwrap_or_default()) * (PERIOD / 100);
        let number = match self.value {
            Value::Memory => limits.memory.unwrap_or_default(),
            Value::NoSwap => 0,
            Value::Period => PERIOD,
            Value::Quota => quota,
            Value::QuotaAndPeriod => return format!("{quota} {PERIOD}"),
            Value::Pids => limits.pids.unwrap_or_default().into(),
        };
        number.to_string()
    }
}

/// The controllers that `limits` need.
pub(super) fn controllers(limits: Limits) -> Vec<&'static str> {
    let mut wanted = Vec::new();
    if limits.memory.is_some() {
        wanted.push("memory");
    }
    if limits.pids.is_some() {
        wanted.push("pids");
    }
    if limits.cpus.is_some() {
        wanted.push("cpu");
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let limits = Limits {
            memory: Some(1 << 20),
            cpus: Some(150),
            pids: Some(7),
            optional: false,
        };
        assert_eq!(controllers(limits), ["memory", "pids", "cpu"]);
        assert_eq!(
            controllers(Limits {
                memory: None,
                cpus: None,
                ..limits
            }),
            ["pids"]
        );
        for (controller, unified, expected) in [
            ("memory", true, &["memory.max 1048576", "memory.swap.max 0?"][..]),
            (
                "memory",
                false,
                &["memory.limit_in_bytes 1048576", "memory.memsw.limit_in_bytes 1048576?"],
            ),
            ("cpu", true, &["cpu.max 150000 100000"]),
            ("cpu", false, &["cpu.cfs_period_us 100000", "cpu.cfs_quota_us 150000"]),
            ("pids", true, &["pids.max 7"]),
            ("pids", false, &["pids.max 7"]),
        ] {
            let of = |setting: &&Setting| setting.controller == controller && setting.unified == unified;
            let told = |setting: &Setting| {
                let mark = if setting.optional { "?" } else { "" };
                format!("{} {}{mark}", setting.file, setting.value(limits))
            };
            let told: Vec<_> = SETTINGS.iter().filter(of).map(told).collect();
            assert_eq!(told, expected, "{controller} {unified}");
        }
    }
}
