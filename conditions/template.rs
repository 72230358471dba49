//! Compiled templates, in the syntax of Falco's outputs: `%proc.name on %k8s.pod.name`.

use crate::{Access, Problem, Seen, SeenFields, record_schema, with_arena};
use lanner_engine::event::Reads;
use lanner_rules::{
    compile::Compiler,
    evaluate::{Program, Run},
    language::Limits,
    output::{Rendered, Template as Output},
};
use std::fmt;

/// A text with fields in it. A missing value is `<NA>` if the template begins with `*`; otherwise nothing is rendered.
pub struct Template {
    program: Program,
    output: Output,
    access: Access,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut compiler = Compiler::new(record_schema());
        let output = Output::compile(text, Limits::EXTENDED, &mut compiler);
        let output =
            output.map_err(|errors| errors.iter().map(|error| Problem::template(error, text)).collect::<Vec<_>>())?;
        let program = compiler.finish();
        let access = Access::new(program.fields());
        Ok(Self { program, output, access })
    }

    /// What it shows of a record that has no raw text.
    pub fn reads(&self) -> Reads {
        self.access.reads()
    }

    /// Writes the text for a record behind what is in `out`. If a value is missing and the template is strict, nothing is
    /// written.
    pub fn render(&self, seen: Seen<'_>, out: &mut String) -> Rendered {
        with_arena(|arena| {
            let fields = SeenFields::new(&self.access, seen, arena);
            self.output.render(&Run::new(&self.program, &fields, arena), out)
        })
    }
}

/// Without the program.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("names", &self.output.names().len()).finish_non_exhaustive()
    }
}
