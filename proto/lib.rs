//! lanner-proto: the OTLP protobuf messages and gRPC service stubs.
//!
//! The generated code is the OpenTelemetry project's own (crate `opentelemetry-proto`), so that building needs no
//! protoc. The engine encodes and decodes logs by itself; these types serve metrics, service stubs and tests.

pub use opentelemetry_proto::tonic::{collector, common, logs, metrics, resource, trace};

/// gRPC method paths of the three OTLP services.
pub mod grpc_path {
    pub const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    pub const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
}
