//! Writing a request with one log record that nobody has made: attributes become bytes as they are found.
//!
//! Promise: the bytes are those that [`super::encode_logs`] writes for the same content.

use super::{
    encode::{RecordHead, key_field, log_record, scalar, scope, with_buffer},
    wire::Writer,
};
use crate::event::{Key, Scalar, Scope};
use bytes::Bytes;
use std::cell::RefCell;

/// Larger buffers are not kept for the next record.
const KEPT: usize = 64 << 10;

thread_local! {
    static BUFFERS: RefCell<Option<OneRecord>> = const { RefCell::new(None) };
}

/// A scope as it stands in a request.
#[derive(Clone, Debug)]
pub struct EncodedScope {
    pub(super) field: Box<[u8]>,
    pub(super) schema_url: Box<str>,
}

impl EncodedScope {
    /// Encodes a scope.
    pub fn of(of: &Scope) -> Self {
        let mut writer = Writer::default();
        writer.short_message(1, |writer| scope(writer, of));
        Self { field: writer.out.into(), schema_url: (&*of.schema_url).into() }
    }
}

/// Attributes as bytes.
pub(crate) struct AttributeBytes {
    /// The field they are in the message around them.
    tag: u8,
    writer: Writer,
}

impl AttributeBytes {
    pub(super) fn new(tag: u8) -> Self {
        Self { tag, writer: Writer::default() }
    }

    /// Writes an attribute.
    #[inline]
    pub fn push(&mut self, key: &Key, value: &Scalar<'_>) {
        if let (Some(key), Some(text)) = (key.encoded_field(), value.as_str()) {
            return self.writer.text_attribute(self.tag, key, text.as_bytes());
        }
        self.writer.short_message(self.tag, |writer| {
            key_field(writer, key);
            writer.short_message(2, |writer| scalar(writer, value));
        });
    }

    /// Writes an attribute that is a list.
    pub fn push_list<'v>(&mut self, key: &Key, items: impl Iterator<Item = Scalar<'v>>) {
        self.writer.short_message(self.tag, |writer| {
            key_field(writer, key);
            writer.short_message(2, |writer| {
                writer.short_message(5, |writer| {
                    items.for_each(|item| match item.as_str() {
                        Some(text) => writer.text_value(1, text.as_bytes()),
                        None => writer.short_message(1, |writer| scalar(writer, &item)),
                    });
                });
            });
        });
    }

    /// Writes the fields of the record that has these attributes.
    pub(super) fn of_record(&self, writer: &mut Writer, head: &RecordHead<'_>, body: Option<&str>) {
        let body = |writer: &mut Writer| {
            if let Some(body) = body {
                writer.short_message(5, |writer| writer.bytes_always(1, body.as_bytes()));
            }
        };
        log_record(writer, head, body, |writer| writer.out.extend_from_slice(&self.writer.out));
    }

    pub(super) fn clear(&mut self) {
        self.writer.out.clear();
        self.writer.out.shrink_to(KEPT);
    }
}

/// The attributes of a record and of its resource, in buffers that the thread keeps.
pub(crate) struct OneRecord {
    pub resource: AttributeBytes,
    pub record: AttributeBytes,
}

/// What is said of a resource besides its attributes.
pub(crate) struct ResourceHead {
    pub dropped_attributes_count: u32,
    pub schema_url: &'static str,
}

impl OneRecord {
    /// Without attributes yet.
    pub fn begin() -> Self {
        let mut one =
            BUFFERS.take().unwrap_or_else(|| Self { resource: AttributeBytes::new(1), record: AttributeBytes::new(6) });
        one.resource.clear();
        one.record.clear();
        one
    }

    /// The request.
    pub fn finish(
        self,
        resource: &ResourceHead,
        scope: &EncodedScope,
        head: &RecordHead<'_>,
        body: Option<&str>,
    ) -> Bytes {
        let bytes = with_buffer(|writer| {
            writer.message(1, |writer| {
                writer.message(1, |writer| {
                    writer.out.extend_from_slice(&self.resource.writer.out);
                    writer.varint(2, resource.dropped_attributes_count.into());
                });
                writer.message(2, |writer| {
                    writer.out.extend_from_slice(&scope.field);
                    writer.message(2, |writer| {
                        self.record.of_record(writer, head, body);
                    });
                    writer.bytes(3, scope.schema_url.as_bytes());
                });
                writer.bytes(3, resource.schema_url.as_bytes());
            });
        });
        BUFFERS.set(Some(self));
        bytes
    }
}
