//! `Node`: configuration as a tree in which every key and value knows where it was written.

use std::{fmt, path::PathBuf, sync::Arc};

/// Where something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Byte range of a file.
    File { file: Arc<PathBuf>, start: usize, end: usize },
    /// An environment variable, by name.
    Env(Arc<str>),
    /// A `--set` argument: its left side, because the right side may be a secret.
    Set(Arc<str>),
    /// Nowhere: a built-in default.
    #[default]
    Default,
}

/// A value and where it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    pub origin: Origin,
    pub value: NodeValue,
}

/// What a node holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum NodeValue {
    /// `key:` with nothing behind it, `null` or `~`.
    #[default]
    Null,
    /// A scalar as written. `plain` is an unquoted one, which may also be read as a number or a boolean.
    Scalar {
        text: Arc<str>,
        plain: bool,
    },
    List(Vec<Node>),
    /// In file order; keys are unique.
    Map(Vec<(NodeKey, Node)>),
}

/// A key and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeKey {
    pub text: Arc<str>,
    pub origin: Origin,
}

impl Node {
    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[(NodeKey, Node)] {
        match &self.value {
            NodeValue::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            NodeValue::List(items) => items,
            _ => &[],
        }
    }

    /// The entry `key` of a map.
    pub fn entry(&self, key: &str) -> Option<&(NodeKey, Node)> {
        self.entries().iter().find(|(name, _)| &*name.text == key)
    }

    /// The value under `key` of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// Whether the other says the same, wherever and in whatever order of keys it was written.
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (NodeValue::Map(entries), NodeValue::Map(others)) => {
                let in_other =
                    |(key, node): &(NodeKey, Self)| other.get(&key.text).is_some_and(|same| node.says_the_same(same));
                entries.len() == others.len() && entries.iter().all(in_other)
            }
            (NodeValue::List(items), NodeValue::List(others)) => {
                items.len() == others.len() && items.iter().zip(others).all(|(item, same)| item.says_the_same(same))
            }
            (value, same) => value == same,
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether nothing was written.
    pub fn is_null(&self) -> bool {
        self.value == NodeValue::Null
    }

    /// What it is, for messages. Scalars are not shown: they may be secrets.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.value {
            NodeValue::Null => "nothing",
            NodeValue::Scalar { text, plain: true } if super::scalar::as_bool(text).is_some() => "true or false",
            NodeValue::Scalar { text, plain: true } if super::scalar::as_float(text).is_some() => "a number",
            NodeValue::Scalar { plain: false, .. } => "quoted text",
            NodeValue::Scalar { .. } => "text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a map",
        }
    }
}

/// One step into a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(Arc<str>),
    Index(usize),
}

/// A way into a tree. Shown as the Collector does: `exporters::otlp_grpc/tempo::items[2]::name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(pub Vec<Step>);

impl Path {
    /// The way through maps with these keys.
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).into())).collect())
    }

    /// One step further.
    pub fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.into()));
        Self(steps)
    }

    /// One step further.
    pub fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// This way, then the other.
    pub fn join(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// Whether `self` leads to `other` or to something around it.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Reads `tls.ca_file` or `items[2].name` against the tree it is about: a key of the tree may contain dots. Items are
    /// counted without those that were `left_out`.
    pub fn parse(text: &str, tree: &Node, left_out: &[Self]) -> Self {
        let mut steps = Vec::new();
        let (mut rest, mut node) = (text, Some(tree));
        while !rest.is_empty() {
            if let Some((index, behind)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'))
                && let Ok(index) = index.parse()
            {
                let index = counting(index, &steps, left_out);
                steps.push(Step::Index(index));
                node = node.and_then(|node| node.items().get(index));
                rest = behind.strip_prefix('.').unwrap_or(behind);
                continue;
            }
            let ends = |key: &str| {
                rest.strip_prefix(key).is_some_and(|behind| behind.is_empty() || behind.starts_with(['.', '[']))
            };
            let known =
                node.into_iter().flat_map(Node::entries).filter(|(key, _)| !key.text.is_empty() && ends(&key.text));
            let key: Arc<str> = match known.max_by_key(|(key, _)| key.text.len()) {
                Some((key, _)) => Arc::clone(&key.text),
                None => {
                    let end = rest.find(['.', '[']).filter(|end| *end > 0).unwrap_or(rest.len());
                    rest[..end].into()
                }
            };
            rest = &rest[key.len()..];
            rest = rest.strip_prefix('.').unwrap_or(rest);
            node = node.and_then(|node| node.get(&key));
            steps.push(Step::Key(key));
        }
        Self(steps)
    }

    /// Where to point for it: the scalar there, else its key, else the nearest thing around it that was written.
    pub fn origin_in(&self, tree: &Node, around: &Origin) -> Origin {
        let (mut node, mut at) = (tree, around.clone());
        for step in &self.0 {
            let next = match step {
                Step::Key(key) => node.entry(key).map(|(key, value)| (value, key.origin.clone())),
                Step::Index(index) => node.items().get(*index).map(|item| (item, item.origin.clone())),
            };
            let Some((value, origin)) = next else { return at };
            (node, at) = (value, origin);
        }
        match node.value {
            NodeValue::Scalar { .. } if !self.0.is_empty() => node.origin.clone(),
            _ => at,
        }
    }
}

/// The number that an item of the list at `list` was written with, in front of which some items were left out.
fn counting(index: usize, list: &[Step], left_out: &[Path]) -> usize {
    left_out.iter().fold(index, |index, path| match path.0.split_last() {
        Some((Step::Index(out), around)) if around == list && *out <= index => index + 1,
        _ => index,
    })
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, "::{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
