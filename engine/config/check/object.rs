//! Maps: structs with known keys, and maps with keys of the user.

use super::{Checker, Problem};
use crate::config::{Node, NodeValue, Origin, codes, node::Path, suggest};
use serde_json::{Map, Value};

impl<'a> Checker<'a> {
    pub(super) fn object(&mut self, node: &Node, key: &Origin, schema: &'a Value, path: &Path) -> Option<Node> {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object);
        let closed = closed(schema);
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        let mut kept = Vec::new();
        for (name, value) in node.entries() {
            let below = path.key(&name.text);
            if let Some(of) = known.and_then(|known| known.get(&*name.text)) {
                if value.is_null() {
                    if switches(of) {
                        let on = Node { origin: value.origin.clone(), value: NodeValue::Map(Vec::new()) };
                        kept.push((name.clone(), on));
                    }
                    continue;
                }
                kept.extend(self.value(value, &name.origin, of, &below).map(|value| (name.clone(), value)));
            } else if let Some(of) = others {
                kept.extend(self.value(value, &name.origin, of, &below).map(|value| (name.clone(), value)));
            } else if let Some(reason) = not_offered(schema, &name.text) {
                self.not_offered(&name.text, reason, &name.origin, path);
            } else if closed {
                self.unknown_key(&name.text, &name.origin, known.unwrap_or(&none), path);
            } else {
                kept.push((name.clone(), value.clone()));
            }
        }
        if self.misses(node, key, schema, path) && !path.0.is_empty() {
            // It cannot be decoded; without it the rest can.
            return None;
        }
        Some(Node { origin: node.origin.clone(), value: NodeValue::Map(kept) })
    }

    fn unknown_key(&mut self, name: &str, origin: &Origin, known: &Map<String, Value>, path: &Path) {
        let more = if path.0.is_empty() { self.more_keys } else { &[] };
        let words: Vec<&str> = known.keys().map(String::as_str).chain(more.iter().copied()).collect();
        let near = suggest::nearest(name, words.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if words.is_empty() => "it has no keys".into(),
            None => format!("known keys: {}", suggest::list(words)),
        };
        self.problems.push(Problem {
            code: codes::UNKNOWN_KEY,
            message: format!("unknown key `{name}` in {}", self.place(path)),
            path: path.key(name),
            origin: origin.clone(),
            help: Some(help),
            meant: near.map(|near| path.key(near)),
        });
    }

    fn not_offered(&mut self, name: &str, reason: &str, origin: &Origin, path: &Path) {
        let (why, help) = reason.split_once("; ").unwrap_or((reason, "remove the key"));
        let message = format!("`{name}` of the Collector is not offered in {}: {why}", self.place(path));
        self.problem(codes::UNKNOWN_KEY, message, &path.key(name), origin, Some(help.to_owned()));
    }

    fn misses(&mut self, node: &Node, key: &Origin, schema: &Value, path: &Path) -> bool {
        let mut misses = false;
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            let below = path.key(name);
            let written = node.get(name).is_some_and(|value| !value.is_null());
            let meant = self.problems.iter().any(|problem| problem.meant.as_ref() == Some(&below));
            misses |= !written;
            if written || meant {
                continue;
            }
            let message = format!("{} needs the key `{name}`", self.place(path));
            let of = schema.get("properties").and_then(|known| known.get(name));
            let help = of.map(|of| self.doc.resolve(of)).and_then(|of| of.get("examples")?.get(0)?.as_str());
            let help = help.map(|example| format!("write for example `{name}: {example}`"));
            self.problem(codes::MISSING_KEY, message, &below, key, help);
        }
        misses
    }
}

/// Whether the key alone switches a section on, as `protocols: grpc:` does in the Collector.
pub(crate) fn switches(schema: &Value) -> bool {
    schema.get("x-switch") == Some(&Value::Bool(true))
}

/// Why a key that the Collector has is not offered, and after a semicolon what to do. A struct lists such keys as
/// `#[schemars(extend("x-not-offered" = [("key", "why; remedy")]))]`.
fn not_offered<'s>(schema: &'s Value, name: &str) -> Option<&'s str> {
    let pairs = schema.get("x-not-offered")?.as_array()?;
    pairs.iter().find(|pair| pair.get(0).and_then(Value::as_str) == Some(name))?.get(1)?.as_str()
}

/// Whether keys that are not listed are wrong.
fn closed(schema: &Value) -> bool {
    let no = |name: &str| schema.get(name) == Some(&Value::Bool(false));
    no("additionalProperties") || no("unevaluatedProperties")
}
