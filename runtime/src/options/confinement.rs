//! Values of the options that confine a program.

use std::ffi::OsStr;
use std::os::fd::RawFd;
use std::path::PathBuf;

use nix::sys::resource::{RLIM_INFINITY, Resource, rlim_t};

use super::flag::Expected;
use crate::confine::capability_set::CapabilitySet;
use crate::confine::status::Layer;

/// Which filter of system calls is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterChoice {
    /// That of every program.
    Default,
    /// None.
    Off,
    /// The profile in this file of the host.
    File(PathBuf),
}

/// `default`, `none`, or a path: relative ones with a slash.
pub(super) fn filter(text: &OsStr) -> Result<FilterChoice, Expected> {
    match text.to_str() {
        Some("default") => Ok(FilterChoice::Default),
        Some("none") => Ok(FilterChoice::Off),
        Some("") => Err("default, none or the path of a profile"),
        _ => Ok(FilterChoice::File(text.into())),
    }
}

/// Names of capabilities between commas.
pub(super) fn capabilities(text: &OsStr) -> Result<CapabilitySet, Expected> {
    let set = text.to_str().and_then(CapabilitySet::parse);
    set.ok_or("names of capabilities(7) between commas, such as net_bind_service,sys_nice, or all")
}

/// Names of layers between commas.
pub(super) fn layers(text: &OsStr) -> Result<Vec<Layer>, Expected> {
    let names = text.to_str().map(|text| text.split(',').map(Layer::named).collect());
    names
        .flatten()
        .ok_or("layers between commas, such as seccomp,net: --status names them")
}

/// The number of a descriptor that is no standard stream.
pub(super) fn descriptor(text: &OsStr) -> Result<RawFd, Expected> {
    let number = text.to_str().and_then(|text| text.parse().ok());
    number
        .filter(|&number: &RawFd| number > 2)
        .ok_or("the number of an open descriptor above 2")
}

/// A limit, setrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// Of what.
    pub resource: Resource,
    /// What counts.
    pub soft: rlim_t,
    /// How far it can be raised again.
    pub hard: rlim_t,
}

/// Names as the OCI runtime specification and prlimit(1) have them, without `RLIMIT_` and in small letters.
const RESOURCES: [(&str, Resource); 16] = [
    ("as", Resource::RLIMIT_AS),
    ("core", Resource::RLIMIT_CORE),
    ("cpu", Resource::RLIMIT_CPU),
    ("data", Resource::RLIMIT_DATA),
    ("fsize", Resource::RLIMIT_FSIZE),
    ("locks", Resource::RLIMIT_LOCKS),
    ("memlock", Resource::RLIMIT_MEMLOCK),
    ("msgqueue", Resource::RLIMIT_MSGQUEUE),
    ("nice", Resource::RLIMIT_NICE),
    ("nofile", Resource::RLIMIT_NOFILE),
    ("nproc", Resource::RLIMIT_NPROC),
    ("rss", Resource::RLIMIT_RSS),
    ("rtprio", Resource::RLIMIT_RTPRIO),
    ("rttime", Resource::RLIMIT_RTTIME),
    ("sigpending", Resource::RLIMIT_SIGPENDING),
    ("stack", Resource::RLIMIT_STACK),
];

/// What a resource is called in options.
pub(crate) fn resource_name(resource: Resource) -> &'static str {
    let known = RESOURCES.iter().find(|(_, known)| *known == resource);
    known.map_or("unknown", |(name, _)| name)
}

/// `TYPE=SOFT[:HARD]`; SOFT alone is both.
pub(super) fn rlimit(text: &OsStr) -> Result<Rlimit, Expected> {
    const EXPECTED: Expected = "TYPE=SOFT[:HARD] with numbers or unlimited, SOFT not above HARD, and a TYPE of prlimit(1): nofile, nproc, as, core, …";
    let read = || {
        let (name, limits) = text.to_str()?.split_once('=')?;
        let (_, resource) = RESOURCES.iter().find(|(known, _)| *known == name)?;
        let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
        let (soft, hard) = (amount(soft)?, amount(hard)?);
        (soft <= hard).then_some(Rlimit {
            resource: *resource,
            soft,
            hard,
        })
    };
    read().ok_or(EXPECTED)
}

/// A number of what setrlimit(2) counts the resource in.
fn amount(text: &str) -> Option<rlim_t> {
    match text {
        // The highest number, so that every other is below it.
        "unlimited" | "infinity" => Some(RLIM_INFINITY),
        _ => text
            .parse()
            .ok()
            .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        for (text, expected) in [
            ("default", Ok(FilterChoice::Default)),
            ("none", Ok(FilterChoice::Off)),
            ("/etc/p.json", Ok(FilterChoice::File("/etc/p.json".into()))),
            ("./none", Ok(FilterChoice::File("./none".into()))),
        ] {
            assert_eq!(filter(OsStr::new(text)), expected);
        }
        assert!(filter(OsStr::new("")).is_err());
    }

    #[test]
    fn limits() {
        let both = |resource, soft, hard| Some(Rlimit { resource, soft, hard });
        for (text, expected) in [
            ("nofile=64", both(Resource::RLIMIT_NOFILE, 64, 64)),
            ("nofile=64:128", both(Resource::RLIMIT_NOFILE, 64, 128)),
            ("core=0:unlimited", both(Resource::RLIMIT_CORE, 0, RLIM_INFINITY)),
            ("as=infinity", both(Resource::RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY)),
            (
                "cpu=18446744073709551615",
                both(Resource::RLIMIT_CPU, u64::MAX, u64::MAX),
            ),
            ("nofile", None),
            ("nofile=", None),
            ("nofile=1:", None),
            ("nofile=:1", None),
            ("nofile=2:1", None),
            ("nofile=unlimited:1", None),
            ("nofile=-1", None),
            ("nofile=+1", None),
            ("nofile=1:2:3", None),
            ("nofile=18446744073709551616", None),
            ("RLIMIT_NOFILE=1", None),
            ("files=1", None),
            ("=1", None),
        ] {
            assert_eq!(rlimit(OsStr::new(text)).ok(), expected, "{text}");
        }
    }

    #[test]
    fn resources_have_a_name_each() {
        for (name, resource) in RESOURCES {
            assert_eq!(resource_name(resource), name);
        }
    }

    #[test]
    fn lists_and_numbers() {
        assert_eq!(layers(OsStr::new("seccomp,net")), Ok(vec![Layer::Seccomp, Layer::Net]));
        for text in ["", "seccomp,", "Net", "seccomp net"] {
            assert!(layers(OsStr::new(text)).is_err(), "{text}");
        }
        for (text, expected) in [
            ("3", Some(3)),
            ("1000", Some(1000)),
            ("2", None),
            ("-1", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(descriptor(OsStr::new(text)).ok(), expected, "{text}");
        }
    }
}
