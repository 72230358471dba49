//! The logs codec against prost.

use super::model::{attributes, flat, grouped, logs, logs_to_prost, to_prost};
use crate::event::{
    LogRecord, Logs, Signal, Value,
    otlp::{LogReader, MAX_DEPTH, count_items, decode_logs, encode_logs},
};
use bytes::Bytes;
use lanner_proto::collector::logs::v1::ExportLogsServiceRequest;
use proptest::prelude::*;
use prost::Message;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: any logs.
    /// Guarantee: prost reads, field by field, what the direct encoder wrote; the direct decoder gives the logs back.
    #[test]
    fn prost_reads_what_we_write(logs in logs()) {
        let bytes = encode_logs(&logs);
        prop_assert_eq!(ExportLogsServiceRequest::decode(bytes.clone())?, logs_to_prost(&logs));
        prop_assert_eq!(count_items(Signal::Logs, &bytes)?, logs.len());
        prop_assert_eq!(decode_logs(&bytes)?, logs);
    }

    /// Scenario: any request as another program writes it, with several scopes to a resource.
    /// Guarantee: nothing of it is lost or changed on the way through our records.
    #[test]
    fn we_read_what_prost_writes(grouped in grouped()) {
        let decoded = decode_logs(&to_prost(&grouped).encode_to_vec().into())?;
        prop_assert_eq!(&decoded, &flat(&grouped));
        let again = ExportLogsServiceRequest::decode(encode_logs(&decoded))?;
        prop_assert_eq!(again, logs_to_prost(&decoded));
    }

    /// Scenario: two requests, one behind the other.
    /// Guarantee: one request with the records of both, in order.
    #[test]
    fn concatenation_is_merging(first in logs(), second in logs()) {
        let both = [encode_logs(&first), encode_logs(&second)].concat();
        let merged = Logs { groups: first.groups.into_iter().chain(second.groups).collect() };
        prop_assert_eq!(decode_logs(&both.into())?, merged);
    }

    /// Scenario: a request with bytes changed and cut off.
    /// Guarantee: no panic; an error says where, inside the request.
    #[test]
    fn damage_never_panics(logs in logs(), changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4), end: prop::sample::Index) {
        let mut bytes = encode_logs(&logs).to_vec();
        if !bytes.is_empty() {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(end.index(bytes.len()) + 1);
        }
        if let Err(error) = decode_logs(&Bytes::from(bytes.clone())) {
            prop_assert!(error.offset <= bytes.len(), "{}", error);
        }
    }

    /// Scenario: any bytes at all.
    /// Guarantee: no panic.
    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_logs(&bytes.into());
    }
}

proptest! {
    /// Scenario: a body of any text, of a length around every border of its length's encoding, in a record whose other fields
    /// end in bytes that could begin a character.
    /// Guarantee: the text is what it was.
    #[test]
    fn texts_are_intact_between_any_bytes(text in "\\PC{0,80}", length in prop_oneof![0usize..4, 120usize..200, 16_380usize..16_390], time: u64, name in "\\PC{0,80}") {
        let long = text.chars().cycle().take(if text.is_empty() { 0 } else { length }).collect::<String>();
        let record = LogRecord {
            time_unix_nano: time | 0xc3e2_f0c3_c3e2_f0c3,
            body: Value::Array(vec![Value::text(long), Value::Double(f64::from_bits(!time)), Value::text(text)]),
            event_name: name.into(),
            ..LogRecord::default()
        };
        let logs = Logs::one(Default::default(), Default::default(), record);
        prop_assert_eq!(format!("{:?}", decode_logs(&encode_logs(&logs))?), format!("{logs:?}"));
    }

    /// Scenario: records with the same names, other names, more and fewer of them.
    /// Guarantee: each has its own, known to the program or not.
    #[test]
    fn names_are_those_of_the_record(records in prop::collection::vec(attributes(), 1..8)) {
        let mut logs = Logs::default();
        for attrs in records {
            logs.push(Default::default(), Default::default(), LogRecord { attrs, ..LogRecord::default() });
        }
        prop_assert_eq!(decode_logs(&encode_logs(&logs))?, logs);
    }
}

/// A request whose only record has a body nested so deep.
fn nested(depth: usize) -> Bytes {
    let mut body = Value::Int(1);
    for _ in 1..depth {
        body = Value::Array(vec![body]);
    }
    let record = LogRecord { body, ..Default::default() };
    encode_logs(&Logs::one(Default::default(), Default::default(), record))
}

/// Scenario: values nested to the limit and one deeper.
/// Guarantee: the limit is exact; deeper is an error, not a deep recursion.
#[test]
fn nesting_is_limited() {
    assert!(decode_logs(&nested(MAX_DEPTH)).is_ok());
    assert!(decode_logs(&nested(MAX_DEPTH + 1)).is_err());
    let lent = |depth| LogReader::of(&nested(depth)).advance();
    assert_eq!((lent(MAX_DEPTH), lent(MAX_DEPTH + 1).is_err()), (Ok(true), true));
}

/// Scenario: text that is not UTF-8, ids of a wrong length, a length over the end, a varint that does not end.
/// Guarantee: an error each; with the right content the same frame is read.
#[test]
fn malformed_fields_are_errors() {
    let framed = |record: &[u8]| -> Bytes {
        let scope = [&[2 << 3 | 2, record.len() as u8], record].concat();
        let resource = [&[2 << 3 | 2, scope.len() as u8], &scope[..]].concat();
        [&[1 << 3 | 2, resource.len() as u8], &resource[..]].concat().into()
    };
    assert_eq!(decode_logs(&framed(&[3 << 3 | 2, 2, 0xc3, 0xa9])).map(|logs| logs.len()), Ok(1));
    for record in [
        &[3 << 3 | 2, 2, 0xc3, 0xc3][..],
        &[9 << 3 | 2, 3, 1, 2, 3],
        &[3 << 3 | 2, 200],
        &[2 << 3, 0xff],
        &[0x04],
        &[0x00, 0],
    ] {
        assert!(decode_logs(&framed(record)).is_err(), "{record:?}");
    }
}
