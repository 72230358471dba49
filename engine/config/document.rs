//! `Document`: the whole configuration in the Collector's shape, components still as trees.

use super::{Diagnostic, Node, NodeKey, NodeValue, Origin, codes, node::Path, substitute::FilledIn, suggest};
use crate::component::{ComponentId, Kind, PipelineId};
use std::{collections::HashMap, str::FromStr};

/// The configuration: sections, pipelines and references, each with its place.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// In file order, by section.
    pub components: Vec<ComponentEntry>,
    /// `service::extensions`.
    pub extensions: Vec<Reference>,
    /// `service::pipelines`, in file order.
    pub pipelines: Vec<PipelineEntry>,
    /// `service::telemetry`; null when absent.
    pub telemetry: Node,
    /// `service::admission`; null when absent.
    pub admission: Node,
    /// Whether everything the user wrote is here: what is missing may otherwise stand in a part that was not read.
    pub complete: bool,
    /// Where `service` was written, or the start of the configuration.
    pub service_at: Origin,
    /// Ids in lists of pipelines whose own id is wrong.
    pub(crate) mentioned: Vec<ComponentId>,
    /// What references gave.
    pub(crate) filled_in: FilledIn,
}

/// A configured component.
#[derive(Clone, Debug)]
pub struct ComponentEntry {
    pub kind: Kind,
    pub id: ComponentId,
    /// Where its id was written.
    pub at: Origin,
    /// Null: all defaults.
    pub body: Node,
}

/// A pipeline as written.
#[derive(Clone, Debug)]
pub struct PipelineEntry {
    pub id: PipelineId,
    pub at: Origin,
    /// Receivers and connectors.
    pub receivers: Vec<Reference>,
    pub processors: Vec<Reference>,
    /// Exporters and connectors.
    pub exporters: Vec<Reference>,
}

/// A component named in a list.
#[derive(Clone, Debug)]
pub struct Reference {
    pub id: ComponentId,
    pub at: Origin,
    /// `service::pipelines::logs::exporters[0]`.
    pub path: String,
}

impl Document {
    /// The component `id` of a kind.
    pub fn component(&self, kind: Kind, id: &ComponentId) -> Option<&ComponentEntry> {
        self.components.iter().find(|entry| entry.kind == kind && entry.id == *id)
    }

    /// The components of one section.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &ComponentEntry> {
        self.components.iter().filter(move |entry| entry.kind == kind)
    }

    /// Reads the shape of a merged tree.
    pub(crate) fn read(tree: &Node, complete: bool, findings: &mut Vec<Diagnostic>) -> Self {
        let mut reader = Reader { findings, complete };
        let mut document = Self::default();
        let sections: Vec<&str> = Kind::ALL.iter().map(|kind| kind.section()).chain(["service"]).collect();
        document.service_at = tree.entries().first().map(|(key, _)| key.origin.clone()).unwrap_or_default();
        for (key, node) in tree.entries() {
            let path = Path::of(&[&key.text]);
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.section() == &*key.text) {
                reader.section(kind, key, node, &mut document.components);
            } else if &*key.text == "service" {
                document.service_at = key.origin.clone();
                reader.service(key, node, &mut document);
            } else {
                reader.unknown(key, &path, "at the top of the configuration", &sections);
            }
        }
        document.complete = reader.complete;
        document
    }
}

struct Reader<'a> {
    findings: &'a mut Vec<Diagnostic>,
    complete: bool,
}

