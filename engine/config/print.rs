//! `print-config`: the configuration as it takes effect, defaults filled in, secrets redacted.

use super::{
    DeliveryConfig, Document, Node, NodeValue, Secret,
    check::{SchemaDoc, switches},
    render, scalar,
};
use crate::component::{ComponentId, Factory, Kind, Registry};
use serde_json::{Map, Value, json};

/// The whole configuration as YAML.
///
/// What is a secret is known from the types of components; where a type is unknown, a key that names a secret
/// counts as one.
pub fn print_config(document: &Document, registry: &Registry) -> String {
    let mut root = Map::new();
    for kind in Kind::ALL {
        let bodies: Map<String, Value> = document
            .of_kind(kind)
            .map(|entry| (entry.id.to_string(), body(registry.find(kind, entry.id.type_name()), &entry.body)))
            .collect();
        if !bodies.is_empty() {
            root.insert(kind.section().into(), bodies.into());
        }
    }
    let ids = |list: &[super::Reference]| -> Vec<String> { list.iter().map(|used| id(&used.id)).collect() };
    let mut service = Map::new();
    if !document.extensions.is_empty() {
        service.insert("extensions".into(), ids(&document.extensions).into());
    }
    for (key, node) in [("telemetry", &document.telemetry), ("admission", &document.admission)] {
        if !node.is_null() {
            service.insert(key.into(), plain(node, false));
        }
    }
    let pipelines: Map<String, Value> = document
        .pipelines
        .iter()
        .map(|pipeline| {
            let mut lists = Map::new();
            lists.insert("receivers".into(), ids(&pipeline.receivers).into());
            if !pipeline.processors.is_empty() {
                lists.insert("processors".into(), ids(&pipeline.processors).into());
            }
            lists.insert("exporters".into(), ids(&pipeline.exporters).into());
            (pipeline.id.to_string(), lists.into())
        })
        .collect();
    service.insert("pipelines".into(), pipelines.into());
    root.insert("service".into(), service.into());
    // Maps with text keys always serialize.
    serde_yaml::to_string(&root).unwrap_or_default()
}

fn id(id: &ComponentId) -> String {
    id.to_string()
}

/// A component's body over its defaults.
fn body(factory: Option<&Factory>, written: &Node) -> Value {
    let Some(factory) = factory else { return plain(written, false) };
    let mut value = (factory.defaults)();
    let doc = SchemaDoc::of(factory.schema);
    if let Some(defaults) = factory.delivery {
        let delivery = serde_json::to_value(DeliveryConfig::default()).unwrap_or_default();
        overlay(&mut value, delivery);
        let timeout = super::Duration(defaults.timeout).to_string();
        overlay(&mut value, json!({"timeout": timeout, "sending_queue": {"enabled": defaults.queue}}));
    }
    let engines = factory.delivery.is_some().then(SchemaDoc::of_type::<DeliveryConfig>);
    for (key, node) in written.entries().iter().filter(|(_, node)| !node.is_null()) {
        let docs = [Some(&doc), engines.as_ref()];
        let typed = docs.into_iter().flatten().find_map(|doc| Some((doc, property(doc, &doc.root, &key.text)?)));
        let shown = match typed {
            Some((doc, schema)) => shown(node, schema, doc),
            None => plain(node, render::names_secret(&key.text)),
        };
        overlay(&mut value, Value::Object(Map::from_iter([(key.text.to_string(), shown)])));
    }
    value
}

/// Lays `over` on `value`: maps merge, everything else is replaced.
fn overlay(value: &mut Value, over: Value) {
    match (value, over) {
        (Value::Object(entries), Value::Object(over)) => {
            for (key, over) in over {
                overlay(entries.entry(key).or_insert(Value::Null), over);
            }
        }
        (value, over) => *value = over,
    }
}

