//! What must be equal at both ends of a chain: every item with its resource and its scope, however requests were cut.

use crate::support::request_sink::Requests;
use lanner_proto::{common::v1::InstrumentationScope, resource::v1::Resource};
use prost::Message;

/// Canonical protobuf bytes of resource, scope and item.
pub type Item = [Vec<u8>; 3];

/// The items of each signal (log records, metrics, spans), in an order that does not depend on who came first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Items {
    pub logs: Vec<Item>,
    pub metrics: Vec<Item>,
    pub spans: Vec<Item>,
}

fn item(
    resource: &Option<Resource>,
    resource_schema: &str,
    scope: &Option<InstrumentationScope>,
    scope_schema: &str,
    item: &impl Message,
) -> Item {
    // An absent one and an empty one mean the same.
    let resource = [resource.clone().unwrap_or_default().encode_to_vec(), resource_schema.into()].concat();
    let scope = [scope.clone().unwrap_or_default().encode_to_vec(), scope_schema.into()].concat();
    [resource, scope, item.encode_to_vec()]
}

impl Items {
    /// The items of these requests.
    pub fn of(requests: &Requests) -> Self {
        let mut items = Self::default();
        for group in requests.logs.iter().flat_map(|request| &request.resource_logs) {
            for scope in &group.scope_logs {
                items.logs.extend(
                    scope.log_records.iter().map(|record| {
                        item(&group.resource, &group.schema_url, &scope.scope, &scope.schema_url, record)
                    }),
                );
            }
        }
        for group in requests.metrics.iter().flat_map(|request| &request.resource_metrics) {
            for scope in &group.scope_metrics {
                items.metrics.extend(
                    scope.metrics.iter().map(|metric| {
                        item(&group.resource, &group.schema_url, &scope.scope, &scope.schema_url, metric)
                    }),
                );
            }
        }
        for group in requests.traces.iter().flat_map(|request| &request.resource_spans) {
            for scope in &group.scope_spans {
                items.spans.extend(
                    scope
                        .spans
                        .iter()
                        .map(|span| item(&group.resource, &group.schema_url, &scope.scope, &scope.schema_url, span)),
                );
            }
        }
        for list in [&mut items.logs, &mut items.metrics, &mut items.spans] {
            list.sort();
        }
        items
    }

    /// How many of each.
    pub fn counts(&self) -> [usize; 3] {
        [self.logs.len(), self.metrics.len(), self.spans.len()]
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.counts().iter().sum()
    }

    /// Bytes of resources, scopes and items.
    pub fn bytes(&self) -> usize {
        let all = self.logs.iter().chain(&self.metrics).chain(&self.spans);
        all.flatten().map(Vec::len).sum()
    }

    /// The same without repetitions.
    pub fn distinct(mut self) -> Self {
        for list in [&mut self.logs, &mut self.metrics, &mut self.spans] {
            list.dedup();
        }
        self
    }

    /// Fails with the first difference, which a comparison of long lists would hide.
    pub fn assert_same(&self, sent: &Self, what: &str) {
        assert_eq!(self.counts(), sent.counts(), "{what}: logs, metrics, spans that arrived");
        for (name, here, there) in [
            ("log record", &self.logs, &sent.logs),
            ("metric", &self.metrics, &sent.metrics),
            ("span", &self.spans, &sent.spans),
        ] {
            for (index, (here, there)) in here.iter().zip(there).enumerate() {
                assert_eq!(here, there, "{what}: {name} {index}: resource, scope, item");
            }
        }
    }
}
