//! Layers: files in order, then the environment, then `--set`, merged by figment.
//!
//! Promises: maps merge deep, the later layer wins; scalars and lists are replaced whole; `key:` with nothing
//! behind it replaces a whole map, as in the Collector, and is warned about.
//!
//! figment merges and tags every value with the layer it came from; by that tag the value's own [`Node`], with its
//! place in the file, is taken from the layer again. So figment never sees (or changes) what a value says.

use super::{Diagnostic, Node, NodeValue, codes, node::Path};
use figment::{
    Error, Figment, Metadata, Profile, Provider, Source,
    value::{Dict, Empty, Map, Value},
};

/// One source of configuration, as figment sees it: the shape without the values.
struct Layer<'a> {
    index: usize,
    tree: &'a Node,
}

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::from("layer", Source::Custom(self.index.to_string()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, dict(self.tree))]))
    }
}

fn dict(tree: &Node) -> Dict {
    tree.entries().iter().map(|(key, node)| (key.text.to_string(), shape(node))).collect()
}

fn shape(node: &Node) -> Value {
    match &node.value {
        NodeValue::Null => Value::from(Empty::None),
        NodeValue::Scalar { .. } => Value::from(true),
        NodeValue::List(_) => Value::from(Vec::<Value>::new()),
        NodeValue::Map(_) => Value::from(dict(node)),
    }
}

/// Merges layers, the first being the lowest. Layers that are no maps must have been left out.
pub(crate) fn merge(layers: &[Node], findings: &mut Vec<Diagnostic>) -> Node {
    for (index, layer) in layers.iter().enumerate() {
        warn_of_erased(&layers[..index].iter().collect::<Vec<_>>(), layer, &Path::default(), findings);
    }
    let figment =
        layers.iter().enumerate().fold(Figment::new(), |figment, (index, tree)| figment.merge(Layer { index, tree }));
    let merged = figment.find_value("").unwrap_or_else(|_| Value::from(Dict::new()));
    let here: Vec<Option<&Node>> = layers.iter().map(Some).collect();
    rebuild(&merged, &here, &figment)
}

/// The tree behind a merged value; `here` holds what each layer has at this place.
fn rebuild(merged: &Value, here: &[Option<&Node>], figment: &Figment) -> Node {
    let Value::Dict(_, entries) = merged else {
        return layer_of(merged, figment)
            .and_then(|layer| here.get(layer).copied().flatten())
            .cloned()
            .unwrap_or_default();
    };
    let maps = || here.iter().flatten().filter(|node| matches!(node.value, NodeValue::Map(_)));
    let mut rebuilt: Vec<_> = Vec::with_capacity(entries.len());
    let mut left: std::collections::HashMap<&str, &Value> =
        entries.iter().map(|(key, value)| (key.as_str(), value)).collect();
    // figment sorts keys; the user's order is that of first appearance.
    for (key, _) in maps().flat_map(|map| map.entries()) {
        let Some(value) = left.remove(&*key.text) else { continue };
        let below: Vec<Option<&Node>> = here.iter().map(|node| node.and_then(|node| node.get(&key.text))).collect();
        let key = match value {
            Value::Dict(..) => key.clone(),
            _ => {
                let layer = layer_of(value, figment).and_then(|layer| here.get(layer).copied().flatten());
                layer.and_then(|map| map.entry(&key.text)).map_or_else(|| key.clone(), |(key, _)| key.clone())
            }
        };
        rebuilt.push((key, rebuild(value, &below, figment)));
    }
    let origin = maps().next().map(|map| map.origin.clone()).unwrap_or_default();
    Node { origin, value: NodeValue::Map(rebuilt) }
}

/// The layer a merged value came from.
fn layer_of(value: &Value, figment: &Figment) -> Option<usize> {
    match &figment.get_metadata(value.tag())?.source {
        Some(Source::Custom(index)) => index.parse().ok(),
        _ => None,
    }
}

/// Warns where nothing replaces a map of an earlier layer.
fn warn_of_erased(before: &[&Node], layer: &Node, path: &Path, findings: &mut Vec<Diagnostic>) {
    for (key, node) in layer.entries() {
        let below: Vec<&Node> = before.iter().filter_map(|map| map.get(&key.text)).collect();
        let path = path.key(&key.text);
        let erased = below.iter().rev().find(|node| !node.entries().is_empty());
        match (&node.value, erased) {
            (NodeValue::Null, Some(map)) => {
                let message = format!("`{path}` has nothing behind it and erases what earlier files wrote there");
                let first = map.entries().first().map(|(key, _)| key.origin.clone()).unwrap_or_default();
                let finding = Diagnostic::warning(codes::ERASED, message, key.origin.clone(), &path);
                findings.push(finding.related(first, "this is erased").help("remove the key to keep it"));
            }
            (NodeValue::Map(_), _) => warn_of_erased(&below, node, &path, findings),
            _ => {}
        }
    }
}
