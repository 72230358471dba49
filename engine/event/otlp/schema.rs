//! The OTLP messages as a table: field number, JSON name, kind. From opentelemetry-proto 1.x; fields that are not
//! here are unknown fields, which JSON leaves out.

use Kind::{Base64, Bool, Double, Fixed32, Fixed64, Hex, Int64, Message, Sfixed64, Sint32, Text, Uint64, Varint};

/// How a field is written on the wire and in JSON.
#[derive(Clone, Copy)]
pub enum Kind {
    Text,
    /// Trace and span ids: hex, unlike other bytes.
    Hex,
    Base64,
    Bool,
    /// 32-bit integers and enums: a number.
    Varint,
    Sint32,
    Fixed32,
    /// 64-bit integers: a decimal string, so that no reader rounds them.
    Int64,
    Uint64,
    Fixed64,
    Sfixed64,
    Double,
    Message(&'static Schema),
}

/// A field of a message.
pub struct Field {
    pub number: u64,
    pub name: &'static str,
    pub kind: Kind,
    pub repeated: bool,
}

/// A message.
pub struct Schema(pub &'static [Field]);

const fn one(number: u64, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: false }
}

const fn many(number: u64, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, repeated: true }
}

pub static LOGS: Schema = Schema(&[many(1, "resourceLogs", Message(&RESOURCE_LOGS))]);
pub static METRICS: Schema = Schema(&[many(1, "resourceMetrics", Message(&RESOURCE_METRICS))]);
pub static TRACES: Schema = Schema(&[many(1, "resourceSpans", Message(&RESOURCE_SPANS))]);

// === common ===

static ANY_VALUE: Schema = Schema(&[
    one(1, "stringValue", Text),
    one(2, "boolValue", Bool),
    one(3, "intValue", Int64),
    one(4, "doubleValue", Double),
    one(5, "arrayValue", Message(&ARRAY_VALUE)),
    one(6, "kvlistValue", Message(&KEY_VALUE_LIST)),
    one(7, "bytesValue", Base64),
]);
static ARRAY_VALUE: Schema = Schema(&[many(1, "values", Message(&ANY_VALUE))]);
static KEY_VALUE_LIST: Schema = Schema(&[many(1, "values", Message(&KEY_VALUE))]);
static KEY_VALUE: Schema = Schema(&[one(1, "key", Text), one(2, "value", Message(&ANY_VALUE))]);
static RESOURCE: Schema = Schema(&[
    many(1, "attributes", Message(&KEY_VALUE)),
    one(2, "droppedAttributesCount", Varint),
    many(3, "entityRefs", Message(&ENTITY_REF)),
]);
static ENTITY_REF: Schema = Schema(&[
    one(1, "schemaUrl", Text),
    one(2, "type", Text),
    many(3, "idKeys", Text),
    many(4, "descriptionKeys", Text),
]);
static SCOPE: Schema = Schema(&[
    one(1, "name", Text),
    one(2, "version", Text),
    many(3, "attributes", Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Varint),
]);

// === logs ===

