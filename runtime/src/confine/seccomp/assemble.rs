//! The program for the kernel: for each machine a search for the number by halves, so that no call waits for more than a few
//! comparisons however many there are. Pure.
//!
//! seccompiler, the usual crate for this, has one action for all calls that match, kills on calls of other machines, and compares number
//! after number; profiles need more, and libseccomp is no part of a static program of this size.

use std::fmt;

use libc::sock_filter;

use super::instruction::{
    AND, ARCHITECTURE, JUMP, JUMP_IF_EQUAL, JUMP_IF_GREATER, JUMP_IF_NOT_LESS, LOAD, NUMBER, RETURN, high, jump, low,
    statement,
};
use super::policy::{Action, Calls, Comparison, Condition, Policy, Rule};

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
    let mut program: Vec<sock_filter> = segment.rules.iter().flat_map(|rule| of_rule(rule)).collect();
    program.push(returned(segment.otherwise));
    program
}

/// Where a comparison leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Next,
    /// What follows the condition.
    Holds,
    /// What follows the rule.
    Fails,
}

/// Returns where all conditions hold, else goes on behind itself.
fn of_rule(rule: &Rule) -> Vec<sock_filter> {
    let conditions: Vec<_> = rule.conditions.iter().map(of_condition).collect();
    // The instruction that returns is the last one.
    let length: usize = conditions.iter().map(Vec::len).sum::<usize>() + 1;
    let mut program = Vec::with_capacity(length);
    for condition in conditions {
        let end = program.len() + condition.len();
        for (instruction, if_so, otherwise) in condition {
            let here = program.len() + 1;
            let distance = |to| match to {
                To::Next => 0,
                To::Holds => end - here,
                To::Fails => length - here,
            };
            // Six conditions have not as many instructions; `profile` takes no more.
            let near = |to| u8::try_from(distance(to)).unwrap_or(u8::MAX);
            program.push(sock_filter {
                jt: near(if_so),
                jf: near(otherwise),
                ..instruction
            });
        }
    }
    program.push(returned(rule.action));
    program
}

/// The upper half decides, else the lower does.
fn of_condition(condition: &Condition) -> Vec<(sock_filter, To, To)> {
    use To::{Fails, Holds, Next};

    let &Condition {
        argument,
        comparison,
        value,
    } = condition;
    let step = |code, k| (statement(code, k), Next, Next);
    let test = |code, k, if_so, otherwise| (statement(code, k), if_so, otherwise);
    let (load_upper, load_lower) = (step(LOAD, high(argument)), step(LOAD, low(argument)));
    let (upper, lower) = halves(value);
    let ordered = |code, above, reached, missed| {
        vec![
            load_upper,
            test(JUMP_IF_GREATER, upper, above, Next),
            test(JUMP_IF_EQUAL, upper, Next, if above == Holds { Fails } else { Holds }),
            load_lower,
            test(code, lower, reached, missed),
        ]
    };
    match comparison {
        Comparison::Equal => vec![
            load_upper,
            test(JUMP_IF_EQUAL, upper, Next, Fails),
            load_lower,
            test(JUMP_IF_EQUAL, lower, Next, Fails),
        ],
        Comparison::NotEqual => vec![
            load_upper,
            test(JUMP_IF_EQUAL, upper, Next, Holds),
            load_lower,
            test(JUMP_IF_EQUAL, lower, Fails, Next),
        ],
        Comparison::Greater => ordered(JUMP_IF_GREATER, Holds, Next, Fails),
        Comparison::GreaterOrEqual => ordered(JUMP_IF_NOT_LESS, Holds, Next, Fails),
        Comparison::Less => ordered(JUMP_IF_NOT_LESS, Fails, Fails, Next),
        Comparison::LessOrEqual => ordered(JUMP_IF_GREATER, Fails, Fails, Next),
        Comparison::MaskedEqual(mask) => {
            let (upper_mask, lower_mask) = halves(mask);
            let mut steps = Vec::with_capacity(6);
            for (load, mask, half) in [(load_upper, upper_mask, upper), (load_lower, lower_mask, lower)] {
                match mask {
                    // Nothing of this half counts, so nothing may be asked of it.
                    0 if half == 0 => continue,
                    u32::MAX => steps.push(load),
                    _ => steps.extend([load, step(AND, mask)]),
                }
                steps.push(test(JUMP_IF_EQUAL, half, Next, Fails));
            }
            steps
        }
    }
}

