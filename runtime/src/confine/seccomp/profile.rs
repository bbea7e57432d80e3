//! Profiles in the words of the OCI runtime specification and of Docker, made into a policy. They are read as runc reads them: a call that
//! this machine has not is passed over, an action that nobody knows is an error, conditions on the same argument are
//! alternatives, and calls that are newer than any that the profile names do not exist, so that libraries fall back.

use std::fmt;

use bundle::manifest::{Seccomp, SeccompArgument, SeccompPlace, SeccompRule};

use super::denied::ENOSYS;
use super::instruction::NATIVE;
use super::names;
use super::policy::{Action, Calls, Comparison, Condition, Policy, Rule, X32};
use crate::confine::capability_set::CapabilitySet;

/// The highest number of an error, `linux/err.h`.
const MAX_ERRNO: u32 = 4095;
/// Arguments that a call has.
const ARGUMENTS: u32 = 6;

/// What the conditions of a profile's rules, `includes` and `excludes`, are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Circumstances {
    /// What the app may have.
    pub(super) capabilities: CapabilitySet,
    /// The first two numbers of the kernel's version.
    pub(super) kernel: (u32, u32),
}

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileFault {
    /// An action that nobody knows, or that needs somebody who answers.
    Action(String),
    /// A comparison that nobody knows.
    Comparison(String),
    /// No call has such an argument.
    Argument(u32),
    /// No error has this number.
    Errno(u32),
    /// No version of Linux.
    Kernel(String),
    /// The calls of this machine are not known.
    Machine,
}

impl fmt::Display for ProfileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(name) if name == NOTIFY => {
                write!(f, "{name}: there is nobody here who would answer")
            }
            Self::Action(name) => write!(f, "{name}: no action of seccomp's"),
            Self::Comparison(name) => write!(f, "{name}: no comparison of seccomp's"),
            Self::Argument(index) => write!(f, "argument {index}: calls have arguments 0 to 5"),
            Self::Errno(number) => write!(f, "errnoRet {number}: the highest number of an error is {MAX_ERRNO}"),
            Self::Kernel(version) => write!(f, "minKernel {version:?}: expected a version such as 4.8"),
            Self::Machine => f.write_str("the system calls of this machine are not known to polecat"),
        }
    }
}

impl std::error::Error for ProfileFault {}

const NOTIFY: &str = "SCMP_ACT_NOTIFY";

/// What the profile means under these circumstances.
///
/// # Errors
/// [`ProfileFault`].
pub(super) fn policy(profile: &Seccomp, circumstances: Circumstances) -> Result<Policy, ProfileFault> {
    let otherwise = action(&profile.default_action, profile.default_errno_ret)?;
    let mut rules = Vec::new();
    let mut last = None;
    for rule in &profile.syscalls {
        // Of a rule that is for other circumstances, too, every word must mean something.
        let rule_action = action(&rule.action, rule.errno_ret)?;
        let alternatives = alternatives(&rule.args)?;
        let applies = applies(rule, circumstances)?;
        for name in rule.names.iter().chain(&rule.name) {
            let Some(number) = names::number(name) else { continue };
            last = last.max(Some(number));
            for conditions in alternatives.iter().filter(|_| applies) {
                rules.push(Rule {
                    number,
                    conditions: conditions.clone(),
                    action: rule_action,
                });
            }
        }
    }
    let mut beyond = Vec::new();
    if let Some(last) = last.filter(|_| !otherwise.permits()) {
        beyond.push((last.saturating_add(1), Action::Errno(ENOSYS)));
    }
    if cfg!(target_arch = "x86_64") {
        beyond.push((X32, Action::KillProcess));
    }
    let native = Calls {
        architecture: NATIVE.ok_or(ProfileFault::Machine)?,
        rules,
        otherwise,
        beyond,
    };
    Ok(Policy {
        calls: vec![native],
        // As libseccomp does with calls of machines that it has no rules for.
        foreign: Action::KillProcess,
    })
}

