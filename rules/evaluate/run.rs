//! Evaluating conditions over one event.

use super::{
    Arena, Check, Constant, FieldId, Node, NodeId, Operand, OperandId, Program, Test, Value, glob, matcher::ordered,
    path, transform,
};
use crate::language::{Modifier, Operator};
use memchr::memmem;
use std::cell::Cell;

/// An event.
pub trait Fields {
    /// A field of the event. It is asked for at most once per check, not once per event: what is expensive to find
    /// should be remembered.
    fn get(&self, field: FieldId) -> Value<'_>;
}

/// The evaluation of conditions over one event.
pub struct Run<'e, F: Fields + ?Sized> {
    program: &'e Program,
    fields: &'e F,
    arena: &'e Arena,
    /// What each node is, as far as it is known.
    known: &'e [Cell<Known>],
    /// What transformers made.
    made: &'e [Cell<Option<Value<'e>>>],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    No,
    False,
    True,
}

impl<'e, F: Fields + ?Sized> Run<'e, F> {
    /// Begins with an event.
    pub fn new(program: &'e Program, fields: &'e F, arena: &'e Arena) -> Self {
        let known = arena.bump().alloc_slice_fill_copy(program.nodes.len(), Known::No);
        let makes = if program.has_made { program.operands.len() } else { 0 };
        let made = arena.bump().alloc_slice_fill_copy(makes, None);
        Self {
            program,
            fields,
            arena,
            known: Cell::from_mut(known).as_slice_of_cells(),
            made: Cell::from_mut(made).as_slice_of_cells(),
        }
    }

    /// The memory of this event.
    pub(crate) fn arena(&self) -> &'e Arena {
        self.arena
    }

    /// Whether a condition of the program holds.
    #[inline]
    pub fn holds(&self, node: NodeId) -> bool {
        let known = &self.known[node.index()];
        match known.get() {
            Known::True => true,
            Known::False => false,
            Known::No => {
                let holds = self.evaluate(node);
                known.set(if holds { Known::True } else { Known::False });
                holds
            }
        }
    }

    /// The depth of the graph is bounded when it is compiled.
    fn evaluate(&self, node: NodeId) -> bool {
        match &self.program.nodes[node.index()] {
            Node::Constant(holds) => *holds,
            Node::Check(check) => self.check(&self.program.checks[check.index()]),
            Node::Not(inner) => !self.holds(*inner),
            Node::And(parts) => parts.iter().all(|part| self.holds(*part)),
            Node::Or(parts) => parts.iter().any(|part| self.holds(*part)),
        }
    }

    /// What a field or a transformer of the program is.
    pub fn value(&self, operand: OperandId) -> Value<'e> {
        match &self.program.operands[operand.index()] {
            Operand::Field(field) => self.fields.get(*field),
            Operand::Constant(Constant::Absent) => Value::Absent,
            Operand::Constant(Constant::Text(text)) => Value::Text(text),
            Operand::Constant(Constant::Uint(n)) => Value::Uint(*n),
            made => {
                let cell = &self.made[operand.index()];
                let value = cell.get().unwrap_or_else(|| self.make(made));
                cell.set(Some(value));
                value
            }
        }
    }

    fn make(&self, operand: &'e Operand) -> Value<'e> {
        match operand {
            Operand::List(members) => self.list(members),
            Operand::Transform { transformer, arguments, key } => {
                let values = self.arena.bump().alloc_slice_fill_iter(arguments.iter().map(|id| self.argument(*id)));
                transform::apply(*transformer, values, key.as_deref(), self.arena)
            }
            _ => Value::Absent,
        }
    }

    /// A list written in a condition is a list even if it is empty.
    fn argument(&self, id: OperandId) -> Value<'e> {
        match &self.program.operands[id.index()] {
            Operand::List(members) if members.is_empty() => Value::List(&[]),
            _ => self.value(id),
        }
    }

    /// A list with a missing member is missing.
    fn list(&self, members: &'e [OperandId]) -> Value<'e> {
        let values = self.arena.bump().alloc_slice_fill_iter(members.iter().map(|id| self.value(*id)));
        if values.iter().all(Value::exists) { Value::List(values) } else { Value::Absent }
    }

    fn check(&self, check: &Check) -> bool {
        let left = self.value(check.left);
        if !left.exists() {
            return false;
        }
        match &check.test {
            Test::Exists => true,
            Test::One(matcher) => matcher.matches(left),
            Test::All(matcher) => left.members().iter().all(|value| matcher.matches(*value)),
            Test::Any(matcher) => left.members().iter().any(|value| matcher.matches(*value)),
            Test::Count(Modifier::Anyof, matchers) => matchers.iter().any(|matcher| matcher.matches(left)),
            Test::Count(Modifier::Allof, matchers) => {
                !matchers.is_empty() && matchers.iter().all(|matcher| matcher.matches(left))
            }
            Test::Count(Modifier::Oneof, matchers) => {
                matchers.iter().filter(|matcher| matcher.matches(left)).take(2).count() == 1
            }
            Test::Against(operator, right) => {
                let right = self.value(*right);
                right.exists() && against(*operator, left, right)
            }
        }
    }
}

/// Compares two values that an event has.
fn against(operator: Operator, left: Value<'_>, right: Value<'_>) -> bool {
    let equal = |a: &Value<'_>, b: &Value<'_>| match (a.integer(), b.integer()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    };
    match operator {
        Operator::Equal | Operator::EqualTwice => return equal(&left, &right),
        Operator::NotEqual => return !equal(&left, &right),
        Operator::In => return left.members().iter().all(|one| right.members().iter().any(|other| equal(one, other))),
        Operator::Intersects => {
            return left.members().iter().any(|one| right.members().iter().any(|other| equal(one, other)));
        }
        Operator::Pmatch => {
            let Some(text) = left.bytes() else { return false };
            let mut paths = right.members().iter().filter_map(Value::bytes);
            return paths.any(|path| path::is_prefix(path, text));
        }
        _ => {}
    }
    if let (Some(a), Some(b)) = (left.integer(), right.integer()) {
        return ordered(operator, a.cmp(&b));
    }
    if let (Value::Float(a), Value::Float(b)) = (left, right) {
        return a.partial_cmp(&b).is_some_and(|order| ordered(operator, order));
    }
    let (Some(text), Some(other)) = (left.bytes(), right.bytes()) else { return false };
    match operator {
        Operator::Contains | Operator::Bcontains => memmem::find(text, other).is_some(),
        Operator::Icontains => contains_folded(text, other),
        Operator::StartsWith | Operator::BstartsWith => text.starts_with(other),
        Operator::EndsWith => text.ends_with(other),
        Operator::Glob => glob::matches(other, text, false),
        Operator::Iglob => glob::matches(other, text, true),
        operator => ordered(operator, text.cmp(other)),
    }
}

fn contains_folded(text: &[u8], other: &[u8]) -> bool {
    other.is_empty() || text.windows(other.len()).any(|window| window.eq_ignore_ascii_case(other))
}
