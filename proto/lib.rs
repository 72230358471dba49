//! lanner-proto: the protobuf messages of OTLP with its gRPC service stubs, and those of Falco's gRPC API ([`falco`]).
//!
//! The generated code of OTLP is the OpenTelemetry project's own (crate `opentelemetry-proto`), so that building needs no
//! protoc. The engine encodes and decodes logs by itself; these types serve metrics, service stubs and tests.

pub mod falco;

pub use opentelemetry_proto::tonic::{collector, common, logs, metrics, resource, trace};

/// gRPC method paths of the three OTLP services.
pub mod grpc_path {
    pub const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    pub const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
}
