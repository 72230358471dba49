//! `PlanCx`: where a component's plan phase reports what it found.

use super::{DeliveryConfig, Diagnostic, ListenAddress, Node};
use serde::de::DeserializeOwned;
use std::error::Error;

/// Collects findings about one component. Paths are relative to the component's body: `tls.ca_file`, `items[2]`;
/// the empty path is the component itself.
pub struct PlanCx<'a> {
    pub(crate) body: &'a Node,
    pub(crate) findings: &'a mut Vec<Diagnostic>,
}

impl PlanCx<'_> {
    /// Reports an error at `path`.
    pub fn error(&mut self, _path: &str, _error: impl Error) {}

    /// Reports a warning at `path`.
    pub fn warning(&mut self, _path: &str, _warning: impl Error) {}

    /// Says that the component will listen on `address`, so that clashes are found before start.
    pub fn listens(&mut self, _path: &str, _address: &ListenAddress) {}

    /// Makes the typed config of a body, reporting every problem: unknown keys, wrong types, bad values.
    pub fn decode<C: DeserializeOwned>(&mut self, _body: &Node) -> Option<C> {
        None
    }

    /// Takes the engine's keys out of an exporter's body and plans them.
    pub(crate) fn split_delivery(&mut self, _body: &Node) -> (Node, Option<DeliveryConfig>) {
        (Node::default(), None)
    }
}
