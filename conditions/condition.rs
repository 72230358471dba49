//! Compiled conditions.

use crate::{Access, Problem, Seen, SeenFields, record_schema, with_arena};
use lanner_engine::event::Reads;
use lanner_rules::{
    compile::{Compiler, NoMacros},
    evaluate::{NodeId, Program, Run},
    language::{Limits, parse_with},
};
use std::fmt;

/// A condition that can be asked of records, by any number of threads.
pub struct Condition {
    program: Program,
    node: NodeId,
    access: Access,
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// Everything that is wrong with it; of a text that is no condition, the first thing.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let tree = parse_with(text, Limits::EXTENDED).map_err(|error| vec![Problem::syntax(&error, text)])?;
        let mut compiler = Compiler::new(record_schema());
        let node = compiler.condition(&tree, &NoMacros);
        let node =
            node.map_err(|errors| errors.iter().map(|error| Problem::compile(error, text)).collect::<Vec<_>>())?;
        let program = compiler.finish();
        let access = Access::new(program.fields());
        Ok(Self { program, node, access })
    }

    /// What it asks of a record that has no raw text.
    pub fn reads(&self) -> Reads {
        self.access.reads()
    }

    /// Whether it holds for a record.
    pub fn holds(&self, seen: Seen<'_>) -> bool {
        with_arena(|arena| {
            let fields = SeenFields::new(&self.access, seen, arena);
            Run::new(&self.program, &fields, arena).holds(self.node)
        })
    }
}

/// Without the program.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("parts", &self.program.len()).finish_non_exhaustive()
    }
}
