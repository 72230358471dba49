//! Counting, splitting and passing on requests of all signals.

use super::model::logs;
use crate::event::{
    Batch, LogGroup, LogRecord, Logs, OtlpRequest, Reads, Signal,
    otlp::{
        count_items, decode_logs, encode_logs, pick, split, split_first,
        wire::{Reader, put_varint},
    },
};
use bytes::Bytes;
use lanner_proto::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    metrics::v1 as pbm,
    trace::v1 as pbt,
};
use proptest::{collection::vec, prelude::*};
use prost::Message;

/// A metric of one of the five kinds with so many points; kind 5 is none.
fn metric((kind, points): (u8, usize)) -> pbm::Metric {
    use pbm::metric::Data;
    let data = match kind {
        0 => Some(Data::Gauge(pbm::Gauge { data_points: vec![Default::default(); points] })),
        1 => Some(Data::Sum(pbm::Sum { data_points: vec![Default::default(); points], ..Default::default() })),
        2 => Some(Data::Histogram(pbm::Histogram {
            data_points: vec![Default::default(); points],
            ..Default::default()
        })),
        3 => Some(Data::ExponentialHistogram(pbm::ExponentialHistogram {
            data_points: vec![Default::default(); points],
            ..Default::default()
        })),
        4 => Some(Data::Summary(pbm::Summary { data_points: vec![Default::default(); points] })),
        _ => None,
    };
    pbm::Metric { name: "m".into(), data, ..Default::default() }
}

/// A metrics request and its number of data points.
fn metrics() -> impl Strategy<Value = (Bytes, usize)> {
    vec(vec(vec((0u8..6, 0usize..4), 0..4), 0..3), 0..3).prop_map(|resources| {
        let points = resources.iter().flatten().flatten().filter(|(kind, _)| *kind < 5).map(|(_, points)| points).sum();
        let scope = |metrics: Vec<_>| pbm::ScopeMetrics {
            metrics: metrics.into_iter().map(metric).collect(),
            ..Default::default()
        };
        let resource = |scopes: Vec<_>| pbm::ResourceMetrics {
            scope_metrics: scopes.into_iter().map(scope).collect(),
            ..Default::default()
        };
        let request = ExportMetricsServiceRequest { resource_metrics: resources.into_iter().map(resource).collect() };
        (request.encode_to_vec().into(), points)
    })
}

/// A traces request and its number of spans.
fn traces() -> impl Strategy<Value = (Bytes, usize)> {
    vec(vec(vec("[a-z]{0,20}", 0..4), 0..3), 0..3).prop_map(|resources| {
        let spans = resources.iter().flatten().map(Vec::len).sum();
        let span = |name| pbt::Span { name, ..Default::default() };
        let scope =
            |names: Vec<_>| pbt::ScopeSpans { spans: names.into_iter().map(span).collect(), ..Default::default() };
        let resource = |scopes: Vec<_>| pbt::ResourceSpans {
            scope_spans: scopes.into_iter().map(scope).collect(),
            ..Default::default()
        };
        let request = ExportTraceServiceRequest { resource_spans: resources.into_iter().map(resource).collect() };
        (request.encode_to_vec().into(), spans)
    })
}

/// Field 100, a text, which OTLP has nowhere.
pub const UNKNOWN: &[u8] = &[0xa2, 0x06, 2, b'h', b'i'];

/// A request with that field behind the fields of every record, and of the request's every group.
pub fn with_unknown_fields(logs: &Logs) -> Bytes {
    let field = |tag: u8, content: &[u8]| {
        let mut field = vec![tag << 3 | 2];
        put_varint(&mut field, content.len() as u64);
        [&field, content].concat()
    };
    let mut request = Vec::new();
    for group in &logs.groups {
        let one = |record: &LogRecord| {
            let alone = Logs::one(group.resource.clone(), group.scope.clone(), record.clone());
            encode_logs(&alone)
        };
        let empty = LogGroup { records: Vec::new(), ..group.clone() };
        let whole = encode_logs(&Logs { groups: vec![empty] });
        // The frame of a group without records, whose lengths take four bytes: 1 { 1: resource, 2 { 1: scope, .. } .. }.
        let resource = bytes_of(&whole, 1);
        let scope = bytes_of(&resource, 2);
        let records = group.records.iter().flat_map(|record| {
            let record = bytes_of(&bytes_of(&bytes_of(&one(record), 1), 2), 2);
            field(2, &[&record[..], UNKNOWN].concat())
        });
        let scope = [scope, records.collect(), UNKNOWN.to_vec()].concat();
        let rest = [field(1, &bytes_of(&resource, 1)), field(3, &bytes_of(&resource, 3)), UNKNOWN.to_vec()].concat();
        request.extend(field(1, &[field(2, &scope), rest].concat()));
    }
    request.into()
}

