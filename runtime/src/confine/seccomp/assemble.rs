//! The program for the kernel: for each machine a search for the number by halves, so that no call waits for more than a few
//! comparisons however many there are. Pure.
//!
//! seccompiler, the usual crate for this, has one action for all calls that match, kills on calls of other machines, and compares number
//! after number; profiles need more, and libseccomp is no part of a static program of this size.

use std::fmt;

use libc::sock_filter;

use super::instruction::{ARCHITECTURE, JUMP, JUMP_IF_EQUAL, JUMP_IF_NOT_LESS, LOAD, NUMBER, RETURN, jump, statement};
use super::policy::{Action, Calls, Policy, Rule};
use super::rule::of_rule;

/// As many as the kernel takes, `linux/bpf_common.h`.
const LONGEST: usize = 4096;

/// The rules need a longer program than the kernel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// How many instructions they need.
    pub length: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its program has {} instructions; the kernel takes {LONGEST}",
            self.length
        )
    }
}

/// The program of a policy.
///
/// # Errors
/// [`TooLong`].
pub(super) fn assemble(policy: &Policy) -> Result<Vec<sock_filter>, TooLong> {
    let mut program = vec![statement(LOAD, ARCHITECTURE)];
    for calls in &policy.calls {
        let body = of_machine(calls);
        program.push(jump(JUMP_IF_EQUAL, calls.architecture, 1, 0));
        program.push(far(body.len()));
        program.extend(body);
    }
    program.push(returned(policy.foreign));
    match program.len() {
        0..=LONGEST => Ok(program),
        length => Err(TooLong { length }),
    }
}

fn returned(action: Action) -> sock_filter {
    statement(RETURN, action.value())
}

/// Over more instructions than a condition can pass. A program where the length does not fit is far too long anyway.
fn far(length: usize) -> sock_filter {
    statement(JUMP, u32::try_from(length).unwrap_or(u32::MAX))
}

fn of_machine(calls: &Calls) -> Vec<sock_filter> {
    let segments = segments(calls);
    let mut program = vec![statement(LOAD, NUMBER)];
    if segments.len() <= FEW && segments.iter().map(|segment| segment.rules.len()).sum::<usize>() <= FEW_RULES {
        program.extend(short_search(&segments));
    } else {
        program.extend(search(&segments));
    }
    program
}

/// Segments, whose comparisons and returns, and what [`FEW_RULES`] take behind them, all lie within the reach of a condition: 255
/// instructions.
const FEW: usize = 100;

/// Rules with conditions, of at most 11 instructions where they compare one argument.
const FEW_RULES: usize = 4;

/// What becomes of the calls from a number to that of the next segment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment<'a> {
    first: u32,
    /// Rules with conditions, which come first.
    rules: Vec<&'a Rule>,
    otherwise: Action,
}

/// In order, neighbours different, the first from 0.
fn segments(calls: &Calls) -> Vec<Segment<'_>> {
    let plain = |first, otherwise| Segment {
        first,
        rules: Vec::new(),
        otherwise,
    };
    let end = calls.beyond.first().map_or(u32::MAX, |&(first, _)| first);
    let mut rules: Vec<&Rule> = Vec::with_capacity(calls.rules.len());
    // Rules about one call stay in their order. The library's sort would take kilobytes of the stub.
    for rule in calls.rules.iter().filter(|rule| rule.number < end) {
        rules.insert(rules.partition_point(|known| known.number <= rule.number), rule);
    }
    let mut all = vec![plain(0, calls.otherwise)];
    for about_one in rules.chunk_by(|one, next| one.number == next.number) {
        let number = about_one[0].number;
        let certain = about_one.iter().position(|rule| rule.conditions.is_empty());
        let (conditional, rest) = about_one.split_at(certain.unwrap_or(about_one.len()));
        all.push(Segment {
            first: number,
            rules: conditional.to_vec(),
            otherwise: rest.first().map_or(calls.otherwise, |rule| rule.action),
        });
        all.push(plain(number.saturating_add(1), calls.otherwise));
    }
    all.extend(calls.beyond.iter().map(|&(first, action)| plain(first, action)));
    // What begins where another does stands in its place.
    all.reverse();
    all.dedup_by_key(|segment| segment.first);
    all.reverse();
    all.dedup_by(|next, one| next.rules.is_empty() && one.rules.is_empty() && next.otherwise == one.otherwise);
    all
}