/// Every name of the profile that is no system call of any machine, each once.
#[must_use]
pub fn unknown_names(profile: &Seccomp) -> Vec<&str> {
    let named = profile
        .syscalls
        .iter()
        .flat_map(|rule| rule.names.iter().chain(&rule.name));
    let mut unknown: Vec<&str> = named.map(String::as_str).filter(|name| !names::is_call(name)).collect();
    unknown.sort_unstable();
    unknown.dedup();
    unknown
}

fn action(name: &str, errno: Option<u32>) -> Result<Action, ProfileFault> {
    const EPERM: u32 = 1;
    let errno = errno.unwrap_or(EPERM);
    let number = u16::try_from(errno).ok().filter(|_| errno <= MAX_ERRNO);
    let number = number.ok_or(ProfileFault::Errno(errno));
    match name {
        "SCMP_ACT_ALLOW" => Ok(Action::Allow),
        "SCMP_ACT_LOG" => Ok(Action::Log),
        "SCMP_ACT_ERRNO" => number.map(Action::Errno),
        "SCMP_ACT_TRACE" => number.map(Action::Trace),
        "SCMP_ACT_TRAP" => Ok(Action::Trap),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Ok(Action::KillThread),
        "SCMP_ACT_KILL_PROCESS" => Ok(Action::KillProcess),
        _ => Err(ProfileFault::Action(name.to_owned())),
    }
}

/// Conditions that must hold together: all, unless two are about one argument. Then each stands for itself.
fn alternatives(arguments: &[SeccompArgument]) -> Result<Vec<Vec<Condition>>, ProfileFault> {
    let conditions: Vec<Condition> = arguments.iter().map(condition).collect::<Result<_, _>>()?;
    let twice = |condition: &Condition| {
        let same = conditions.iter().filter(|other| other.argument == condition.argument);
        same.count() > 1
    };
    if conditions.iter().any(twice) {
        return Ok(conditions.into_iter().map(|condition| vec![condition]).collect());
    }
    Ok(vec![conditions])
}

fn condition(argument: &SeccompArgument) -> Result<Condition, ProfileFault> {
    let index = u8::try_from(argument.index).ok().filter(|_| argument.index < ARGUMENTS);
    let (comparison, value) = match argument.op.as_str() {
        "SCMP_CMP_NE" => (Comparison::NotEqual, argument.value),
        "SCMP_CMP_LT" => (Comparison::Less, argument.value),
        "SCMP_CMP_LE" => (Comparison::LessOrEqual, argument.value),
        "SCMP_CMP_EQ" => (Comparison::Equal, argument.value),
        "SCMP_CMP_GE" => (Comparison::GreaterOrEqual, argument.value),
        "SCMP_CMP_GT" => (Comparison::Greater, argument.value),
        "SCMP_CMP_MASKED_EQ" => (Comparison::MaskedEqual(argument.value), argument.value_two),
        other => return Err(ProfileFault::Comparison(other.to_owned())),
    };
    Ok(Condition {
        argument: index.ok_or(ProfileFault::Argument(argument.index))?,
        comparison,
        value,
    })
}

/// Docker's conditions.
fn applies(rule: &SeccompRule, circumstances: Circumstances) -> Result<bool, ProfileFault> {
    let SeccompRule { includes, excludes, .. } = rule;
    let has = |name: &String| {
        let named = CapabilitySet::parse(name);
        named.is_some_and(|named| named.and(circumstances.capabilities) == named)
    };
    let here = |at: &SeccompPlace| at.arches.iter().any(|machine| machine == machine_name());
    let new_enough = |at: &SeccompPlace| match &at.min_kernel {
        Some(first) => kernel(first).map(|first| Some(circumstances.kernel >= first)),
        None => Ok(None),
    };
    let excluded = here(excludes) || excludes.caps.iter().any(has) || new_enough(excludes)?.unwrap_or(false);
    let included = (includes.arches.is_empty() || here(includes))
        && includes.caps.iter().all(has)
        && new_enough(includes)?.unwrap_or(true);
    Ok(included && !excluded)
}