fn halves(value: u64) -> (u32, u32) {
    let [upper, lower] = [value >> 32, value & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or_default());
    (upper, lower)
}

#[cfg(test)]
mod tests {
    use super::super::instruction::machine::run;
    use super::*;

    const HERE: u32 = 0xc000_003e;
    const THERE: u32 = 0x4000_0003;
    const NONE: [u64; 6] = [0; 6];

    fn policy(rules: Vec<Rule>, otherwise: Action, beyond: Vec<(u32, Action)>) -> Policy {
        Policy {
            calls: vec![Calls {
                architecture: HERE,
                rules,
                otherwise,
                beyond,
            }],
            foreign: Action::KillProcess,
        }
    }

    #[test]
    fn by_number_and_machine() {
        let mut policy = policy(
            [5, 3, 4, 99].map(|number| Rule::always(number, Action::Allow)).into(),
            Action::Errno(1),
            vec![(100, Action::Errno(2)), (0x4000_0000, Action::Errno(38))],
        );
        policy.calls.push(Calls {
            architecture: THERE,
            rules: vec![Rule::always(3, Action::Trap)],
            otherwise: Action::Log,
            beyond: Vec::new(),
        });
        let program = assemble(&policy).unwrap();
        for (architecture, number, expected) in [
            (HERE, 0, Action::Errno(1)),
            (HERE, 2, Action::Errno(1)),
            (HERE, 3, Action::Allow),
            (HERE, 4, Action::Allow),
            (HERE, 5, Action::Allow),
            (HERE, 6, Action::Errno(1)),
            (HERE, 99, Action::Allow),
            (HERE, 100, Action::Errno(2)),
            (HERE, 0x3fff_ffff, Action::Errno(2)),
            (HERE, 0x4000_0000, Action::Errno(38)),
            (HERE, 0x4000_0003, Action::Errno(38)),
            (HERE, u32::MAX, Action::Errno(38)),
            (THERE, 3, Action::Trap),
            (THERE, 4, Action::Log),
            (THERE, u32::MAX, Action::Log),
            (0, 3, Action::KillProcess),
        ] {
            let answer = run(&program, architecture, number, NONE);
            assert_eq!(answer, expected.value(), "{architecture:#x} {number:#x}");
        }
    }

    #[test]
    fn neighbours_that_end_alike_are_one() {
        let rules = (10..200).map(|number| Rule::always(number, Action::Allow)).collect();
        let program = assemble(&policy(rules, Action::Errno(1), Vec::new())).unwrap();
        assert!(program.len() <= 9, "{}", program.len());
    }

    #[test]
    fn every_number_of_many() {
        let rules: Vec<Rule> = (0..1000)
            .step_by(2)
            .map(|number| Rule::always(number, Action::Errno(u16::try_from(number).unwrap())))
            .collect();
        let program = assemble(&policy(rules, Action::Allow, Vec::new())).unwrap();
        for number in 0..1001 {
            let expected = match number % 2 {
                0 if number < 1000 => Action::Errno(u16::try_from(number).unwrap()),
                _ => Action::Allow,
            };
            assert_eq!(run(&program, HERE, number, NONE), expected.value(), "{number}");
        }
    }

    #[test]
    fn as_many_segments_as_a_short_search_has() {
        for count in [0, 1, 2, 3, 48, 49, 50, 51, 120, 121] {
            let errno = |number: u32| Action::Errno(u16::try_from(number % 300).unwrap());
            let rules = (0..count).map(|rule| Rule::always(2 * rule + 1, errno(rule))).collect();
            let program = assemble(&policy(rules, Action::Allow, Vec::new())).unwrap();
            for number in 0..2 * count + 2 {
                let expected = match number % 2 {
                    1 if number < 2 * count => errno(number / 2),
                    _ => Action::Allow,
                };
                assert_eq!(
                    run(&program, HERE, number, NONE),
                    expected.value(),
                    "{number} of {count}"
                );
            }
        }
    }

