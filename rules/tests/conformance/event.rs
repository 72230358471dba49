//! Schemas and events of the cases.

use lanner_rules::{
    compile::{Compiler, NoMacros, Warning},
    evaluate::{Arena, Field, FieldId, Fields, NodeId, Program, Run, Value},
    language::{Limits, parse_with},
    schema::{ArgumentSpec, Catalog, FieldSpec, ImpossibleValue, Kind, Row, Schema},
    syscall,
};
use std::{collections::BTreeMap, net::IpAddr};

/// The fields of system calls and those that only the tests upstream have.
pub struct TestSchema {
    catalog: Catalog,
}

impl TestSchema {
    pub fn new() -> Self {
        let rows = [
            Row::new("c.true", Kind::Text),
            Row::new("c.false", Kind::Text),
            Row::new("c.singlequote", Kind::Text),
            Row::new("c.doublequote", Kind::Text),
            Row::new("c.buffer", Kind::Bytes),
            Row::new("sample.is_open", Kind::Uint),
            Row::new("evt.arg", Kind::Text).with(ArgumentSpec::Any),
        ];
        let syscall = syscall::schema();
        let rest = (0..).map_while(|key| syscall.row(key).copied());
        let catalog = Catalog::new(rest.chain(rows));
        Self { catalog: catalog.with_values("evt.type", "event type", syscall::event_names()) }
    }
}

impl Schema for TestSchema {
    fn field(&self, name: &str) -> Option<FieldSpec> {
        self.catalog.field(name)
    }

    fn names(&self) -> Vec<&str> {
        self.catalog.names()
    }

    fn check_value(&self, key: u32, value: &[u8]) -> Result<(), ImpossibleValue> {
        self.catalog.check_value(key, value)
    }
}

/// Parses and compiles.
pub fn compile(schema: &dyn Schema, text: &str) -> Result<(Program, NodeId, Vec<Warning>), String> {
    let expr = parse_with(text, Limits::default()).map_err(|error| error.render(text))?;
    let mut compiler = Compiler::new(schema);
    match compiler.condition(&expr, &NoMacros) {
        Ok(node) => {
            let warnings = compiler.take_warnings();
            Ok((compiler.finish(), node, warnings))
        }
        Err(errors) => {
            Err(errors.iter().map(|error| format!("{:?} {error}", error.span)).collect::<Vec<_>>().join("; "))
        }
    }
}

/// An event whose fields are given by name; `name[argument]` for those with one.
pub struct Event<'a> {
    pub fields: Vec<Value<'a>>,
}

impl<'a> Event<'a> {
    pub fn new(program: &Program, values: &'a BTreeMap<String, serde_json::Value>, arena: &'a Arena) -> Self {
        let value = |field: &Field| -> Value<'a> {
            let with_argument = field.argument.as_ref().map(|argument| format!("{}[{argument}]", field.name));
            let found = with_argument.and_then(|name| values.get(&name)).or_else(|| values.get(&*field.name));
            let Some(found) = found else { return Value::Absent };
            if field.is_list {
                let members: Vec<_> =
                    found.as_array().unwrap().iter().map(|one| Value::from(one.as_str().unwrap())).collect();
                return arena.list(&members);
            }
            let kind = TestSchema::new().field(&field.name).unwrap().kind;
            match (kind, found) {
                (_, serde_json::Value::Null) => Value::Absent,
                (Kind::Text, serde_json::Value::String(text)) => Value::from(text.as_str()),
                (Kind::Bytes, serde_json::Value::String(text)) => Value::Bytes(text.as_bytes()),
                (Kind::Ip | Kind::Net, serde_json::Value::String(text)) => Value::Ip(text.parse::<IpAddr>().unwrap()),
                (Kind::Int, other) => Value::Int(other.as_i64().unwrap_or_default()),
                (Kind::Uint, other) => Value::Uint(other.as_u64().unwrap_or(1)),
                (Kind::Bool, other) => Value::Bool(other.as_bool().unwrap()),
                (kind, other) => panic!("{}: {kind:?} {other}", field.name),
            }
        };
        Self { fields: program.fields().iter().map(value).collect() }
    }
}

impl Fields for Event<'_> {
    fn get(&self, field: FieldId) -> Value<'_> {
        self.fields[field.index()]
    }
}

/// Whether a condition holds.
pub fn holds(program: &Program, node: NodeId, event: &Event<'_>) -> bool {
    let arena = Arena::new();
    Run::new(program, event, &arena).holds(node)
}
