//! Limits of resources that are asked for, setrlimit(2).

use std::fmt;

use nix::errno::Errno;
use nix::sys::resource::{getrlimit, rlim_t, setrlimit};

use super::status::Degree;
use crate::options::{Rlimit, resource_name};

/// Limits that this process can set whatever it loses in between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Prepared {
    limits: Vec<Rlimit>,
    /// What is lower than was asked for.
    lowered: Vec<Rlimit>,
}

/// What of a limit can be had where the hard limit is `ceiling`. Who asks for more gets as much as there is: a limit is there to be
/// kept, not to be reached.
fn within(asked: Rlimit, ceiling: rlim_t) -> Rlimit {
    Rlimit {
        soft: asked.soft.min(ceiling),
        hard: asked.hard.min(ceiling),
        ..asked
    }
}

/// Raises the hard limits that are to be higher, which takes `CAP_SYS_RESOURCE`. Nothing is lowered yet.
pub(super) fn prepare(asked: &[Rlimit]) -> Result<Prepared, RlimitError> {
    let mut prepared = Prepared::default();
    for &asked in asked {
        let failed = |errno| RlimitError { limit: asked, errno };
        let (soft, hard) = getrlimit(asked.resource).map_err(failed)?;
        let raised = asked.hard <= hard || setrlimit(asked.resource, soft, asked.hard).is_ok();
        let limit = if raised { asked } else { within(asked, hard) };
        prepared.lowered.extend((limit != asked).then_some(limit));
        prepared.limits.push(limit);
    }
    Ok(prepared)
}

impl Prepared {
    /// Sets them.
    pub(super) fn set(&self) -> Result<(), RlimitError> {
        self.limits.iter().try_for_each(|&limit| {
            let Rlimit { resource, soft, hard } = limit;
            setrlimit(resource, soft, hard).map_err(|errno| RlimitError { limit, errno })
        })
    }

    /// How far they are what was asked for; none where nothing was.
    pub(super) fn degree(&self) -> Option<Degree> {
        let list = |limits: &[Rlimit]| limits.iter().map(shown).collect::<Vec<_>>().join(" ");
        match (&self.limits[..], &self.lowered[..]) {
            ([], _) => None,
            (limits, []) => Some(Degree::Full(list(limits).into())),
            (_, lowered) => {
                let text = format!(
                    "the caller's own limits are lower than what was asked for: {}",
                    list(lowered)
                );
                Some(Degree::Partial(text.into()))
            }
        }
    }
}

fn shown(limit: &Rlimit) -> String {
    let amount = |number: rlim_t| match number {
        rlim_t::MAX => "unlimited".to_owned(),
        number => number.to_string(),
    };
    let name = resource_name(limit.resource);
    format!("{name}={}:{}", amount(limit.soft), amount(limit.hard))
}

/// A limit was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RlimitError {
    limit: Rlimit,
    errno: Errno,
}

impl fmt::Display for RlimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set the limit {}: {}", shown(&self.limit), self.errno.desc())
    }
}

impl std::error::Error for RlimitError {}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::{RLIM_INFINITY, Resource};

    fn limit(soft: rlim_t, hard: rlim_t) -> Rlimit {
        Rlimit {
            resource: Resource::RLIMIT_NOFILE,
            soft,
            hard,
        }
    }

    #[test]
    fn never_above_the_ceiling() {
        for (asked, ceiling, expected) in [
            (limit(1, 2), 4, limit(1, 2)),
            (limit(1, 8), 4, limit(1, 4)),
            (limit(6, 8), 4, limit(4, 4)),
            (limit(RLIM_INFINITY, RLIM_INFINITY), 4, limit(4, 4)),
        ] {
            assert_eq!(within(asked, ceiling), expected);
        }
    }

    #[test]
    fn degrees() {
        let prepared = |limits: &[Rlimit], lowered: &[Rlimit]| Prepared {
            limits: limits.to_vec(),
            lowered: lowered.to_vec(),
        };
        let full = prepared(&[limit(1, RLIM_INFINITY)], &[]).degree();
        assert_eq!(full, Some(Degree::Full("nofile=1:unlimited".into())));
        let partial = prepared(&[limit(1, 2)], &[limit(1, 2)]).degree().unwrap();
        assert_eq!(partial.name(), "partial");
        assert!(partial.reason().ends_with("asked for: nofile=1:2"), "{partial:?}");
        assert_eq!(prepared(&[], &[]).degree(), None);
    }
}
