//! Writing a request record by record, where nobody has made the records: those of one resource and scope.
//!
//! Promise: the bytes are those that [`super::encode_logs`] writes for the same content.

use super::{
    encode::{RecordHead, kept_record, resource},
    one::{AttributeBytes, EncodedScope},
    wire::Writer,
};
use crate::event::{LogRecord, OtlpRequest, Resource, Signal};

/// A request that grows.
pub struct GroupWriter {
    writer: Writer,
    /// Where the messages around the records began.
    resource_logs: usize,
    scope_logs: usize,
    schema_urls: [Box<str>; 2],
    /// Of the record that is being made.
    attributes: AttributeBytes,
    items: usize,
}

impl GroupWriter {
    /// A request without records yet, with memory for about so many bytes.
    pub fn new(of: &Resource, scope: &EncodedScope, bytes: usize) -> Self {
        let mut writer = Writer { out: Vec::with_capacity(bytes) };
        let resource_logs = writer.open(1);
        writer.message(1, |writer| resource(writer, of));
        let scope_logs = writer.open(2);
        writer.out.extend_from_slice(&scope.field);
        let schema_urls = [scope.schema_url.clone(), (&*of.schema_url).into()];
        Self { writer, resource_logs, scope_logs, schema_urls, attributes: AttributeBytes::new(6), items: 0 }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.items
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Adds a record that was made all the same.
    pub fn push(&mut self, record: &LogRecord) {
        kept_record(&mut self.writer, record);
        self.items += 1;
    }

    /// Place for the attributes of a record that is then [written](Self::write).
    pub(crate) fn attributes(&mut self) -> AttributeBytes {
        let mut attributes = std::mem::replace(&mut self.attributes, AttributeBytes::new(6));
        attributes.clear();
        attributes
    }

    /// Adds a record with these attributes and the text `body`.
    pub(crate) fn write(&mut self, attributes: AttributeBytes, head: &RecordHead<'_>, body: &str) {
        self.writer.message(2, |writer| attributes.of_record(writer, head, Some(body)));
        self.attributes = attributes;
        self.items += 1;
    }

    /// The request.
    pub fn finish(mut self) -> OtlpRequest {
        let [of_scope, of_resource] = &self.schema_urls;
        self.writer.bytes(3, of_scope.as_bytes());
        self.writer.close(self.scope_logs);
        self.writer.bytes(3, of_resource.as_bytes());
        self.writer.close(self.resource_logs);
        // A queue holds requests for long and is bounded by their length.
        self.writer.out.shrink_to_fit();
        OtlpRequest { signal: Signal::Logs, bytes: self.writer.out.into(), items: self.items }
    }
}
