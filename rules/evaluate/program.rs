//! Compiled conditions.

use super::Matcher;
use crate::language::{Modifier, Operator, Transformer};
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(crate) u32);

        impl $name {
            /// As an index into what has one entry for each.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A field with its argument, by the place in [`Program::fields`].
    FieldId
);
id!(
    /// A condition or a part of one.
    NodeId
);
id!(
    /// A field, a transformer or a constant.
    OperandId
);
id!(
    /// A check, within a program.
    CheckId
);

/// All conditions of a source, compiled.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub(crate) nodes: Vec<Node>,
    pub(crate) checks: Vec<Check>,
    pub(crate) operands: Vec<Operand>,
    pub(crate) fields: Vec<Field>,
    /// Whether there is an operand that is made of others.
    pub(crate) has_made: bool,
}

impl Program {
    /// The fields that the conditions ask for, by [`FieldId`].
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// How many different parts the conditions have.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// A field that conditions ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// Its argument, also where the name implies it.
    pub argument: Option<Arc<str>>,
    /// The schema's number for it.
    pub key: u32,
    /// Whether the schema says that it has many values.
    pub is_list: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Constant(bool),
    Check(CheckId),
    Not(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
}

#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub left: OperandId,
    pub test: Test,
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    Exists,
    /// The value matches.
    One(Matcher),
    /// Every member of a list matches.
    All(Matcher),
    /// A member of a list matches.
    Any(Matcher),
    /// So many of several.
    Count(Modifier, Box<[Matcher]>),
    /// Something that is known only when it is evaluated.
    Against(Operator, OperandId),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Operand {
    Field(FieldId),
    Constant(Constant),
    List(Box<[OperandId]>),
    Transform { transformer: Transformer, arguments: Box<[OperandId]>, key: Option<Box<str>> },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    Absent,
    Text(Box<[u8]>),
    Uint(u64),
}
