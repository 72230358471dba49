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
const BROAD: usize = 100;

/// The types of system call events.
#[derive(Debug)]
pub(super) struct EventTypes {
    places: HashMap<&'static [u8], usize>,
    count: usize,
    macros: HashMap<String, Possible>,
}

#[derive(Debug, Clone)]
struct Possible {
    holds: Vec<bool>,
    fails: Vec<bool>,
}

impl EventTypes {
    pub fn new() -> Self {
        let places: HashMap<_, _> =
            syscall::event_names().enumerate().map(|(place, name)| (name.as_bytes(), place)).collect();
        Self { count: places.len(), places, macros: HashMap::new() }
    }

    /// Whether a condition has to be tried for very many types. One that can never be true is not.
    pub fn is_broad(&mut self, condition: &Expr, macros: &dyn Macros) -> bool {
        self.possible(condition, macros).holds.iter().filter(|possible| **possible).count() > BROAD
    }

    fn possible(&mut self, expr: &Expr, macros: &dyn Macros) -> Possible {
        match &expr.kind {
            ExprKind::Not(inner) => {
                let Possible { holds, fails } = self.possible(inner, macros);
                Possible { holds: fails, fails: holds }
            }
            ExprKind::And(parts) => {
                let mut all = Possible { holds: vec![true; self.count], fails: vec![false; self.count] };
                for part in parts {
                    let part = self.possible(part, macros);
                    both(&mut all.holds, &part.holds);
                    either(&mut all.fails, &part.fails);
                }
                all
            }
            ExprKind::Or(parts) => {
                let mut any = Possible { holds: vec![false; self.count], fails: vec![true; self.count] };
                for part in parts {
                    let part = self.possible(part, macros);
                    either(&mut any.holds, &part.holds);
                    both(&mut any.fails, &part.fails);
                }
                any
            }
            ExprKind::Macro(name) => {
                if let Some(known) = self.macros.get(name) {
                    return known.clone();
                }
                let possible = match macros.tree(name) {
                    Some(tree) => self.possible(tree, macros),
                    None => self.any(),
                };
                self.macros.insert(name.clone(), possible.clone());
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
                    ("evt.type", Operator::NotEqual) => {
                        let Possible { holds, fails } = self.named(values);
                        Possible { holds: fails, fails: holds }
                    }
                    // Events are counted from 1.
                    ("evt.num", Operator::Equal | Operator::EqualTwice)
                        if values.iter().all(|value| value.text == b"0") =>
                    {
                        Possible { holds: vec![false; self.count], fails: vec![true; self.count] }
                    }
                    _ => self.any(),
                }
            }
            ExprKind::Exists(_) => self.any(),
        }
    }

    fn any(&self) -> Possible {
        Possible { holds: vec![true; self.count], fails: vec![true; self.count] }
    }

    fn named(&self, values: &[Value]) -> Possible {
        let mut holds = vec![false; self.count];
        for value in values {
            if let Some(place) = self.places.get(value.text.as_slice())
                && let Some(possible) = holds.get_mut(*place)
            {
                *possible = true;
            }
        }
        let fails = holds.iter().map(|possible| !possible).collect();
        Possible { holds, fails }
    }
}

fn both(all: &mut [bool], part: &[bool]) {
    all.iter_mut().zip(part).for_each(|(all, part)| *all &= part);
}

fn either(any: &mut [bool], part: &[bool]) {
    any.iter_mut().zip(part).for_each(|(any, part)| *any |= part);
}