/// The content of the only field with this number.
fn bytes_of(message: &[u8], wanted: u64) -> Vec<u8> {
    let mut fields = Reader::new(Signal::Logs, message);
    while let Some((tag, field)) = fields.next().unwrap() {
        if let (true, Some(bytes)) = (tag == wanted, field.bytes()) {
            return bytes.to_vec();
        }
    }
    Vec::new()
}

/// A request of any signal, with the number of items that prost gives it.
pub fn request() -> impl Strategy<Value = (Signal, Bytes, usize)> {
    prop_oneof![
        logs().prop_map(|logs| (Signal::Logs, encode_logs(&logs), logs.len())),
        metrics().prop_map(|(bytes, points)| (Signal::Metrics, bytes, points)),
        traces().prop_map(|(bytes, spans)| (Signal::Traces, bytes, spans)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: any request of any signal.
    /// Guarantee: counting without decoding gives the number of records, data points or spans.
    #[test]
    fn counts_equal_those_of_prost((signal, bytes, items) in request()) {
        prop_assert_eq!(count_items(signal, &bytes)?, items);
    }

    /// Scenario: a request that no component looks at, shared by two branches.
    /// Guarantee: it leaves as the bytes it came as; for other signals than logs even after `decode`.
    #[test]
    fn untouched_otlp_stays_byte_identical((signal, bytes, items) in request()) {
        let batch = Batch::otlp(OtlpRequest::parse(signal, bytes.clone())?);
        let branch = batch.clone();
        prop_assert_eq!(branch.len(), items);
        prop_assert_eq!(&branch.to_otlp().bytes, &bytes);
        prop_assert_eq!(branch.to_otlp().bytes.as_ptr(), bytes.as_ptr(), "not even copied");
        let mut decoded = batch.clone();
        decoded.decode()?;
        prop_assert_eq!(decoded.len(), items);
        prop_assert_eq!(batch.to_otlp().bytes, bytes.clone(), "another branch decoded, this one did not");
        if signal != Signal::Logs {
            prop_assert_eq!(decoded.to_otlp().bytes, bytes);
        }
    }

    /// Scenario: any logs, split by items and bytes.
    /// Guarantee: the parts hold the same records in order, with their resource and scope; each keeps the limits unless
    /// it is a single record.
    #[test]
    fn parts_are_the_whole(logs in logs(), max_items in 0usize..4, max_bytes in prop_oneof![Just(0), 50usize..3000]) {
        let whole = OtlpRequest { signal: Signal::Logs, bytes: encode_logs(&logs), items: logs.len() };
        let parts = split(&whole, max_items, max_bytes)?;
        let mut joined = Logs::default();
        for part in &parts {
            let decoded = decode_logs(&part.bytes)?;
            prop_assert_eq!(decoded.len(), part.items);
            prop_assert!(part.items > 0);
            prop_assert!(max_items == 0 || part.items <= max_items);
            prop_assert!(max_bytes == 0 || part.bytes.len() <= max_bytes || part.items == 1);
            for group in decoded.groups {
                for record in group.records {
                    joined.push(group.resource.clone(), group.scope.clone(), record);
                }
            }
        }
        let mut expected = Logs::default();
        for group in logs.groups {
            for record in group.records {
                expected.push(group.resource.clone(), group.scope.clone(), record);
            }
        }
        prop_assert_eq!(joined, expected);
    }

    /// Scenario: metrics and spans, split by items.
    /// Guarantee: no item is lost; a part over the limit is a single metric.
    #[test]
    fn parts_of_other_signals_are_the_whole((signal, bytes, items) in request(), max_items in 1usize..4) {
        let parts = split(&OtlpRequest { signal, bytes, items }, max_items, 0)?;
        let mut total = 0;
        for part in parts {
            prop_assert_eq!(count_items(signal, &part.bytes)?, part.items);
            // Points of a metric stay together: at most four here.
            prop_assert!(part.items <= max_items.max(3));
            total += part.items;
        }
        prop_assert_eq!(total, items);
    }

    /// Scenario: the first items of requests of any signal are taken off.
    /// Guarantee: they are as many as asked for, but for metrics, which stay whole; the rest is what is left.
    #[test]
    fn the_first_stand_alone((signal, bytes, items) in request(), wanted in 1usize..4) {
        let parts = split_first(&OtlpRequest { signal, bytes, items }, wanted)?;
        prop_assert!(parts.len() <= 2);
        let counted: Vec<usize> = parts.iter().map(|part| part.items).collect();
        for part in parts {
            prop_assert_eq!(count_items(signal, &part.bytes)?, part.items);
        }
        prop_assert_eq!(counted.iter().sum::<usize>(), items);
        if let [first, _] = counted[..] {
            prop_assert!(first == wanted || signal == Signal::Metrics);
        }
    }

    /// Scenario: some of the records of any logs are picked, then the others.
    /// Guarantee: each pick holds its records in order, with their resource and scope, and nothing else.
    #[test]
    fn picks_are_what_was_wanted(logs in logs(), wanted in vec(any::<bool>(), 20)) {
        let whole = OtlpRequest { signal: Signal::Logs, bytes: encode_logs(&logs), items: logs.len() };
        for side in [true, false] {
            let picked = pick(&whole, |item| wanted[item % 20] == side)?;
            let mut expected = Logs::default();
            let records = logs.groups.iter().flat_map(|group| group.records.iter().map(move |record| (group, record)));
            for (_, (group, record)) in records.enumerate().filter(|(item, _)| wanted[item % 20] == side) {
                expected.push(group.resource.clone(), group.scope.clone(), record.clone());
            }
            prop_assert_eq!(picked.items, expected.len());
            prop_assert_eq!(decode_logs(&picked.bytes)?, expected);
        }
    }

    /// Scenario: any logs with a field to each message that nobody knows, decoded; some records are left out, or none; then
    /// somebody may change one.
    /// Guarantee: what stays leaves byte for byte as it came, as if picked from the request, and says what the records say;
    /// after the change it is encoded from the records.
    #[test]
    fn what_is_only_selected_leaves_as_it_came(logs in logs(), wanted in vec(any::<bool>(), 20), changes: bool) {
        let came = OtlpRequest::parse(Signal::Logs, with_unknown_fields(&logs))?;
        let mut batch = Batch::otlp(came.clone());
        batch.decode()?;
        prop_assert_eq!(batch.to_otlp().bytes.as_ptr(), came.bytes.as_ptr(), "not even copied");
        let mut item = 0;
        batch.retain(&Reads::default(), |_, _| {
            item += 1;
            wanted[(item - 1) % 20]
        })?;
        let left = pick(&came, |item| wanted[item % 20])?;
        prop_assert_eq!(&batch.to_otlp(), &left);
        prop_assert_eq!(&decode_logs(&left.bytes)?, batch.as_logs().unwrap());
        if changes {
            prop_assert!(batch.as_logs_mut().is_some());
        } else {
            batch.forget_bytes();
        }
        prop_assert_eq!(batch.to_otlp().bytes, encode_logs(batch.as_logs().unwrap()));
    }

    /// Scenario: metrics and spans, every second item picked, then the others.
    /// Guarantee: no item is in neither; what is in both shares a metric with one that was wanted.
    #[test]
    fn picks_of_other_signals_cover_the_whole((signal, bytes, items) in request()) {
        let whole = OtlpRequest { signal, bytes, items };
        let picks = [0, 1].map(|side| pick(&whole, |item| item % 2 == side));
        let mut total = 0;
        for picked in picks {
            let picked = picked?;
            prop_assert_eq!(count_items(signal, &picked.bytes)?, picked.items);
            total += picked.items;
        }
        prop_assert!(total >= items && (signal == Signal::Metrics || total == items));
    }

    /// Scenario: any bytes taken for a request.
    /// Guarantee: no panic in counting, splitting or picking.
    #[test]
    fn any_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), damage in request(), at: prop::sample::Index, byte: u8) {
        let (signal, valid, _) = damage;
        let mut damaged = valid.to_vec();
        if !damaged.is_empty() {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        for (signal, bytes) in [(Signal::Logs, bytes.clone()), (Signal::Metrics, bytes.clone()), (Signal::Traces, bytes), (signal, damaged)] {
            let counted = count_items(signal, &bytes);
            let request = OtlpRequest { signal, bytes: bytes.into(), items: 0 };
            let _ = pick(&request, |item| item % 2 == 0);
            let parts = split(&request, 1, 100);
            if let (Ok(items), Ok(parts)) = (counted, parts) {
                prop_assert_eq!(parts.iter().map(|part| part.items).sum::<usize>(), items);
            }
        }
    }
}
