//! From a condition's tree to a program.
//!
//! Promises: every problem of a condition is reported, with its place; what compiles is evaluated without a further
//! question about types. Time and memory are linear in the conditions: a macro is compiled once per source however
//! often it is used, equal parts become the same node, and constants are folded.
//!
//! Depth and size of the program are bounded, because its evaluation is recursive.

mod check;
mod error;
mod logic;
mod operand;
mod posix;
mod right;
mod warning;

#[cfg(test)]
mod tests;

pub use error::{CompileError, CompileErrorKind};
pub use warning::{Warning, WarningKind};

use crate::{
    evaluate::{Check, Field, FieldId, Node, NodeId, Operand, OperandId, Program},
    language::{Expr, Modifier, Operator, Span},
    schema::{Kind, Schema},
};
use std::{collections::HashMap, sync::Arc};

/// The trees that macros stand for.
pub trait Macros {
    /// The tree of a macro, whose own macros are not replaced yet.
    fn tree(&self, name: &str) -> Option<&Expr>;
}

/// No macros.
#[derive(Debug, Clone, Copy)]
pub struct NoMacros;

impl Macros for NoMacros {
    fn tree(&self, _: &str) -> Option<&Expr> {
        None
    }
}

/// Deepest nesting of a compiled condition, macros included.
pub const MAX_DEPTH: u32 = 400;
/// Most different parts that the conditions of a source may have together.
pub const MAX_NODES: usize = 1 << 20;

/// Compiles the conditions of one source into one program.
pub struct Compiler<'s> {
    schema: &'s dyn Schema,
    program: Program,
    node_ids: HashMap<Node, NodeId>,
    /// How deep each node is.
    depths: Vec<u32>,
    check_ids: HashMap<CheckKey, NodeId>,
    operand_ids: HashMap<Operand, OperandId>,
    /// What each operand is.
    types: Vec<Type>,
    field_ids: HashMap<Field, FieldId>,
    macros: HashMap<String, MacroState>,
    errors: Vec<CompileError>,
    warnings: Vec<Warning>,
    depth: u32,
    /// Bytes that regular expressions may still take.
    regexes: usize,
}

/// The type of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Type {
    kind: Kind,
    is_list: bool,
    /// Whether it is the same for every event.
    is_constant: bool,
}

#[derive(Debug, Clone, Copy)]
enum MacroState {
    Compiling,
    Compiled(NodeId),
    /// Its errors are reported where it was compiled first.
    Broken,
}

/// What makes two checks the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum CheckKey {
    Exists(OperandId),
    Values(OperandId, Operator, Option<Modifier>, Vec<Vec<u8>>),
    Operand(OperandId, Operator, OperandId),
}

impl<'s> Compiler<'s> {
    /// A compiler for the events of a schema.
    pub fn new(schema: &'s dyn Schema) -> Self {
        let mut compiler = Self {
            schema,
            program: Program::default(),
            node_ids: HashMap::new(),
            depths: Vec::new(),
            check_ids: HashMap::new(),
            operand_ids: HashMap::new(),
            types: Vec::new(),
            field_ids: HashMap::new(),
            macros: HashMap::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            depth: 0,
            regexes: right::REGEXES,
        };
        compiler.constant(false);
        compiler.constant(true);
        compiler
    }

    /// Compiles a condition.
    ///
    /// # Errors
    /// Everything that is wrong with it. What is wrong with a macro is reported for every condition that uses it.
    pub fn condition(&mut self, expr: &Expr, macros: &dyn Macros) -> Result<NodeId, Vec<CompileError>> {
        self.errors.clear();
        self.depth = 0;
        // A broken macro is compiled again, so that this condition gets its errors too.
        self.macros.retain(|_, state| matches!(state, MacroState::Compiled(_)));
        let node = self.expr(expr, macros);
        match node {
            Some(node) if self.errors.is_empty() => Ok(node),
            _ => Err(std::mem::take(&mut self.errors)),
        }
    }

    /// Compiles a field or a transformer.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn operand(&mut self, operand: &crate::language::Operand) -> Result<OperandId, Vec<CompileError>> {
        self.errors.clear();
        match self.left(operand) {
            Some(id) if self.errors.is_empty() => Ok(id),
            _ => Err(std::mem::take(&mut self.errors)),
        }
    }

    /// What is unusual about what was compiled since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// The program of all conditions.
    pub fn finish(self) -> Program {
        self.program
    }

    /// The schema that is compiled against.
    pub fn schema(&self) -> &'s dyn Schema {
        self.schema
    }

    fn error(&mut self, span: Span, kind: impl Into<CompileErrorKind>) {
        self.errors.push(CompileError { kind: kind.into(), span });
    }

    fn warn(&mut self, span: Span, kind: WarningKind) {
        let warning = Warning { kind, span };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn add_check(&mut self, key: CheckKey, check: Check) -> NodeId {
        let id = u32::try_from(self.program.checks.len()).unwrap_or(u32::MAX);
        self.program.checks.push(check);
        let node = self.add_node(Node::Check(crate::evaluate::CheckId(id)), 1);
        self.check_ids.insert(key, node);
        node
    }

    fn add_node(&mut self, node: Node, depth: u32) -> NodeId {
        if let Some(id) = self.node_ids.get(&node) {
            return *id;
        }
        let id = NodeId(u32::try_from(self.program.nodes.len()).unwrap_or(u32::MAX));
        self.program.nodes.push(node.clone());
        self.depths.push(depth);
        self.node_ids.insert(node, id);
        id
    }

    fn add_operand(&mut self, operand: Operand, kind: Type) -> OperandId {
        if let Some(id) = self.operand_ids.get(&operand) {
            return *id;
        }
        let id = OperandId(u32::try_from(self.program.operands.len()).unwrap_or(u32::MAX));
        self.program.has_made |= matches!(operand, Operand::List(_) | Operand::Transform { .. });
        self.program.operands.push(operand.clone());
        self.types.push(kind);
        self.operand_ids.insert(operand, id);
        id
    }

    fn add_field(&mut self, name: &str, argument: Option<String>, key: u32, is_list: bool) -> FieldId {
        let field = Field { name: Arc::from(name), argument: argument.map(Arc::from), key, is_list };
        if let Some(id) = self.field_ids.get(&field) {
            return *id;
        }
        let id = FieldId(u32::try_from(self.program.fields.len()).unwrap_or(u32::MAX));
        self.program.fields.push(field.clone());
        self.field_ids.insert(field, id);
        id
    }

    fn type_of(&self, operand: OperandId) -> Type {
        self.types[operand.index()]
    }
}
