//! A profile of system calls: `linux.seccomp` of the OCI runtime specification, with what Docker's profiles have besides. The names
//! of actions, calls and comparisons mean what they mean there; `runtime::confine::seccomp` knows them.

use serde::{Deserialize, Deserializer, Serialize};

use super::object::{object, object_or_null, objects_or_null};
use super::validate::ManifestError;

/// What becomes of which system calls. Only those of the machine that a bundle is for: lists of architectures are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seccomp {
    /// What becomes of calls that no rule is about: `SCMP_ACT_ERRNO`, …
    pub default_action: String,
    /// The number of errno(3) with it; none: `EPERM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// The rules.
    #[serde(default, deserialize_with = "objects_or_null", skip_serializing_if = "Vec::is_empty")]
    pub syscalls: Vec<SeccompRule>,
}

/// What becomes of some calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompRule {
    /// Their names.
    #[serde(default, deserialize_with = "words", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// One name, as old profiles of Docker's have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What becomes of them.
    pub action: String,
    /// The number of errno(3) with it; none: `EPERM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// What their arguments must be for that: all of it, or where two are about the same argument, one of it.
    #[serde(default, deserialize_with = "objects_or_null", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<SeccompArgument>,
    /// Where the rule is one.
    #[serde(
        default,
        deserialize_with = "object_or_null",
        skip_serializing_if = "SeccompPlace::is_everywhere"
    )]
    pub includes: SeccompPlace,
    /// Where it is none.
    #[serde(
        default,
        deserialize_with = "object_or_null",
        skip_serializing_if = "SeccompPlace::is_everywhere"
    )]
    pub excludes: SeccompPlace,
}

/// What an argument must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompArgument {
    /// Which, from 0.
    pub index: u32,
    /// What it is compared with, or the mask.
    pub value: u64,
    /// With a mask, what is left of the argument.
    #[serde(default)]
    pub value_two: u64,
    /// How: `SCMP_CMP_EQ`, …
    pub op: String,
}

/// Docker's: where a rule is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompPlace {
    /// Capabilities that the program has: of the including ones all, of the excluding ones any.
    #[serde(default, deserialize_with = "words", skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// Machines, as Docker calls them: `amd64`, `arm64`, …
    #[serde(default, deserialize_with = "words", skip_serializing_if = "Vec::is_empty")]
    pub arches: Vec<String>,
    /// The first version of Linux: `4.8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_kernel: Option<String>,
}

impl SeccompPlace {
    fn is_everywhere(&self) -> bool {
        *self == Self::default()
    }
}

impl Seccomp {
    /// The profile in the bytes of a file. What else stands there, such as comments and lists of architectures, is not kept.
    ///
    /// # Errors
    /// [`ManifestError::Json`] when they are no JSON of that shape.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let profile = object(&mut json).map_err(ManifestError::from_json)?;
        json.end().map_err(ManifestError::from_json)?;
        Ok(profile)
    }
}

/// A list of words, or `null`.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_as_docker_writes_it() {
        let profile = Seccomp::parse(
            br#"{
                "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
                "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": null}],
                "syscalls": [
                    {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "", "includes": {}, "excludes": {}},
                    {"name": "clone", "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]},
                     "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}]}
                ]
            }"#,
        )
        .unwrap();
        assert_eq!(profile.default_errno_ret, Some(1));
        let [read, clone] = &profile.syscalls[..] else {
            panic!("{profile:?}")
        };
        assert_eq!((&read.names[..], &read.args[..]), (&["read".to_owned()][..], &[][..]));
        assert_eq!(clone.name.as_deref(), Some("clone"));
        assert_eq!((clone.args[0].value, clone.args[0].value_two), (2_114_060_288, 0));
        assert_eq!(clone.excludes.caps, ["CAP_SYS_ADMIN"]);
        let stored = serde_json::to_vec(&profile).unwrap();
        assert_eq!(Seccomp::parse(&stored).unwrap(), profile);
        assert!(!String::from_utf8(stored).unwrap().contains("null"));
    }

    #[test]
    fn what_is_no_profile() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"defaultAction": 1}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW"} x"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"]}]}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": "read", "action": "SCMP_ACT_LOG"}]}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": -1}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [["read"]]}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "", "args": [[0, 0, 0, ""]]}]}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "", "includes": [[], []]}]}"#,
        ] {
            assert!(Seccomp::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
