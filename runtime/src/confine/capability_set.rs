//! Sets of capabilities, capabilities(7), as bits.

use std::fmt;

use caps::Capability;

/// A set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// None.
    pub const NONE: Self = Self(0);

    /// All that have a name here.
    const ALL: Self = Self((1 << 41) - 1);

    /// These.
    #[must_use]
    pub fn of(capabilities: &[Capability]) -> Self {
        Self(
            capabilities
                .iter()
                .map(Capability::bitmask)
                .fold(0, |all, bit| all | bit),
        )
    }

    /// Those that `list` names, without `cap_` or with it, in any case, between commas. `all` is all but `CAP_SYS_CHROOT`, with which a
    /// process leaves the root that it was put into: that has to be said.
    ///
    /// None where a word of the list is no name.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        list.split(',').try_fold(Self::NONE, |set, word| {
            let word = word.to_ascii_lowercase();
            let more = match word.as_str() {
                "all" => Self::ALL.without(Self::of(&[Capability::CAP_SYS_CHROOT])),
                name => Self::named(name.strip_prefix("cap_").unwrap_or(name))?,
            };
            Some(set.with(more))
        })
    }

    /// The one of this name, in small letters and without `cap_`.
    fn named(name: &str) -> Option<Self> {
        let number = NAMES.split_ascii_whitespace().position(|known| known == name)?;
        Some(Self(1 << number))
    }

    /// Whether `capability` is in it.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 & capability.bitmask() != 0
    }

    /// These and those.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These but not those.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let bits = capabilities.into_iter().map(|capability| capability.bitmask());
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

impl fmt::Display for CapabilitySet {
    /// Names in small letters, between commas; `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_in = |number: usize| self.0 & 1 << number != 0;
        let names = NAMES
            .split_ascii_whitespace()
            .enumerate()
            .filter(|(number, _)| is_in(*number));
        let names: Vec<&str> = names.map(|(_, name)| name).collect();
        match names.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&names.join(",")),
        }
    }
}

/// As capabilities(7) names and `linux/capability.h` numbers them, from 0.
const NAMES: &str = "\
     chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast \
     net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice \
     sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog \
     wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore";

/// What the packer and the caller want beside what a program has by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilityChange {
    added: CapabilitySet,
    dropped: CapabilitySet,
}

impl CapabilityChange {
    /// `--cap-add`, over what was asked before.
    pub fn add(&mut self, set: CapabilitySet) {
        self.added = self.added.with(set);
        self.dropped = self.dropped.without(set);
    }

    /// `--cap-drop`, over what was asked before.
    pub fn drop(&mut self, set: CapabilitySet) {
        self.dropped = self.dropped.with(set);
        self.added = self.added.without(set);
    }

    /// Those that were added.
    #[must_use]
    pub fn added(self) -> CapabilitySet {
        self.added
    }

    /// What is left of `set`, and what is there besides. `CAP_SYS_CHROOT` goes with all others.
    #[must_use]
    pub fn applied(self, set: CapabilitySet) -> CapabilitySet {
        set.without(self.dropped).with(self.added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_number() {
        for capability in caps::all() {
            let name = capability.to_string().to_ascii_lowercase();
            assert_eq!(
                CapabilitySet::parse(&name),
                Some(CapabilitySet::of(&[capability])),
                "{name}"
            );
            assert!(CapabilitySet::ALL.has(capability), "{name}");
        }
        assert_eq!(NAMES.split_ascii_whitespace().count(), caps::all().len());
    }

    #[test]
    fn lists() {
        for (list, expected) in [
            ("net_bind_service", Some("net_bind_service")),
            ("CAP_NET_RAW,chown", Some("chown,net_raw")),
            ("Sys_Chroot", Some("sys_chroot")),
            ("checkpoint_restore,bpf,perfmon", Some("perfmon,bpf,checkpoint_restore")),
            ("", None),
            ("chown,", None),
            ("telepathy", None),
            ("cap_cap_chown", None),
            ("chown net_raw", None),
        ] {
            let set = CapabilitySet::parse(list).map(|set| set.to_string());
            assert_eq!(set.as_deref(), expected, "{list}");
        }
        assert_eq!(CapabilitySet::NONE.to_string(), "none");
    }

    #[test]
    fn all_but_the_one_that_leaves_a_root() {
        let all = CapabilitySet::parse("ALL").unwrap();
        assert!(all.has(Capability::CAP_SYS_ADMIN) && !all.has(Capability::CAP_SYS_CHROOT));
        let with = CapabilitySet::parse("all,sys_chroot").unwrap();
        assert!(with.has(Capability::CAP_SYS_CHROOT));
    }

    #[test]
    fn the_last_word_counts() {
        let set = |list| CapabilitySet::parse(list).unwrap();
        let default = set("chown,kill");
        let cases: [(&[(bool, &str)], &str); 7] = [
            (&[], "chown,kill"),
            (&[(true, "bpf")], "chown,kill,bpf"),
            (&[(false, "kill")], "chown"),
            (&[(false, "all"), (true, "bpf")], "bpf"),
            (&[(true, "bpf"), (false, "all")], "none"),
            (&[(true, "bpf,kill"), (false, "bpf")], "chown,kill"),
            (&[(false, "kill"), (true, "kill")], "chown,kill"),
        ];
        for (words, expected) in cases {
            let mut change = CapabilityChange::default();
            for &(add, list) in words {
                match add {
                    true => change.add(set(list)),
                    false => change.drop(set(list)),
                }
            }
            assert_eq!(change.applied(default).to_string(), expected, "{words:?}");
        }
    }
}