/// A search that ends in what is behind it, a return for each action and then the segments that have rules: half as long, and what the
/// kernel takes to compile a program is most of what a filter costs a start. Only for [`FEW`] segments with [`FEW_RULES`].
fn short_search(segments: &[Segment<'_>]) -> Vec<sock_filter> {
    let mut ends = Vec::new();
    let mut program = Vec::with_capacity(segments.len());
    compare(segments, &mut program, &mut ends);
    let mut actions: Vec<Action> = Vec::new();
    for segment in segments.iter().filter(|segment| segment.rules.is_empty()) {
        if !actions.contains(&segment.otherwise) {
            actions.push(segment.otherwise);
        }
    }
    let mut tail: Vec<sock_filter> = actions.iter().copied().map(returned).collect();
    for End { at, if_so, segment } in ends {
        let known = actions.iter().position(|known| *known == segment.otherwise);
        let place = known.filter(|_| segment.rules.is_empty()).unwrap_or_else(|| {
            let place = tail.len();
            tail.extend(of_segment(segment));
            place
        });
        let distance = u8::try_from(program.len() + place - at - 1).unwrap_or(u8::MAX);
        match if_so {
            true => program[at].jt = distance,
            false => program[at].jf = distance,
        }
    }
    if let ([], [segment]) = (&program[..], segments)
        && tail.is_empty()
    {
        return of_segment(segment);
    }
    program.extend(tail);
    program
}

/// Where a comparison ends the search.
struct End<'a> {
    at: usize,
    if_so: bool,
    segment: &'a Segment<'a>,
}

fn compare<'a>(segments: &'a [Segment<'a>], program: &mut Vec<sock_filter>, ends: &mut Vec<End<'a>>) {
    let (lower, upper) = segments.split_at(segments.len() / 2);
    let (Some(_), Some(middle)) = (lower.first(), upper.first()) else {
        return;
    };
    let at = program.len();
    program.push(jump(JUMP_IF_NOT_LESS, middle.first, 0, 0));
    for (half, if_so) in [(lower, false), (upper, true)] {
        if let [segment] = half {
            ends.push(End { at, if_so, segment });
            continue;
        }
        let near = u8::try_from(program.len() - at - 1).unwrap_or(u8::MAX);
        match if_so {
            true => program[at].jt = near,
            false => program[at].jf = near,
        }
        compare(half, program, ends);
    }
}

fn search(segments: &[Segment<'_>]) -> Vec<sock_filter> {
    let (lower, upper) = segments.split_at(segments.len() / 2);
    let (Some(_), Some(middle)) = (lower.first(), upper.first()) else {
        return upper.first().map_or(Vec::new(), of_segment);
    };
    let below = search(lower);
    let mut program = match u8::try_from(below.len()) {
        Ok(near) => vec![jump(JUMP_IF_NOT_LESS, middle.first, near, 0)],
        Err(_) => vec![jump(JUMP_IF_NOT_LESS, middle.first, 0, 1), far(below.len())],
    };
    program.extend(below);
    program.extend(search(upper));
    program
}

fn of_segment(segment: &Segment<'_>) -> Vec<sock_filter> {
    let mut program = Vec::new();
    for rule in &segment.rules {
        program.extend(of_rule(rule));
    }
    program.push(returned(segment.otherwise));
    program
}

#[cfg(test)]
mod tests;
