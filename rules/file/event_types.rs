//! Which system calls a condition can be about.
//!
//! For every part of a condition two sets are known: the types for which it can be true, and those for which it can be
//! false. A check of `evt.type` splits the types, any other check leaves both possible.

use crate::{
    compile::Macros,
    language::{Expr, ExprKind, Modifier, Operand, Operator, Right, Value},
    syscall,
};
use std::collections::HashMap;

/// More types than this make a condition too broad.
const BROAD: u32 = 100;

/// The types of system call events.
#[derive(Debug)]
pub(super) struct EventTypes {
    places: HashMap<&'static [u8], usize>,
    all: Set,
    macros: HashMap<String, Possible>,
}

#[derive(Debug, Clone, Copy)]
struct Possible {
    holds: Set,
    fails: Set,
}

/// A set of types, a bit for each. Events that have no bit are as if they were the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set([u64; WORDS]);

/// Room for 512 types.
const WORDS: usize = 8;

impl Set {
    const NONE: Self = Self([0; WORDS]);

    fn all(count: usize) -> Self {
        let mut all = Self::NONE;
        (0..count).for_each(|place| all.insert(place));
        all
    }

    fn insert(&mut self, place: usize) {
        let place = place.min(WORDS * 64 - 1);
        self.0[place / 64] |= 1 << (place % 64);
    }

    fn combined(self, other: Self, combine: fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|word| combine(self.0[word], other.0[word])))
    }

    fn both(self, other: Self) -> Self {
        self.combined(other, |a, b| a & b)
    }

    fn either(self, other: Self) -> Self {
        self.combined(other, |a, b| a | b)
    }

    fn without(self, other: Self) -> Self {
        self.combined(other, |a, b| a & !b)
    }

    fn len(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

impl Possible {
    fn negated(self) -> Self {
        Self { holds: self.fails, fails: self.holds }
    }
}

impl EventTypes {
    pub fn new() -> Self {
        let places: HashMap<_, _> =
            syscall::event_names().enumerate().map(|(place, name)| (name.as_bytes(), place)).collect();
        Self { all: Set::all(places.len()), places, macros: HashMap::new() }
    }

    /// Whether a condition has to be tried for very many types. One that can never be true is not.
    pub fn is_broad(&mut self, condition: &Expr, macros: &dyn Macros) -> bool {
        self.possible(condition, macros).holds.len() > BROAD
    }

    fn possible(&mut self, expr: &Expr, macros: &dyn Macros) -> Possible {
        match &expr.kind {
            ExprKind::Not(inner) => self.possible(inner, macros).negated(),
            ExprKind::And(parts) => {
                let all = Possible { holds: self.all, fails: Set::NONE };
                parts.iter().fold(all, |all, part| {
                    let part = self.possible(part, macros);
                    Possible { holds: all.holds.both(part.holds), fails: all.fails.either(part.fails) }
                })
            }
            ExprKind::Or(parts) => {
                let any = Possible { holds: Set::NONE, fails: self.all };
                parts.iter().fold(any, |any, part| {
                    let part = self.possible(part, macros);
                    Possible { holds: any.holds.either(part.holds), fails: any.fails.both(part.fails) }
                })
            }
            ExprKind::Macro(name) => {
                if let Some(known) = self.macros.get(name) {
                    return *known;
                }
                let possible = match macros.tree(name) {
                    Some(tree) => self.possible(tree, macros),
                    None => self.any(),
                };
                self.macros.insert(name.clone(), possible);
                possible
            }
            ExprKind::Compare(comparison) => {
                let Operand::Field(field) = &comparison.left else { return self.any() };
                let values = match (&comparison.right, comparison.modifier) {
                    (Right::Value(value), None) => std::slice::from_ref(value),
                    (Right::List(values, _), None | Some(Modifier::Anyof)) => values.as_slice(),
                    _ => return self.any(),
                };
                match (field.name.as_str(), comparison.operator) {
                    ("evt.type", Operator::Equal | Operator::EqualTwice | Operator::In | Operator::Intersects) => {
                        self.named(values)
                    }
                    ("evt.type", Operator::NotEqual) => self.named(values).negated(),
                    // Events are counted from 1.
                    ("evt.num", Operator::Equal | Operator::EqualTwice)
                        if values.iter().all(|value| value.text == b"0") =>
                    {
                        Possible { holds: Set::NONE, fails: self.all }
                    }
                    _ => self.any(),
                }
            }
            ExprKind::Exists(_) => self.any(),
        }
    }

    fn any(&self) -> Possible {
        Possible { holds: self.all, fails: self.all }
    }

    fn named(&self, values: &[Value]) -> Possible {
        let mut holds = Set::NONE;
        for value in values {
            if let Some(place) = self.places.get(value.text.as_slice()) {
                holds.insert(*place);
            }
        }
        Possible { holds, fails: self.all.without(holds) }
    }
}
