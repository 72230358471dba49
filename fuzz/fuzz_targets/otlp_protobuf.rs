//! Bytes that claim to be OTLP requests, through everything that reads them: count, split, decode, lend, extract, and the
//! processors that look into untouched requests.
//!
//! Properties: no panic; what prost reads is counted and split as prost reads it; decoding what was encoded gives it back; no
//! item is lost or made by taking items out, and those that stay keep their bytes.

#![no_main]

use bytes::Bytes;
use lanner_engine::{
    event::{OtlpRequest, otlp},
    prelude::*,
    testing::TransformTest,
};
use lanner_processors::{falco_parse::FalcoParse, k8s_audit_parse::K8sAuditParse};
use lanner_proto::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    metrics::v1::metric::Data,
};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use std::cell::LazyCell;

thread_local! {
    static PARSERS: LazyCell<[TransformTest; 2]> = LazyCell::new(|| {
        [TransformTest::of::<FalcoParse>("{}"), TransformTest::of::<K8sAuditParse>("{}")]
    });
}

/// How many items prost finds; none when it does not read the bytes.
fn prost_count(signal: Signal, bytes: &[u8]) -> Option<usize> {
    Some(match signal {
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(bytes).ok()?;
            request.resource_logs.iter().flat_map(|r| &r.scope_logs).map(|s| s.log_records.len()).sum()
        }
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(bytes).ok()?;
            request.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum()
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(bytes).ok()?;
            let metrics = request.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
            metrics
                .map(|metric| match &metric.data {
                    None => 0,
                    Some(Data::Gauge(data)) => data.data_points.len(),
                    Some(Data::Sum(data)) => data.data_points.len(),
                    Some(Data::Histogram(data)) => data.data_points.len(),
                    Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
                    Some(Data::Summary(data)) => data.data_points.len(),
                })
                .sum()
        }
    })
}

/// A metric whose data is written twice, in two kinds, has points that protobuf's `oneof` hides from prost.
fn hides_points(signal: Signal, ours: usize, theirs: usize) -> bool {
    signal == Signal::Metrics && ours > theirs
}

fn counted_and_split(signal: Signal, bytes: &Bytes) {
    let theirs = prost_count(signal, bytes);
    let request = match OtlpRequest::parse(signal, bytes.clone()) {
        Ok(request) => request,
        Err(error) => {
            // Groups, which no version of proto3 has; prost skips them.
            let refused = error.what == "unknown wire type";
            assert!(theirs.is_none() || refused, "prost reads it: {error}");
            return;
        }
    };
    if let Some(theirs) = theirs {
        assert!(request.items == theirs || hides_points(signal, request.items, theirs), "{} {theirs}", request.items);
    }
    for (max_items, max_bytes) in [(1, 0), (3, 0), (0, 64), (0, 0)] {
        let parts = otlp::split(&request, max_items, max_bytes).expect("what was counted can be split");
        assert_eq!(parts.iter().map(|part| part.items).sum::<usize>(), request.items);
        for part in parts {
            assert_eq!(otlp::count_items(signal, &part.bytes).as_ref(), Ok(&part.items));
            assert!(theirs.is_none() || prost_count(signal, &part.bytes).is_some(), "prost reads the parts");
        }
    }
}

/// How deep a value nests.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(pairs) => 1 + pairs.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 1,
    }
}

fn decoded(bytes: &Bytes) {
    let Ok(logs) = otlp::decode_logs(bytes) else { return };
    let encoded = otlp::encode_logs(&logs);
    let again = otlp::decode_logs(&encoded).expect("what was encoded can be read");
    // Bytes and not records, because a NaN equals nothing.
    assert_eq!(otlp::encode_logs(&again), encoded);
    assert_eq!(otlp::count_items(Signal::Logs, &encoded).as_ref(), Ok(&logs.len()));
    // prost gives up at 100 nested messages, and a map in a map is three.
    let lists = logs.groups.iter().flat_map(|group| [&group.resource.attrs, &group.scope.attrs]);
    let lists = lists.chain(logs.records().map(|record| &record.attrs));
    let values = lists.flat_map(|list| list.iter().map(|(_, value)| value)).chain(logs.records().map(|r| &r.body));
    if values.map(depth).max().unwrap_or(0) < 30 {
        assert_eq!(prost_count(Signal::Logs, &encoded), Some(logs.len()));
    }
}

/// Reads without decoding; the decoder must say the same.
fn lent(bytes: &Bytes) {
    let (mut reader, mut records) = (otlp::LogReader::of(bytes), 0);
    let ended = loop {
        match reader.advance() {
            Ok(true) => records += 1,
            Ok(false) => break Ok(records),
            Err(error) => break Err(error),
        }
        reader.decode().expect("what is lent can be decoded");
        let lent = reader.lent();
        lent.attrs.iter().chain(lent.resource.iter()).for_each(|(_, value)| drop((value.items(), value.to_value())));
    };
    assert_eq!(ended, otlp::decode_logs(bytes).map(|logs| logs.len()));
}

fn extracted(request: &OtlpRequest) {
    let (mut taken, mut at) = (0, 0);
    let every_other = |_: &_, _: &mut _| {
        at += 1;
        taken += at % 2;
        at % 2 == 1
    };
    match otlp::extract_logs(request, |_| true, every_other) {
        Ok(None) => assert_eq!(request.items, 0),
        Ok(Some(left)) => {
            assert_eq!(left.items + taken, request.items);
            assert_eq!(otlp::count_items(Signal::Logs, &left.bytes).as_ref(), Ok(&left.items));
        }
        Err(_) => {}
    }
}

fn parsed(request: &OtlpRequest) {
    PARSERS.with(|parsers| {
        for parser in parsers.iter() {
            let out = parser.run_batch(Batch::otlp(request.clone()));
            assert_eq!(out.batches().iter().map(Batch::len).sum::<usize>(), request.items);
            assert!(out.discarded().is_empty());
            if let [only] = out.batches()
                && let Some(left) = only.as_otlp()
            {
                assert_eq!(left, request, "what has no event stays as it came");
            }
        }
    });
}

fuzz_target!(|input: &[u8]| {
    let bytes = Bytes::copy_from_slice(input);
    for signal in Signal::ALL {
        counted_and_split(signal, &bytes);
    }
    decoded(&bytes);
    lent(&bytes);
    if let Ok(request) = OtlpRequest::parse(Signal::Logs, bytes) {
        extracted(&request);
        parsed(&request);
    }
});
