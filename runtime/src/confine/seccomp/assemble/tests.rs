use super::super::instruction::machine::run;
use super::super::policy::{Comparison, Condition};
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
