//! `Node`: configuration as a tree in which every key and value knows where it was written.

use std::{path::PathBuf, sync::Arc};

/// Where something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Byte range of a file.
    File { file: Arc<PathBuf>, start: usize, end: usize },
    /// An environment variable, by name.
    Env(Arc<str>),
    /// A `--set` argument, as given.
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
