//! What is left of a request with unreadable parts.

use super::model::logs;
use crate::event::{
    Signal,
    otlp::{MAX_DEPTH, count_items, decode_logs, encode_logs, salvage_logs},
};
use bytes::Bytes;
use lanner_proto::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use proptest::prelude::*;
use prost::Message;

/// A value of so many levels.
fn nested(levels: usize) -> AnyValue {
    let leaf = AnyValue { value: Some(Value::IntValue(7)) };
    (1..levels).fold(leaf, |inner, _| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![inner] })) })
}

fn record(number: u64, levels: usize) -> LogRecord {
    LogRecord { time_unix_nano: number, body: Some(nested(levels)), ..Default::default() }
}

fn attribute(levels: usize) -> Vec<KeyValue> {
    vec![KeyValue { key: "k".into(), value: Some(nested(levels)), ..Default::default() }]
}

/// Levels of an attribute of the scope, and its records.
type ScopeOf = (usize, Vec<LogRecord>);

fn request(groups: Vec<(usize, Vec<ScopeOf>)>) -> ExportLogsServiceRequest {
    let scope = |(levels, log_records): ScopeOf| ScopeLogs {
        scope: Some(InstrumentationScope { attributes: attribute(levels), ..Default::default() }),
        log_records,
        schema_url: "s".into(),
    };
    let resource = |(levels, scopes): (usize, Vec<ScopeOf>)| ResourceLogs {
        resource: Some(Resource { attributes: attribute(levels), ..Default::default() }),
        scope_logs: scopes.into_iter().map(scope).collect(),
        schema_url: "r".into(),
    };
    ExportLogsServiceRequest { resource_logs: groups.into_iter().map(resource).collect() }
}

/// Prost, which checks the result, reads no more levels.
const FITS: usize = 40;
const OVER: usize = MAX_DEPTH + 1;

/// Scenario: records, a scope and a resource nested too deep among others that are sound.
/// Guarantee: exactly what is sound is left, unchanged, with its own scope and resource; the rest is counted.
#[test]
fn only_what_is_unreadable_is_left_out() {
    let bytes = request(vec![
        (1, vec![(1, vec![record(1, 1), record(2, OVER), record(3, FITS)]), (OVER, vec![record(4, 1), record(5, 1)])]),
        (OVER, vec![(1, vec![record(6, 1)])]),
        (2, vec![(3, vec![record(7, OVER)]), (2, vec![record(8, 2)])]),
    ])
    .encode_to_vec();
    assert!(decode_logs(&bytes.clone().into()).is_err());
    let salvaged = salvage_logs(&bytes).unwrap().unwrap();
    let expected =
        request(vec![(1, vec![(1, vec![record(1, 1), record(3, FITS)])]), (2, vec![(2, vec![record(8, 2)])])]);
    assert_eq!(ExportLogsServiceRequest::decode(salvaged.request.bytes.clone()).unwrap(), expected);
    assert_eq!((salvaged.request.items, salvaged.rejected), (3, 5));
    assert_eq!(salvaged.first.what, "values nested deeper than 64");
    assert_eq!(decode_logs(&salvaged.request.bytes).unwrap().len(), 3);
}

/// Scenario: a request with a broken frame.
/// Guarantee: an error, not a guess where records begin.
#[test]
fn a_broken_frame_is_not_mended() {
    assert!(salvage_logs(b"\x0a\xff").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: any logs, as they are and with one byte changed anywhere.
    /// Guarantee: nothing is left out of what decodes; what is left of anything else decodes, no record is counted twice or
    /// forgotten, and it is not longer than the request was, but for the fixed width of lengths.
    #[test]
    fn what_is_left_decodes(logs in logs(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bytes = encode_logs(&logs);
        prop_assert_eq!(salvage_logs(&bytes).unwrap(), None);
        let mut damaged = bytes.to_vec();
        if !damaged.is_empty() {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        let Ok(items) = count_items(Signal::Logs, &damaged) else { return Ok(()) };
        match salvage_logs(&damaged)? {
            None => prop_assert_eq!(decode_logs(&Bytes::from(damaged))?.len(), items),
            Some(left) => {
                prop_assert!(decode_logs(&Bytes::from(damaged.clone())).is_err());
                prop_assert_eq!(left.request.items + left.rejected, items);
                prop_assert_eq!(decode_logs(&left.request.bytes)?.len(), left.request.items);
                prop_assert!(left.request.bytes.len() <= damaged.len() + 8 * items);
            }
        }
    }
}
