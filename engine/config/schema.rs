//! One JSON Schema (2020-12) for the whole file: what editors complete from.
//!
//! It is made of the same schemas the checker uses, so both say the same; only what the checker knows beyond JSON
//! Schema is loosened: a reference `${...}` may stand where a number, a boolean or a word is expected, a key may
//! have nothing behind it, and regular expressions are not those of JavaScript.

use super::DeliveryConfig;
use crate::{
    component::{Factory, Kind, Registry},
    delivery::budget::AdmissionConfig,
    telemetry::TelemetryConfig,
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The schema of a configuration with the components of `registry`.
pub fn schema(registry: &Registry) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut definitions = Map::new();
    let mut properties = Map::new();
    for kind in Kind::ALL {
        let mut types = Map::new();
        for factory in registry.of_kind(kind) {
            let name = format!("{}_{}", kind.as_str(), factory.type_name);
            definitions.insert(name.clone(), body(factory, &mut generator));
            for spelling in std::iter::once(&factory.type_name).chain(factory.aliases) {
                types.insert(format!("^{spelling}(/.+)?$"), json!({"$ref": format!("#/$defs/{name}")}));
            }
        }
        let section = json!({
            "description": format!("The {}, by id: `type` or `type/name`.", kind.section()),
            "type": ["object", "null"],
            "patternProperties": types,
            "additionalProperties": false,
        });
        properties.insert(kind.section().into(), section);
    }
    for (name, section) in [
        ("service_admission", generator.subschema_for::<AdmissionConfig>()),
        ("service_telemetry", generator.subschema_for::<TelemetryConfig>()),
    ] {
        definitions.insert(name.into(), body_of(section.to_value(), &generator));
    }
    properties.insert("service".into(), service());
    for (name, definition) in generator.take_definitions(true) {
        definitions.insert(name, definition);
    }
    drop_unused(&mut definitions);
    definitions.values_mut().for_each(loosen);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lanner configuration",
        "type": "object",
        "properties": properties,
        "required": ["receivers", "exporters", "service"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

fn service() -> Value {
    let list =
        |what: &str| json!({"description": what, "type": ["array", "string", "null"], "items": {"type": "string"}});
    json!({
        "type": "object",
        "properties": {
            "extensions": list("Extensions to start, by id."),
            "telemetry": {"$ref": "#/$defs/service_telemetry"},
            "admission": {"$ref": "#/$defs/service_admission"},
            "pipelines": {
                "description": "Pipelines, by id: `logs`, `metrics` or `traces`, with `/name` to have several.",
                "type": "object",
                "minProperties": 1,
                "patternProperties": {"^(logs|metrics|traces)(/.+)?$": {
                    "type": "object",
                    "properties": {
                        "receivers": list("Receivers and connectors, by id."),
                        "processors": list("Processors, by id, in order."),
                        "exporters": list("Exporters and connectors, by id."),
                    },
                    "required": ["receivers", "exporters"],
                    "additionalProperties": false,
                }},
                "additionalProperties": false,
            },
        },
        "required": ["pipelines"],
        "additionalProperties": false,
    })
}

/// The schema of a component's body, the engine's keys of exporters included.
fn body(factory: &Factory, generator: &mut SchemaGenerator) -> Value {
    let mut body = resolved((factory.schema)(generator).to_value(), generator);
    if factory.delivery.is_some() {
        let mut delivery = resolved(generator.subschema_for::<DeliveryConfig>().to_value(), generator);
        if let (Some(Value::Object(own)), Some(Value::Object(engines))) =
            (body.get_mut("properties"), delivery.get_mut("properties").map(Value::take))
        {
            own.extend(engines);
        } else if let (Value::Object(body), Some(engines)) = (&mut body, delivery.get_mut("properties")) {
            body.insert("properties".into(), engines.take());
        }
    }
    body_of(body, generator)
}

/// A definition as that of a body, which may be left out.
fn body_of(schema: Value, generator: &SchemaGenerator) -> Value {
    let mut body = resolved(schema, generator);
    if let Value::Object(body) = &mut body {
        body.remove("title");
        body.insert("type".into(), json!(["object", "null"]));
    }
    body
}

/// The definition behind a reference.
fn resolved(schema: Value, generator: &SchemaGenerator) -> Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
    target.and_then(|name| generator.definitions().get(name)).cloned().unwrap_or(schema)
}

/// Leaves out definitions that were taken in elsewhere.
fn drop_unused(definitions: &mut Map<String, Value>) {
    loop {
        let text = Value::Object(definitions.clone()).to_string();
        let before = definitions.len();
        definitions.retain(|name, _| {
            let sections = Kind::ALL.iter().map(|kind| kind.as_str()).chain(["service"]);
            sections.into_iter().any(|section| name.strip_prefix(section).is_some_and(|rest| rest.starts_with('_')))
                || text.contains(&format!("\"#/$defs/{name}\""))
        });
        if definitions.len() == before {
            return;
        }
    }
}

/// Allows what the loader allows beyond the types.
fn loosen(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(loosen),
        Value::Object(object) => {
            if object.get("format").and_then(Value::as_str) == Some("regex") {
                object.remove("format");
            }
            for keyword in ["properties", "patternProperties"] {
                if let Some(Value::Object(known)) = object.get_mut(keyword) {
                    known.values_mut().for_each(loosen);
                }
            }
            for keyword in ["items", "additionalProperties"] {
                if let Some(below) = object.get_mut(keyword) {
                    loosen(below);
                }
            }
            let words = ["anyOf", "oneOf"].into_iter().find(|keyword| {
                let variants = object.get(*keyword).and_then(Value::as_array);
                variants.is_some_and(|variants| variants.iter().all(is_word))
            });
            if let Some(keyword) = words {
                if let Some(Value::Array(mut variants)) = object.remove(keyword) {
                    variants.push(reference());
                    object.insert("anyOf".into(), variants.into());
                }
                return;
            }
            for keyword in ["anyOf", "oneOf", "allOf"] {
                if let Some(below) = object.get_mut(keyword) {
                    loosen(below);
                }
            }
            if is_number(object) || is_word(&Value::Object(object.clone())) {
                widen(object);
            }
        }
        _ => {}
    }
}

fn is_word(schema: &Value) -> bool {
    schema.get("const").is_some_and(Value::is_string) || schema.get("enum").is_some()
}

fn is_number(object: &Map<String, Value>) -> bool {
    let one = |name: &Value| matches!(name.as_str(), Some("integer" | "number" | "boolean"));
    object.get("type").is_some_and(|types| one(types) || types.as_array().is_some_and(|types| types.iter().any(one)))
}

/// A text with a reference in it.
fn reference() -> Value {
    json!({"type": "string", "pattern": "\\$\\{.+\\}"})
}

/// Puts `${...}` beside a schema; what describes it stays outside, where editors look for it.
fn widen(object: &mut Map<String, Value>) {
    let mut inner = std::mem::take(object);
    for keyword in ["description", "default", "examples"] {
        if let Some(value) = inner.remove(keyword) {
            object.insert(keyword.into(), value);
        }
    }
    object.insert("anyOf".into(), json!([inner, reference()]));
}
