//! Capabilities: capabilities(7).

use caps::{CapSet, Capability, CapsHashSet};

use super::ConfineError;
use super::capability_set::CapabilitySet;
use super::status::Degree;

/// What programs of an administrator expect and what cannot reach out of the namespaces. Never `CAP_SYS_CHROOT`, with
/// which a process leaves a root that it was put into; never `CAP_MKNOD`, by which it would make the host's disks.
const OF_USER_0: [Capability; 12] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
    Capability::CAP_SETPCAP,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_SETFCAP,
];

/// Capabilities that an app of user `uid` keeps by default, if the caller has them.
#[must_use]
pub fn kept(uid: u32) -> CapabilitySet {
    if uid == 0 {
        CapabilitySet::of(&OF_USER_0)
    } else {
        CapabilitySet::NONE
    }
}

/// Drops all but `kept` from every set of this process, whose user is `uid`; what it has not got it does not get. Who is not user 0
/// keeps what is kept over execve(2) by the ambient set.
///
/// What it has then, and whether nothing that it executes can get more.
pub(super) fn keep(kept: CapabilitySet, uid: u32) -> Result<Held, ConfineError> {
    let permitted: CapabilitySet = read(CapSet::Permitted, "permitted")?.into_iter().collect();
    // Without CAP_SETPCAP the bounding set stays as it is, and no_new_privs keeps it from being used.
    let bounded = permitted.has(Capability::CAP_SETPCAP);
    if bounded {
        for capability in caps::all().into_iter().filter(|capability| !kept.has(*capability)) {
            drop_from_bounding(capability).map_err(failed("bounding"))?;
        }
    }
    let has_ambient = caps::runtime::ambient_set_supported().is_ok();
    if has_ambient {
        caps::clear(None, CapSet::Ambient).map_err(failed("ambient"))?;
    }
    let held = permitted.and(kept);
    let rest: CapsHashSet = caps::all()
        .into_iter()
        .filter(|capability| held.has(*capability))
        .collect();
    let none = CapsHashSet::new();
    let by_ambient = uid != 0 && !rest.is_empty();
    // A capability can only be inherited while it is permitted, and only be ambient while it is both.
    caps::set(None, CapSet::Inheritable, if by_ambient { &rest } else { &none }).map_err(failed("inheritable"))?;
    caps::set(None, CapSet::Effective, &rest).map_err(failed("effective"))?;
    caps::set(None, CapSet::Permitted, &rest).map_err(failed("permitted"))?;
    if by_ambient {
        caps::set(None, CapSet::Ambient, &rest).map_err(failed("ambient"))?;
    }
    Ok(Held { held, bounded })
}

/// Makes effective what is permitted.
pub(super) fn make_effective() -> Result<(), ConfineError> {
    let permitted = read(CapSet::Permitted, "permitted")?;
    caps::set(None, CapSet::Effective, &permitted).map_err(failed("effective"))
}

/// What a process has after [`keep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) held: CapabilitySet,
    /// Its bounding set has no more.
    pub(super) bounded: bool,
}

impl Held {
    /// How far that is what was `asked` for by name. In a user namespace of the app's own it means nothing to the host.
    pub(super) fn degree(self, asked: CapabilitySet, user_namespace: bool) -> Degree {
        let Self { held, bounded } = self;
        let missed = asked.without(held);
        if missed != CapabilitySet::NONE {
            return Degree::Partial(format!("{held}; the caller has not got {missed}").into());
        }
        if !bounded {
            let text = format!("{held}; the bounding set is the caller's, who has not got setpcap");
            return Degree::Partial(text.into());
        }
        let place = if user_namespace && held != CapabilitySet::NONE {
            ", in a user namespace of its own"
        } else {
            ""
        };
        Degree::Full(format!("{held}{place}").into())
    }
}

fn read(set: CapSet, name: &'static str) -> Result<CapsHashSet, ConfineError> {
    caps::read(None, set).map_err(failed(name))
}

fn failed(set: &'static str) -> impl Fn(caps::errors::CapsError) -> ConfineError {
    move |error| ConfineError::Capabilities {
        set,
        text: error.to_string(),
    }
}

/// A capability that this kernel does not know is in no set.
fn drop_from_bounding(capability: Capability) -> Result<(), caps::errors::CapsError> {
    caps::drop(None, CapSet::Bounding, capability).or_else(|error| {
        let is_known = caps::has_cap(None, CapSet::Bounding, capability).is_ok();
        if is_known { Err(error) } else { Ok(()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_the_box_is_never_kept() {
        for capability in [
            Capability::CAP_SYS_ADMIN,
            Capability::CAP_SYS_CHROOT,
            Capability::CAP_SYS_PTRACE,
            Capability::CAP_SYS_MODULE,
            Capability::CAP_SYS_RAWIO,
            Capability::CAP_MKNOD,
            Capability::CAP_DAC_READ_SEARCH,
            Capability::CAP_NET_ADMIN,
            Capability::CAP_BPF,
        ] {
            assert!(!kept(0).has(capability), "{capability}");
        }
    }

    #[test]
    fn an_ordinary_user_keeps_none() {
        assert_eq!(kept(0).to_string().split(',').count(), 12);
        for uid in [1, 1000, u32::MAX] {
            assert_eq!(kept(uid), CapabilitySet::NONE);
        }
    }

    #[test]
    fn degrees() {
        let set = |list| CapabilitySet::parse(list).unwrap();
        let none = CapabilitySet::NONE;
        let cases = [
            (none, true, none, false, "full", "none"),
            (none, true, none, true, "full", "none"),
            (set("bpf"), true, set("bpf"), false, "full", "bpf"),
            (
                set("bpf"),
                true,
                set("bpf"),
                true,
                "full",
                "bpf, in a user namespace of its own",
            ),
            (
                none,
                true,
                set("bpf"),
                false,
                "partial",
                "none; the caller has not got bpf",
            ),
            (
                none,
                false,
                none,
                false,
                "partial",
                "none; the bounding set is the caller's, who has not got setpcap",
            ),
        ];
        for (held, bounded, asked, user_namespace, name, reason) in cases {
            let degree = Held { held, bounded }.degree(asked, user_namespace);
            assert_eq!((degree.name(), degree.reason()), (name, reason));
        }
    }
}