impl Reader<'_> {
    fn unknown(&mut self, key: &NodeKey, path: &Path, place: &str, known: &[&str]) {
        // Whatever was meant by it is not where others look for it.
        self.complete = false;
        let help = match suggest::nearest(&key.text, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys: {}", suggest::list(known.iter().copied())),
        };
        let message = format!("unknown key `{}` {place}", key.text);
        self.findings.push(Diagnostic::error(codes::UNKNOWN_SECTION, message, key.origin.clone(), path).help(help));
    }

    /// The entries of a map, which may be absent.
    fn map<'n>(&mut self, key: &NodeKey, node: &'n Node, path: &Path) -> &'n [(NodeKey, Node)] {
        if !matches!(node.value, NodeValue::Map(_) | NodeValue::Null) {
            self.complete = false;
            let message = format!("`{path}` must be a map, not {}", node.describe());
            self.findings.push(Diagnostic::error(codes::WRONG_TYPE, message, key.origin.clone(), path));
        }
        node.entries()
    }

    fn id<T: FromStr>(&mut self, text: &str, at: &Origin, path: &Path) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                self.complete = false;
                let error = error.to_string();
                let (message, help) = error.split_once("; ").unwrap_or((&error, ""));
                let mut finding = Diagnostic::error(codes::BAD_ID, message, at.clone(), path);
                if !help.is_empty() {
                    finding = finding.help(help);
                }
                self.findings.push(finding);
                None
            }
        }
    }

    fn section(&mut self, kind: Kind, key: &NodeKey, node: &Node, components: &mut Vec<ComponentEntry>) {
        let path = Path::of(&[kind.section()]);
        let mut places: HashMap<ComponentId, Origin> = HashMap::new();
        for (name, body) in self.map(key, node, &path) {
            let path = path.key(&name.text);
            let Some(id) = self.id::<ComponentId>(&name.text, &name.origin, &path) else { continue };
            if let Some(first) = places.get(&id) {
                let message = format!("duplicate name \"{id}\"");
                let finding = Diagnostic::error(codes::DUPLICATE_KEY, message, name.origin.clone(), &path);
                self.findings.push(finding.related(first.clone(), "first written here"));
                continue;
            }
            places.insert(id.clone(), name.origin.clone());
            components.push(ComponentEntry { kind, id, at: name.origin.clone(), body: body.clone() });
        }
    }

    fn service(&mut self, key: &NodeKey, node: &Node, document: &mut Document) {
        const KEYS: [&str; 4] = ["pipelines", "extensions", "telemetry", "admission"];
        let path = Path::of(&["service"]);
        for (name, node) in self.map(key, node, &path) {
            let path = path.key(&name.text);
            match &*name.text {
                "extensions" => document.extensions = self.references(name, node, &path),
                "telemetry" => document.telemetry = node.clone(),
                "admission" => document.admission = node.clone(),
                "pipelines" => {
                    for (name, node) in self.map(name, node, &path) {
                        self.pipeline(name, node, &path.key(&name.text), document);
                    }
                }
                _ => self.unknown(name, &path, "in `service`", &KEYS),
            }
        }
    }

    fn pipeline(&mut self, name: &NodeKey, node: &Node, path: &Path, document: &mut Document) {
        const KEYS: [&str; 3] = ["receivers", "processors", "exporters"];
        let id = self.id::<PipelineId>(&name.text, &name.origin, path);
        let mut lists: [Vec<Reference>; 3] = Default::default();
        for (key, node) in self.map(name, node, path) {
            let below = path.key(&key.text);
            match KEYS.iter().zip(&mut lists).find(|(known, _)| **known == &*key.text) {
                Some((_, list)) => *list = self.references(key, node, &below),
                None => self.unknown(key, &below, &format!("in pipeline `{}`", name.text), &KEYS),
            }
        }
        let [receivers, processors, exporters] = lists;
        match id {
            Some(id) => {
                let at = name.origin.clone();
                document.pipelines.push(PipelineEntry { id, at, receivers, processors, exporters });
            }
            None => {
                let all = receivers.into_iter().chain(processors).chain(exporters);
                document.mentioned.extend(all.map(|reference| reference.id));
            }
        }
    }

    /// A list of ids; one text with commas is a list, too.
    fn references(&mut self, key: &NodeKey, node: &Node, path: &Path) -> Vec<Reference> {
        let split: Vec<Node>;
        let items = match &node.value {
            NodeValue::Null => return Vec::new(),
            NodeValue::List(items) => items.as_slice(),
            NodeValue::Scalar { text, .. } => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                let scalar = |word: &str| NodeValue::Scalar { text: word.into(), plain: true };
                split = words.map(|word| Node { origin: node.origin.clone(), value: scalar(word) }).collect();
                &split
            }
            NodeValue::Map(_) => {
                self.complete = false;
                let message = format!("`{path}` must be a list of ids, not {}", node.describe());
                self.findings.push(Diagnostic::error(codes::WRONG_TYPE, message, key.origin.clone(), path));
                return Vec::new();
            }
        };
        let mut references = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            match item.text() {
                Some(text) => {
                    let id = self.id(text, &item.origin, &path);
                    let at = item.origin.clone();
                    references.extend(id.map(|id| Reference { id, at, path: path.to_string() }));
                }
                None => {
                    let message = format!("`{path}` must be the id of a component, not {}", item.describe());
                    self.findings.push(Diagnostic::error(codes::WRONG_TYPE, message, item.origin.clone(), &path));
                }
            }
        }
        references
    }
}
