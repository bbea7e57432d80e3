//! Capabilities: capabilities(7).

use caps::{CapSet, Capability, CapsHashSet};

use super::ConfineError;

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

/// Capabilities that an app of user `uid` keeps, if the caller has them.
#[must_use]
pub fn kept(uid: u32) -> &'static [Capability] {
    if uid == 0 { &OF_USER_0 } else { &[] }
}

/// Drops all but `kept` from every set of this process; what it has not got it does not get.
pub(super) fn keep(kept: &[Capability]) -> Result<(), ConfineError> {
    let failed = |set| {
        move |error: caps::errors::CapsError| ConfineError::Capabilities {
            set,
            text: error.to_string(),
        }
    };
    let permitted = caps::read(None, CapSet::Permitted).map_err(failed("permitted"))?;
    // Without CAP_SETPCAP the bounding set stays as it is, and no_new_privs keeps it from being used.
    if permitted.contains(&Capability::CAP_SETPCAP) {
        for capability in caps::all().into_iter().filter(|capability| !kept.contains(capability)) {
            drop_from_bounding(capability).map_err(failed("bounding"))?;
        }
    }
    if caps::runtime::ambient_set_supported().is_ok() {
        caps::clear(None, CapSet::Ambient).map_err(failed("ambient"))?;
    }
    let rest: CapsHashSet = permitted
        .into_iter()
        .filter(|capability| kept.contains(capability))
        .collect();
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new()).map_err(failed("inheritable"))?;
    caps::set(None, CapSet::Effective, &rest).map_err(failed("effective"))?;
    caps::set(None, CapSet::Permitted, &rest).map_err(failed("permitted"))
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
            assert!(!kept(0).contains(&capability), "{capability}");
        }
    }

    #[test]
    fn an_ordinary_user_keeps_none() {
        assert_eq!(kept(0).len(), 12);
        assert!(kept(1).is_empty() && kept(1000).is_empty() && kept(u32::MAX).is_empty());
    }
}
