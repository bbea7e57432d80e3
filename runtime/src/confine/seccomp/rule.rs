//! The instructions of one rule: its conditions, and what becomes of the call where they hold. Pure.

use libc::sock_filter;

use super::instruction::{AND, JUMP_IF_EQUAL, JUMP_IF_GREATER, JUMP_IF_NOT_LESS, LOAD, RETURN, high, low, statement};
use super::policy::{Comparison, Condition, Rule};

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
pub(super) fn of_rule(rule: &Rule) -> Vec<sock_filter> {
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
    program.push(statement(RETURN, rule.action.value()));
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