/// As Docker calls it.
fn machine_name() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The first two numbers of a version.
fn kernel(version: &str) -> Result<(u32, u32), ProfileFault> {
    numbers(version).ok_or_else(|| ProfileFault::Kernel(version.to_owned()))
}

/// The first two numbers of the kernel's release, or of a version.
pub(super) fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::assemble::assemble;
    use super::super::instruction::machine::run;
    use super::*;

    const HERE: Circumstances = Circumstances {
        capabilities: CapabilitySet::NONE,
        kernel: (6, 1),
    };

    fn profile(text: &str) -> Seccomp {
        Seccomp::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// What becomes of the call `name`.
    fn answer(profile: &Seccomp, circumstances: Circumstances, name: &str, arguments: [u64; 6]) -> u32 {
        let program = assemble(&policy(profile, circumstances).unwrap()).unwrap();
        run(&program, NATIVE.unwrap_or(0), names::number(name).unwrap(), arguments)
    }

    #[test]
    fn actions() {
        for (name, errno, expected) in [
            ("SCMP_ACT_ALLOW", None, Some(Action::Allow)),
            ("SCMP_ACT_ALLOW", Some(1), Some(Action::Allow)),
            ("SCMP_ACT_LOG", None, Some(Action::Log)),
            ("SCMP_ACT_ERRNO", None, Some(Action::Errno(1))),
            ("SCMP_ACT_ERRNO", Some(38), Some(Action::Errno(38))),
            ("SCMP_ACT_ERRNO", Some(0), Some(Action::Errno(0))),
            ("SCMP_ACT_ERRNO", Some(4096), None),
            ("SCMP_ACT_TRACE", Some(7), Some(Action::Trace(7))),
            ("SCMP_ACT_TRAP", None, Some(Action::Trap)),
            ("SCMP_ACT_KILL", None, Some(Action::KillThread)),
            ("SCMP_ACT_KILL_THREAD", None, Some(Action::KillThread)),
            ("SCMP_ACT_KILL_PROCESS", None, Some(Action::KillProcess)),
            ("SCMP_ACT_NOTIFY", None, None),
            ("scmp_act_allow", None, None),
            ("", None, None),
        ] {
            assert_eq!(action(name, errno).ok(), expected, "{name} {errno:?}");
        }
    }

    #[test]
    fn faults_are_found_in_rules_for_other_places_too() {
        for (rule, told) in [
            (
                r#"{"names":["read"],"action":"SCMP_ACT_FLY"}"#,
                "SCMP_ACT_FLY: no action",
            ),
            (r#"{"names":["read"],"action":"SCMP_ACT_NOTIFY"}"#, "nobody here"),
            (
                r#"{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":70000}"#,
                "errnoRet 70000",
            ),
            (
                r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}"#,
                "argument 6",
            ),
            (
                r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["s390x"]},
                    "args":[{"index":0,"value":0,"op":"=="}]}"#,
                "==: no comparison",
            ),
            (
                r#"{"names":["read"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"new"}}"#,
                r#"minKernel "new""#,
            ),
        ] {
            let profile = profile(&format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{rule}]}}"#));
            let fault = policy(&profile, HERE).unwrap_err().to_string();
            assert!(fault.contains(told), "{rule}: {fault}");
        }
    }

    #[test]
    fn calls_by_name_and_what_is_newer() {
        if NATIVE.is_none() {
            return;
        }
        let list = profile(
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":13,"syscalls":[
                {"names":["read","telepathy","chown32"],"action":"SCMP_ACT_ALLOW"},
                {"name":"openat2","action":"SCMP_ACT_ERRNO","errnoRet":38}]}"#,
        );
        let none = [0; 6];
        assert_eq!(answer(&list, HERE, "read", none), Action::Allow.value());
        assert_eq!(answer(&list, HERE, "write", none), Action::Errno(13).value());
        assert_eq!(answer(&list, HERE, "openat2", none), Action::Errno(38).value());
        assert_eq!(answer(&list, HERE, "faccessat2", none), Action::Errno(38).value());
        assert_eq!(unknown_names(&list), ["telepathy"]);
        let permissive =
            profile(r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO"}]}"#);
        assert_eq!(answer(&permissive, HERE, "read", none), Action::Errno(1).value());
        assert_eq!(answer(&permissive, HERE, "faccessat2", none), Action::Allow.value());
        let program = assemble(&policy(&list, HERE).unwrap()).unwrap();
        assert_eq!(run(&program, 0x1234, 0, none), Action::KillProcess.value());
        if cfg!(target_arch = "x86_64") {
            assert_eq!(run(&program, 0xc000_003e, X32, none), Action::KillProcess.value());
        }
    }

    #[test]
    fn conditions_on_one_argument_are_alternatives() {
        if NATIVE.is_none() {
            return;
        }
        let rule = |second| {
            profile(&format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[
                    {{"index":0,"value":0,"op":"SCMP_CMP_EQ"}},{{"index":{second},"value":8,"op":"SCMP_CMP_EQ"}}]}}]}}"#
            ))
        };
        let (one, two) = (rule(0), rule(1));
        for (profile, arguments, allowed) in [
            (&one, [0, 0, 0, 0, 0, 0], true),
            (&one, [8, 0, 0, 0, 0, 0], true),
            (&one, [9, 0, 0, 0, 0, 0], false),
            (&two, [0, 8, 0, 0, 0, 0], true),
            (&two, [0, 9, 0, 0, 0, 0], false),
            (&two, [8, 8, 0, 0, 0, 0], false),
        ] {
            let expected = if allowed { Action::Allow } else { Action::Errno(1) };
            let answer = answer(profile, HERE, "personality", arguments);
            assert_eq!(answer, expected.value(), "{arguments:?}");
        }
    }

    #[test]
    fn places() {
        let capable = Circumstances {
            capabilities: CapabilitySet::parse("sys_admin,sys_time").unwrap(),
            ..HERE
        };
        let here = machine_name();
        for (circumstances, conditions, expected) in [
            (HERE, String::new(), true),
            (HERE, r#","includes":{},"excludes":null"#.into(), true),
            (HERE, r#","includes":{"caps":["CAP_SYS_ADMIN"]}"#.into(), false),
            (capable, r#","includes":{"caps":["CAP_SYS_ADMIN"]}"#.into(), true),
            (
                capable,
                r#","includes":{"caps":["CAP_SYS_ADMIN","CAP_BPF"]}"#.into(),
                false,
            ),
            (
                capable,
                r#","excludes":{"caps":["CAP_BPF","CAP_SYS_TIME"]}"#.into(),
                false,
            ),
            (HERE, r#","excludes":{"caps":["CAP_SYS_ADMIN"]}"#.into(), true),
            (HERE, r#","includes":{"minKernel":"4.8"}"#.into(), true),
            (HERE, r#","includes":{"minKernel":"6.1"}"#.into(), true),
            (HERE, r#","includes":{"minKernel":"6.10"}"#.into(), false),
            (HERE, r#","excludes":{"minKernel":"4.8"}"#.into(), false),
            (HERE, r#","includes":{"arches":["s390","s390x"]}"#.into(), false),
            (HERE, format!(r#","includes":{{"arches":["s390","{here}"]}}"#), true),
            (HERE, format!(r#","excludes":{{"arches":["{here}"]}}"#), false),
        ] {
            let profile = profile(&format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["read"],"action":"SCMP_ACT_ALLOW"{conditions}}}]}}"#
            ));
            let rule = &profile.syscalls[0];
            assert_eq!(applies(rule, circumstances), Ok(expected), "{conditions}");
        }
    }

    #[test]
    fn releases() {
        for (release, expected) in [
            ("6.1.0-18-amd64", Some((6, 1))),
            ("5.10", Some((5, 10))),
            ("4", None),
            ("", None),
        ] {
            assert_eq!(numbers(release), expected, "{release}");
        }
    }
}
