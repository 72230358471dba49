//! `SchemaDoc`: a JSON Schema whose references can be followed.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// A schema and its definitions.
#[derive(Clone, Debug)]
pub(crate) struct SchemaDoc {
    pub root: Value,
    definitions: Map<String, Value>,
}

impl SchemaDoc {
    /// The schema a factory gives.
    pub fn of(schema: fn(&mut SchemaGenerator) -> Schema) -> Self {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let root = schema(&mut generator).to_value();
        Self { root, definitions: generator.take_definitions(true) }
    }

    /// The schema of a type.
    pub fn of_type<T: JsonSchema>() -> Self {
        Self::of(|generator| generator.subschema_for::<T>())
    }

    /// Follows references.
    pub fn resolve<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        /// Definitions that only refer to definitions do not occur; this only ends a circle of them.
        const HOPS: usize = 16;
        for _ in 0..HOPS {
            let target = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
            match target.and_then(|name| self.definitions.get(name)) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }
}