/// The schema under a key, through optional values and enums.
fn property<'a>(doc: &'a SchemaDoc, schema: &'a Value, key: &str) -> Option<&'a Value> {
    let schema = doc.resolve(schema);
    let own = schema.get("properties").and_then(|known| known.get(key));
    own.or_else(|| variants(schema).find_map(|variant| property(doc, variant, key)))
        .or_else(|| schema.get("additionalProperties").filter(|others| others.is_object()))
}

fn variants(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|name| schema.get(name)?.as_array()).flatten()
}

/// Whether the schema, or a variant of it, is that of a secret.
fn is_secret(doc: &SchemaDoc, schema: &Value) -> bool {
    let schema = doc.resolve(schema);
    schema.get("format").and_then(Value::as_str) == Some("secret")
        || variants(schema).any(|variant| is_secret(doc, variant))
}

/// Whether text is what the schema wants.
fn is_text(doc: &SchemaDoc, schema: &Value) -> bool {
    let schema = doc.resolve(schema);
    let of = |name: &Value| name.as_str() == Some("string");
    schema.get("type").is_some_and(|types| of(types) || types.as_array().is_some_and(|types| types.iter().any(of)))
        || variants(schema).any(|variant| is_text(doc, variant))
}

fn shown(node: &Node, schema: &Value, doc: &SchemaDoc) -> Value {
    let schema = doc.resolve(schema);
    if is_secret(doc, schema) {
        return if node.text() == Some("") { "".into() } else { Secret::REDACTED.into() };
    }
    match &node.value {
        NodeValue::Scalar { text, .. } if is_text(doc, schema) => (**text).into(),
        NodeValue::List(items) => {
            let any = Value::Bool(true);
            let of =
                schema.get("items").or_else(|| variants(schema).find_map(|variant| doc.resolve(variant).get("items")));
            items.iter().map(|item| shown(item, of.unwrap_or(&any), doc)).collect()
        }
        NodeValue::Map(entries) => entries
            .iter()
            .map(|(key, value)| (key, value, property(doc, schema, &key.text)))
            .filter(|(_, value, of)| !value.is_null() || of.is_some_and(switches))
            .map(|(key, value, of)| match of {
                Some(_) if value.is_null() => (key.text.to_string(), Value::Object(Map::new())),
                Some(schema) => (key.text.to_string(), shown(value, schema, doc)),
                None => (key.text.to_string(), plain(value, render::names_secret(&key.text))),
            })
            .collect(),
        _ => plain(node, false),
    }
}

/// A value without a schema.
fn plain(node: &Node, secret: bool) -> Value {
    match &node.value {
        NodeValue::Null => Value::Null,
        _ if secret && node.text() != Some("") => Secret::REDACTED.into(),
        NodeValue::List(items) => items.iter().map(|item| plain(item, false)).collect(),
        NodeValue::Map(entries) => entries
            .iter()
            .map(|(key, value)| {
                let is_headers = &*key.text == "headers";
                let shown = if is_headers { headers(value) } else { plain(value, render::names_secret(&key.text)) };
                (key.text.to_string(), shown)
            })
            .collect(),
        NodeValue::Scalar { text, plain: false } => (**text).into(),
        NodeValue::Scalar { text, plain: true } => match (scalar::as_bool(text), scalar::as_int(text)) {
            (Some(yes), _) => yes.into(),
            // Digits after a zero are more likely a code than a number.
            (None, Some(int)) if !text.starts_with('0') || text.len() == 1 => {
                i64::try_from(int).map_or_else(|_| (**text).into(), Value::from)
            }
            (None, None) => scalar::as_float(text).map_or_else(|| (**text).into(), Value::from),
            _ => (**text).into(),
        },
    }
}

/// Headers without a schema, as a map or as a list of `name` and `value`: their values are not shown.
fn headers(node: &Node) -> Value {
    match &node.value {
        NodeValue::List(items) => items.iter().map(headers).collect(),
        NodeValue::Map(entries) => {
            entries.iter().map(|(key, value)| (key.text.to_string(), plain(value, &*key.text != "name"))).collect()
        }
        _ => plain(node, true),
    }
}