    #[test]
    fn calls_by_their_arguments_among_as_many_as_a_short_search_has() {
        let second_is = |number, value| Rule {
            number,
            conditions: vec![Condition {
                argument: 1,
                comparison: Comparison::MaskedEqual(0xffff_ffff),
                value,
            }],
            action: Action::Errno(7),
        };
        for count in [0, 1, 2, 30, 44, 45, 46, 47, 48, 49, 50, 60] {
            let mut rules: Vec<Rule> = (0..count)
                .map(|rule| Rule::always(4 * rule, Action::Errno(1)))
                .collect();
            rules.extend([second_is(5, 0x5412), second_is(101, 9), second_is(5, 0x541c)]);
            let program = assemble(&policy(rules, Action::Allow, vec![(1000, Action::Errno(38))])).unwrap();
            for number in 0..1001 {
                let expected = match number {
                    1000 => Action::Errno(38),
                    _ if number % 4 == 0 && number < 4 * count => Action::Errno(1),
                    _ => Action::Allow,
                };
                let answer = run(&program, HERE, number, NONE);
                assert_eq!(answer, expected.value(), "{number} of {count}");
            }
            for (number, value, expected) in [
                (5, 0x5412, Action::Errno(7)),
                (5, 0x1_0000_5412, Action::Errno(7)),
                (5, 0x541c, Action::Errno(7)),
                (5, 0x5413, Action::Allow),
                (5, 9, Action::Allow),
                (101, 9, Action::Errno(7)),
                (101, 0x5412, Action::Allow),
            ] {
                let answer = run(&program, HERE, number, [0, value, 0, 0, 0, 0]);
                assert_eq!(answer, expected.value(), "{value:#x} of {count}");
            }
        }
    }

    #[test]
    fn more_than_the_kernel_takes() {
        let rules = (0..4000)
            .step_by(2)
            .map(|number| Rule::always(number, Action::Log))
            .collect();
        let error = assemble(&policy(rules, Action::Allow, Vec::new())).unwrap_err();
        assert!(error.to_string().contains("4096"), "{error}");
    }

    #[test]
    fn arguments_are_compared_with_all_their_bits() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, MaskedEqual, NotEqual};

        const BIG: u64 = 0x2_0000_0005;
        let values = [
            0,
            4,
            5,
            6,
            0x1_0000_0005,
            0x1_ffff_ffff,
            0x2_0000_0004,
            BIG,
            0x2_0000_0006,
            0x3_0000_0000,
            u64::MAX,
        ];
        for value in [0, 5, BIG, u64::MAX] {
            for comparison in [
                Equal,
                NotEqual,
                Less,
                LessOrEqual,
                Greater,
                GreaterOrEqual,
                MaskedEqual(0x2_0000_0001),
                MaskedEqual(u64::MAX),
            ] {
                let condition = Condition {
                    argument: 3,
                    comparison,
                    value,
                };
                let rule = Rule {
                    conditions: vec![condition],
                    ..Rule::always(7, Action::Allow)
                };
                let program = assemble(&policy(vec![rule], Action::Trap, Vec::new())).unwrap();
                for argument in values {
                    let holds = match comparison {
                        Equal => argument == value,
                        NotEqual => argument != value,
                        Less => argument < value,
                        LessOrEqual => argument <= value,
                        Greater => argument > value,
                        GreaterOrEqual => argument >= value,
                        MaskedEqual(mask) => argument & mask == value,
                    };
                    let expected = if holds { Action::Allow } else { Action::Trap };
                    let answer = run(&program, HERE, 7, [9, 9, 9, argument, 9, 9]);
                    assert_eq!(answer, expected.value(), "{argument:#x} {comparison:?} {value:#x}");
                }
            }
        }
    }

    #[test]
    fn the_first_rule_that_holds_counts() {
        let when = |argument, value, action| Rule {
            conditions: vec![
                Condition {
                    argument,
                    comparison: Comparison::Equal,
                    value,
                },
                Condition {
                    argument: 5,
                    comparison: Comparison::NotEqual,
                    value: 1,
                },
            ],
            ..Rule::always(7, action)
        };
        let rules = vec![
            when(0, 1, Action::Errno(10)),
            when(1, 2, Action::Errno(20)),
            Rule::always(7, Action::Errno(30)),
            when(0, 3, Action::Errno(40)),
        ];
        let program = assemble(&policy(rules, Action::Allow, Vec::new())).unwrap();
        for (arguments, expected) in [
            ([1, 2, 0, 0, 0, 0], 10),
            ([0, 2, 0, 0, 0, 0], 20),
            ([1, 2, 0, 0, 0, 1], 30),
            ([3, 0, 0, 0, 0, 0], 30),
        ] {
            let answer = run(&program, HERE, 7, arguments);
            assert_eq!(answer, Action::Errno(expected).value(), "{arguments:?}");
        }
        assert_eq!(run(&program, HERE, 8, NONE), Action::Allow.value());
    }
}
