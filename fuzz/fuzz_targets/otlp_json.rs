//! Text that claims to be OTLP/JSON, to protobuf and back.
//!
//! Properties: no panic; the output is never over its limit; what is accepted is a request that prost and we read; written as
//! JSON by the file exporter and read again it is the same request.

#![no_main]

use lanner_engine::{event::OtlpRequest, prelude::Signal};
use lanner_exporters::fuzzing::otlp_json::write_request;
use lanner_proto::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use lanner_receivers::fuzzing::otlp_json::to_protobuf;
use libfuzzer_sys::fuzz_target;
use prost::Message;

const LIMIT: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    for signal in Signal::ALL {
        let _ = to_protobuf(signal, input, 64).map(|small| assert!(small.len() <= 64));
        let Ok(bytes) = to_protobuf(signal, input, LIMIT) else { continue };
        assert!(bytes.len() <= LIMIT);
        match signal {
            Signal::Logs => drop(ExportLogsServiceRequest::decode(&bytes[..]).expect("logs")),
            Signal::Metrics => drop(ExportMetricsServiceRequest::decode(&bytes[..]).expect("metrics")),
            Signal::Traces => drop(ExportTraceServiceRequest::decode(&bytes[..]).expect("traces")),
        }
        let request = OtlpRequest::parse(signal, bytes.into()).expect("a request");
        let mut json = Vec::new();
        write_request(signal, &request.bytes, &mut json).expect("what was read can be written");
        let again = to_protobuf(signal, &json, LIMIT).expect("what was written can be read");
        // Fields are written in the order of the table, so the second round is the measure.
        let mut json_again = Vec::new();
        write_request(signal, &again, &mut json_again).expect("what was read can be written");
        assert_eq!(String::from_utf8_lossy(&json_again), String::from_utf8_lossy(&json));
        let items = OtlpRequest::parse(signal, again.into()).expect("a request").items;
        assert_eq!(items, request.items);
    }
});
