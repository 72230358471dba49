//! Fields and transformers.

use super::{CompileErrorKind, Compiler, Type, WarningKind};
use crate::{
    evaluate::{Arena, Constant, Field, FieldId, Fields, NodeId, Operand, OperandId, Run, Value},
    language::{self, Argument, FieldRef, Transform, Transformer},
    schema::{Kind, resolve},
};

impl Compiler<'_> {
    /// A field or a transformer.
    pub(super) fn left(&mut self, operand: &language::Operand) -> Option<OperandId> {
        match operand {
            language::Operand::Field(field) => self.field(field, false),
            language::Operand::Transform(transform) => self.transform(transform),
        }
    }

    /// `inner`: whether it stands on the right side or in a transformer.
    pub(super) fn field(&mut self, field: &FieldRef, inner: bool) -> Option<OperandId> {
        let (spec, argument) = match resolve(self.schema, &field.name, field.argument.as_deref()) {
            Ok(found) => found,
            Err(problem) => {
                self.error(field.span, problem);
                return None;
            }
        };
        if inner && spec.plain_only {
            self.error(field.span, CompileErrorKind::PlainOnly { name: field.name.clone() });
            return None;
        }
        if let Some(reason) = spec.deprecated {
            self.warn(field.span, WarningKind::Deprecated { name: field.name.clone(), reason });
        }
        let id = self.add_field(&field.name, argument, spec.key, spec.is_list);
        let kind = Type { kind: spec.kind, is_list: spec.is_list, is_constant: false };
        Some(self.add_operand(Operand::Field(id), kind))
    }

    pub(super) fn transform(&mut self, transform: &Transform) -> Option<OperandId> {
        let transformer = transform.transformer;
        let arguments: Vec<_> = transform.arguments.iter().map(|argument| self.argument(argument)).collect();
        let arguments = arguments.into_iter().collect::<Option<Vec<_>>>()?;
        if transform.key.is_some() && transformer != Transformer::Getopt {
            self.error(transform.span, CompileErrorKind::TransformerKey { transformer: transformer.word() });
            return None;
        }
        let types: Vec<Type> = arguments.iter().map(|id| self.type_of(*id)).collect();
        let Some(mut result) = result_type(transformer, &types, transform.key.is_some()) else {
            let wanted = wanted(transformer);
            self.error(transform.span, CompileErrorKind::Arguments { transformer: transformer.word(), wanted });
            return None;
        };
        result.is_constant = types.iter().all(|kind| kind.is_constant);
        let key = transform.key.as_deref().map(Box::from);
        let operand = Operand::Transform { transformer, arguments: arguments.into(), key };
        let id = self.add_operand(operand, result);
        if result.is_constant && !result.is_list { Some(self.folded(id, result)) } else { Some(id) }
    }

    fn argument(&mut self, argument: &Argument) -> Option<OperandId> {
        match argument {
            Argument::Text(value) => {
                let kind = Type { kind: Kind::Text, is_list: false, is_constant: true };
                Some(self.add_operand(Operand::Constant(Constant::Text(value.text.as_slice().into())), kind))
            }
            Argument::Operand(language::Operand::Field(field)) => self.field(field, true),
            Argument::Operand(language::Operand::Transform(transform)) => self.transform(transform),
            Argument::List(members, span) => {
                let ids: Vec<_> = members.iter().map(|member| self.argument(member)).collect();
                let ids = ids.into_iter().collect::<Option<Vec<_>>>()?;
                if ids.iter().any(|id| self.type_of(*id).is_list) {
                    self.error(*span, CompileErrorKind::Arguments { transformer: "a list", wanted: NO_NESTING });
                    return None;
                }
                let is_constant = ids.iter().all(|id| self.type_of(*id).is_constant);
                let kind = Type { kind: Kind::Text, is_list: true, is_constant };
                Some(self.add_operand(Operand::List(ids.into()), kind))
            }
        }
    }

    /// A constant in place of something that is the same for every event.
    fn folded(&mut self, id: OperandId, kind: Type) -> OperandId {
        let constant = {
            let arena = Arena::new();
            match Run::new(&self.program, &NoFields, &arena).value(id) {
                Value::Absent => Some(Constant::Absent),
                Value::Text(text) => Some(Constant::Text(text.into())),
                Value::Uint(n) => Some(Constant::Uint(n)),
                _ => None,
            }
        };
        constant.map_or(id, |constant| self.add_operand(Operand::Constant(constant), kind))
    }

    /// What a check says that is the same for every event.
    pub(super) fn constant_check(&self, node: NodeId) -> bool {
        let arena = Arena::new();
        Run::new(&self.program, &NoFields, &arena).holds(node)
    }

    /// The field, if it is one and nothing is made of it.
    pub(super) fn plain_field(&self, operand: OperandId) -> Option<&Field> {
        match &self.program.operands[operand.index()] {
            Operand::Field(field) => self.program.fields.get(field.index()),
            _ => None,
        }
    }
}

const NO_NESTING: &str = "single values; a field with many values is a list already, leave the parentheses out";

/// The type that a transformer makes, `None` if its arguments do not fit.
fn result_type(transformer: Transformer, arguments: &[Type], has_key: bool) -> Option<Type> {
    let text = Type { kind: Kind::Text, is_list: false, is_constant: false };
    let is_text = |kind: &Type| matches!(kind.kind, Kind::Text | Kind::Any);
    match (transformer, arguments) {
        (Transformer::Tolower | Transformer::Toupper | Transformer::Basename, [one]) if is_text(one) => {
            Some(Type { is_constant: false, ..*one })
        }
        (Transformer::B64, [one]) if matches!(one.kind, Kind::Text | Kind::Bytes | Kind::Any) => {
            Some(Type { is_constant: false, ..*one })
        }
        (Transformer::Len, [one]) if one.is_list || matches!(one.kind, Kind::Text | Kind::Bytes | Kind::Any) => {
            Some(Type { kind: Kind::Uint, ..text })
        }
        (Transformer::Join, [separator, list]) if is_text(separator) && !separator.is_list && list.is_list => {
            Some(text)
        }
        (Transformer::Concat, [_, _, ..]) if arguments.iter().all(|one| !one.is_list) => Some(text),
        (Transformer::Getopt, [words, options])
            if words.is_list && is_text(words) && is_text(options) && !options.is_list =>
        {
            Some(Type { is_list: !has_key, ..text })
        }
        _ => None,
    }
}

fn wanted(transformer: Transformer) -> &'static str {
    match transformer {
        Transformer::Tolower | Transformer::Toupper | Transformer::Basename => "one field that is text",
        Transformer::B64 => "one field that is text or bytes",
        Transformer::Len => "one field that is text, bytes or a list",
        Transformer::Join => "a text and a list, for example join(\"-\", (a.b, c.d))",
        Transformer::Concat => "two or more single values",
        Transformer::Getopt => "a list and the options, for example getopt(a.b, \"nt:\")",
    }
}

/// An event without fields.
struct NoFields;

impl Fields for NoFields {
    fn get(&self, _: FieldId) -> Value<'_> {
        Value::Absent
    }
}
