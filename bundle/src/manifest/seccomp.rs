//! A profile of system calls: `linux.seccomp` of the OCI runtime specification, with what Docker's profiles have besides. The names
//! of actions, calls and comparisons mean what they mean there; `runtime::confine::seccomp` knows them.

use serde::Serialize;

use super::record::{self, Field, Place, Record};
use super::validate::ManifestError;

/// What becomes of which system calls. Only those of the machine that a bundle is for: lists of architectures are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seccomp {
    /// What becomes of calls that no rule is about: `SCMP_ACT_ERRNO`, …
    pub default_action: String,
    /// The number of errno(3) with it; none: `EPERM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// The rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub syscalls: Vec<SeccompRule>,
}

/// What becomes of some calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompRule {
    /// Their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// One name, as old profiles of Docker's have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What becomes of them.
    pub action: String,
    /// The number of errno(3) with it; none: `EPERM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// What their arguments must be for that: all of it, or where two are about the same argument, one of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<SeccompArgument>,
    /// Where the rule is one.
    #[serde(skip_serializing_if = "SeccompPlace::is_everywhere")]
    pub includes: SeccompPlace,
    /// Where it is none.
    #[serde(skip_serializing_if = "SeccompPlace::is_everywhere")]
    pub excludes: SeccompPlace,
}

/// What an argument must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompArgument {
    /// Which, from 0.
    pub index: u32,
    /// What it is compared with, or the mask.
    pub value: u64,
    /// With a mask, what is left of the argument.
    pub value_two: u64,
    /// How: `SCMP_CMP_EQ`, …
    pub op: String,
}

/// Docker's: where a rule is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeccompPlace {
    /// Capabilities that the program has: of the including ones all, of the excluding ones any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// Machines, as Docker calls them: `amd64`, `arm64`, …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arches: Vec<String>,
    /// The first version of Linux: `4.8`.
    #[serde(skip_serializing_if = "Option::is_none")]
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
        let mut profile = Self::default();
        record::read(bytes, &mut profile)?;
        Ok(profile)
    }
}

impl Record for Seccomp {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::needed("defaultAction", Place::Text(&mut self.default_action)),
            Field::nullable("defaultErrnoRet", Place::OptionalShort(&mut self.default_errno_ret)),
            Field::nullable("syscalls", Place::Records(&mut self.syscalls)),
        ]
    }
}

impl Record for SeccompRule {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::nullable("names", Place::Texts(&mut self.names)),
            Field::nullable("name", Place::OptionalText(&mut self.name)),
            Field::needed("action", Place::Text(&mut self.action)),
            Field::nullable("errnoRet", Place::OptionalShort(&mut self.errno_ret)),
            Field::nullable("args", Place::Records(&mut self.args)),
            Field::nullable("includes", Place::Record(&mut self.includes)),
            Field::nullable("excludes", Place::Record(&mut self.excludes)),
        ]
    }
}

impl Record for SeccompArgument {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::nullable("index", Place::Short(&mut self.index)),
            Field::nullable("value", Place::Number(&mut self.value)),
            Field::nullable("valueTwo", Place::Number(&mut self.value_two)),
            Field::needed("op", Place::Text(&mut self.op)),
        ]
    }
}

impl Record for SeccompPlace {
    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::nullable("caps", Place::Texts(&mut self.caps)),
            Field::nullable("arches", Place::Texts(&mut self.arches)),
            Field::nullable("minKernel", Place::OptionalText(&mut self.min_kernel)),
        ]
    }
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
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultAction": "SCMP_ACT_ALLOW"}"#,
            r#"{"defaultAction": null}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 4294967296}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1.5}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "", "args": [[0, 0, 0, ""]]}]}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "", "includes": [[], []]}]}"#,
        ] {
            assert!(Seccomp::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
