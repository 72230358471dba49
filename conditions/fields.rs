//! Compiled fields: what is grouped by, copied, or shown.

use crate::{Access, Problem, Seen, SeenFields, record_schema, with_arena};
use lanner_engine::event::Reads;
use lanner_rules::{
    compile::Compiler,
    evaluate::{OperandId, Program, Run, Value},
    language::{ExprKind, Limits, Operand, parse_with},
};
use std::fmt;

/// Several fields that are read together.
pub struct FieldList {
    names: Vec<String>,
    program: Program,
    operands: Vec<OperandId>,
    access: Access,
}

/// A field, or a transformer of fields: `proc.name`, `attr[team]`, `tolower(k8s.ns.name)`.
pub struct Field(FieldList);

impl FieldList {
    /// Compiles fields.
    ///
    /// # Errors
    /// What is wrong, with the place of the field in the list.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, Vec<(usize, Problem)>> {
        let mut compiler = Compiler::new(record_schema());
        let (mut names, mut operands, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for (place, text) in texts.into_iter().enumerate() {
            names.push(text.to_owned());
            match operand(text).and_then(|operand| {
                let compiled = compiler.operand(&operand);
                compiled.map_err(|errors| errors.iter().map(|error| Problem::compile(error, text)).collect())
            }) {
                Ok(operand) => operands.push(operand),
                Err(wrong) => problems.extend(wrong.into_iter().map(|problem| (place, problem))),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let program = compiler.finish();
        let access = Access::new(program.fields());
        Ok(Self { names, program, operands, access })
    }

    /// The fields as they were written.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Calls `work` with an iterator over the values of a record, in the order of the fields.
    pub fn with<T>(&self, seen: Seen<'_>, work: impl FnOnce(&mut dyn Iterator<Item = Value<'_>>) -> T) -> T {
        with_arena(|arena| {
            let fields = SeenFields::new(&self.access, seen, arena);
            let run = Run::new(&self.program, &fields, arena);
            work(&mut self.operands.iter().map(|operand| run.value(*operand)))
        })
    }
}

/// A field stands alone; as a condition it would be `field exists`.
fn operand(text: &str) -> Result<Operand, Vec<Problem>> {
    let wrapped = format!("{text} exists");
    let tree = parse_with(&wrapped, Limits::EXTENDED).map_err(|error| vec![Problem::syntax(&error, text)])?;
    match tree.kind {
        ExprKind::Exists(operand) => Ok(operand),
        _ => Err(vec![Problem::not_a_field(text)]),
    }
}

impl Field {
    /// Compiles a field.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let list = FieldList::parse([text]);
        list.map(Self).map_err(|problems| problems.into_iter().map(|(_, problem)| problem).collect())
    }

    /// The field as it was written.
    pub fn name(&self) -> &str {
        self.0.names.first().map(String::as_str).unwrap_or_default()
    }

    /// Calls `work` with the value in a record.
    pub fn with<T>(&self, seen: Seen<'_>, work: impl FnOnce(Value<'_>) -> T) -> T {
        self.0.with(seen, |values| work(values.next().unwrap_or_default()))
    }

    /// What it is made of, in a record that has no raw text.
    pub fn reads(&self) -> Reads {
        self.0.access.reads()
    }

    /// The value as one that a record can hold.
    pub fn to_owned(&self, seen: Seen<'_>) -> Option<lanner_engine::event::Value> {
        self.with(seen, crate::to_owned)
    }

    /// The value as text, as templates show it.
    pub fn text(&self, seen: Seen<'_>) -> Option<String> {
        self.with(seen, |value| value.exists().then(|| value.to_string()))
    }
}

impl fmt::Debug for FieldList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FieldList").field(&self.names).finish()
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Field").field(&self.name()).finish()
    }
}