static RESOURCE_LOGS: Schema = Schema(&[
    one(1, "resource", Message(&RESOURCE)),
    many(2, "scopeLogs", Message(&SCOPE_LOGS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_LOGS: Schema =
    Schema(&[one(1, "scope", Message(&SCOPE)), many(2, "logRecords", Message(&LOG_RECORD)), one(3, "schemaUrl", Text)]);
static LOG_RECORD: Schema = Schema(&[
    one(1, "timeUnixNano", Fixed64),
    one(11, "observedTimeUnixNano", Fixed64),
    one(2, "severityNumber", Varint),
    one(3, "severityText", Text),
    one(12, "eventName", Text),
    one(5, "body", Message(&ANY_VALUE)),
    many(6, "attributes", Message(&KEY_VALUE)),
    one(7, "droppedAttributesCount", Varint),
    one(8, "flags", Fixed32),
    one(9, "traceId", Hex),
    one(10, "spanId", Hex),
]);

// === traces ===

static RESOURCE_SPANS: Schema = Schema(&[
    one(1, "resource", Message(&RESOURCE)),
    many(2, "scopeSpans", Message(&SCOPE_SPANS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_SPANS: Schema =
    Schema(&[one(1, "scope", Message(&SCOPE)), many(2, "spans", Message(&SPAN)), one(3, "schemaUrl", Text)]);
static SPAN: Schema = Schema(&[
    one(1, "traceId", Hex),
    one(2, "spanId", Hex),
    one(3, "traceState", Text),
    one(4, "parentSpanId", Hex),
    one(16, "flags", Fixed32),
    one(5, "name", Text),
    one(6, "kind", Varint),
    one(7, "startTimeUnixNano", Fixed64),
    one(8, "endTimeUnixNano", Fixed64),
    many(9, "attributes", Message(&KEY_VALUE)),
    one(10, "droppedAttributesCount", Varint),
    many(11, "events", Message(&SPAN_EVENT)),
    one(12, "droppedEventsCount", Varint),
    many(13, "links", Message(&SPAN_LINK)),
    one(14, "droppedLinksCount", Varint),
    one(15, "status", Message(&SPAN_STATUS)),
]);
static SPAN_EVENT: Schema = Schema(&[
    one(1, "timeUnixNano", Fixed64),
    one(2, "name", Text),
    many(3, "attributes", Message(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Varint),
]);
static SPAN_LINK: Schema = Schema(&[
    one(1, "traceId", Hex),
    one(2, "spanId", Hex),
    one(3, "traceState", Text),
    many(4, "attributes", Message(&KEY_VALUE)),
    one(5, "droppedAttributesCount", Varint),
    one(6, "flags", Fixed32),
]);
static SPAN_STATUS: Schema = Schema(&[one(2, "message", Text), one(3, "code", Varint)]);

// === metrics ===

static RESOURCE_METRICS: Schema = Schema(&[
    one(1, "resource", Message(&RESOURCE)),
    many(2, "scopeMetrics", Message(&SCOPE_METRICS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_METRICS: Schema =
    Schema(&[one(1, "scope", Message(&SCOPE)), many(2, "metrics", Message(&METRIC)), one(3, "schemaUrl", Text)]);
static METRIC: Schema = Schema(&[
    one(1, "name", Text),
    one(2, "description", Text),
    one(3, "unit", Text),
    one(5, "gauge", Message(&GAUGE)),
    one(7, "sum", Message(&SUM)),
    one(9, "histogram", Message(&HISTOGRAM)),
    one(10, "exponentialHistogram", Message(&EXPONENTIAL_HISTOGRAM)),
    one(11, "summary", Message(&SUMMARY)),
    many(12, "metadata", Message(&KEY_VALUE)),
]);
static GAUGE: Schema = Schema(&[many(1, "dataPoints", Message(&NUMBER_POINT))]);
static SUM: Schema = Schema(&[
    many(1, "dataPoints", Message(&NUMBER_POINT)),
    one(2, "aggregationTemporality", Varint),
    one(3, "isMonotonic", Bool),
]);
static HISTOGRAM: Schema =
    Schema(&[many(1, "dataPoints", Message(&HISTOGRAM_POINT)), one(2, "aggregationTemporality", Varint)]);
static EXPONENTIAL_HISTOGRAM: Schema =
    Schema(&[many(1, "dataPoints", Message(&EXPONENTIAL_POINT)), one(2, "aggregationTemporality", Varint)]);
static SUMMARY: Schema = Schema(&[many(1, "dataPoints", Message(&SUMMARY_POINT))]);
static NUMBER_POINT: Schema = Schema(&[
    many(7, "attributes", Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "asDouble", Double),
    one(6, "asInt", Sfixed64),
    many(5, "exemplars", Message(&EXEMPLAR)),
    one(8, "flags", Varint),
]);
static HISTOGRAM_POINT: Schema = Schema(&[
    many(9, "attributes", Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "bucketCounts", Fixed64),
    many(7, "explicitBounds", Double),
    many(8, "exemplars", Message(&EXEMPLAR)),
    one(10, "flags", Varint),
    one(11, "min", Double),
    one(12, "max", Double),
]);
static EXPONENTIAL_POINT: Schema = Schema(&[
    many(1, "attributes", Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    one(6, "scale", Sint32),
    one(7, "zeroCount", Fixed64),
    one(8, "positive", Message(&BUCKETS)),
    one(9, "negative", Message(&BUCKETS)),
    one(10, "flags", Varint),
    many(11, "exemplars", Message(&EXEMPLAR)),
    one(12, "min", Double),
    one(13, "max", Double),
    one(14, "zeroThreshold", Double),
]);
static BUCKETS: Schema = Schema(&[one(1, "offset", Sint32), many(2, "bucketCounts", Uint64)]);
static SUMMARY_POINT: Schema = Schema(&[
    many(7, "attributes", Message(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "quantileValues", Message(&QUANTILE)),
    one(8, "flags", Varint),
]);
static QUANTILE: Schema = Schema(&[one(1, "quantile", Double), one(2, "value", Double)]);
static EXEMPLAR: Schema = Schema(&[
    many(7, "filteredAttributes", Message(&KEY_VALUE)),
    one(2, "timeUnixNano", Fixed64),
    one(3, "asDouble", Double),
    one(6, "asInt", Sfixed64),
    one(4, "spanId", Hex),
    one(5, "traceId", Hex),
]);
