//! Events: OpenTelemetry's log data model, held so that the common path copies and allocates little.
//!
//! - [`Text`] is a range of the request body; [`Key`] is interned; [`Attributes`] is a flat list.
//! - [`Batch`] carries decoded records or untouched OTLP bytes, and shares them copy-on-write.
//! - [`otlp`] writes and reads the protobuf directly; prost is only the oracle of its tests.

mod attributes;
mod batch;
mod key;
mod lent;
pub mod otlp;
mod reads;
mod record;
mod scalar;
mod severity;
mod signal;
mod text;
mod trace;
mod value;
mod value_serde;

pub use attributes::Attributes;
pub use batch::{Batch, OtlpRequest};
pub use key::{Key, KeySet};
pub use lent::{AttributesRef, KeyRef, Lent, ValueRef};
pub use reads::Reads;
pub use record::{LogGroup, LogRecord, Logs, Raw, Resource, Scope};
pub use scalar::Scalar;
pub use severity::{Priority, SeverityNumber};
pub use signal::{Signal, Signals};
pub use text::{Text, cut};
pub use trace::{Span, SpanEvent, SpanGroup, SpanKind, SpanLink, SpanStatus, Traces};
pub use value::Value;
