//! Records seen and changed one by one, against those that are decoded all together.

use super::{
    frames::with_unknown_fields,
    model::{grouped, logs, to_prost},
};
use crate::event::{
    Attributes, Batch, Key, LogRecord, Logs, OtlpRequest, Reads, Resource, Signal, Value,
    otlp::{decode_logs, edit, encode_logs, look, pick},
};
use crate::testing::read_of;
use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::Index};
use prost::Message;

/// What attributes of the model are called, and one that none has.
const NAMES: [&str; 4] = ["service.name", "falco.priority", "k", "absent"];

fn reads() -> impl Strategy<Value = Reads> {
    (prop::sample::subsequence(&NAMES[..], 0..=NAMES.len()), any::<bool>())
        .prop_map(|(names, body)| Reads { attributes: names.into_iter().map(Key::intern).collect(), body })
}

fn otlp(bytes: impl Into<Bytes>) -> OtlpRequest {
    OtlpRequest { signal: Signal::Logs, bytes: bytes.into(), items: 0 }
}

/// Something that is done to attributes, by the number of a name.
#[derive(Clone, Debug)]
enum Act {
    Set(usize, Value),
    Remove(usize),
    Rename(usize, usize),
    Change(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let name = || 0..NAMES.len();
    let act = prop_oneof![
        (name(), prop_oneof![any::<i64>().prop_map(Value::Int), ".{0,200}".prop_map(Value::text)])
            .prop_map(|(name, value)| Act::Set(name, value)),
        name().prop_map(Act::Remove),
        (name(), name()).prop_map(|(from, to)| Act::Rename(from, to)),
        name().prop_map(Act::Change),
    ];
    vec(act, 1..5)
}

fn act(acts: &[Act], attrs: &mut Attributes) {
    let key = |name: &usize| Key::intern(NAMES[*name]);
    for act in acts {
        match act {
            Act::Set(name, value) => attrs.set(key(name), value.clone()),
            Act::Remove(name) => drop(attrs.remove(&key(name))),
            Act::Rename(from, to) => {
                if let Some(value) = attrs.remove(&key(from)) {
                    attrs.set(key(to), value);
                }
            }
            Act::Change(name) => {
                for (_, value) in attrs.iter_mut().filter(|(found, _)| **found == key(name)) {
                    *value = Value::text("changed");
                }
            }
        }
    }
}

/// All that is acted on.
fn all_names() -> Reads {
    NAMES.map(Key::intern).into_iter().collect()
}

/// Whether a record is meant by a test: told by what every reader sees.
fn is_meant(record: &LogRecord) -> bool {
    record.severity_number.0.is_multiple_of(2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Scenario: any request as another program writes it, seen by somebody who needs some attributes, or the body; records
    /// often have a text of the one before.
    /// Guarantee: every record in order with its resource, with all that is needed and no attribute beside it.
    #[test]
    fn what_is_needed_is_seen(mut grouped in grouped(), reads in reads()) {
        for record in grouped.iter_mut().flat_map(|(_, scopes)| scopes).flat_map(|(_, records)| records) {
            for text in [&mut record.severity_text, &mut record.event_name] {
                *text = ["", "Warning", "falco.alert"][text.len() % 3].into();
            }
        }
        let bytes = Bytes::from(to_prost(&grouped).encode_to_vec());
        let mut seen = Vec::new();
        look(&otlp(bytes.clone()), &reads, |resource, record| seen.push((resource.clone(), record.clone())))?;
        let logs = decode_logs(&bytes)?;
        let expected: Vec<(Resource, LogRecord)> = logs
            .groups
            .iter()
            .flat_map(|group| group.records.iter().map(|record| ((*group.resource).clone(), read_of(record, &reads))))
            .collect();
        prop_assert_eq!(seen, expected);
    }

    /// Scenario: any request, with bytes changed and cut off, whatever is needed of it.
    /// Guarantee: who sees or changes records one by one refuses what decoding refuses, for the same reason, and nothing else.
    #[test]
    fn what_cannot_be_decoded_is_refused(
        logs in logs(),
        reads in reads(),
        changes in vec(any::<(Index, u8)>(), 0..4),
        end: Option<Index>,
    ) {
        let mut bytes = encode_logs(&logs).to_vec();
        if !bytes.is_empty() {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(end.map_or(bytes.len(), |end| end.index(bytes.len()) + 1));
        }
        let request = otlp(bytes);
        let decoded = decode_logs(&request.bytes).map(|logs| logs.len());
        let (mut seen, mut changed) = (0, 0);
        let looked = look(&request, &reads, |_, _| seen += 1);
        prop_assert_eq!(looked.map(|()| seen), decoded.clone());
        let edited = edit(&request, &reads, |_, _| {
            changed += 1;
            true
        });
        prop_assert_eq!(edited.map(|_| changed), decoded);
    }

    /// Scenario: attributes of some records are written, removed, renamed and changed, in a request with fields that OTLP does
    /// not have.
    /// Guarantee: what comes out says what decoded records say after the same, order of attributes included; the unknown
    /// fields are there, and records that were not meant are byte for byte what they were.
    #[test]
    fn an_edited_request_says_what_edited_records_say(logs in logs(), acts in acts()) {
        let came = OtlpRequest::parse(Signal::Logs, with_unknown_fields(&logs))?;
        let edited = edit(&came, &all_names(), |_, record| {
            let meant = is_meant(record);
            if meant {
                act(&acts, &mut record.attrs);
            }
            meant
        })?;
        let meant: Vec<bool> = logs.records().map(is_meant).collect();
        prop_assert_eq!(edited.is_some(), meant.contains(&true));
        let edited = edited.unwrap_or_else(|| came.clone());
        let mut expected = decode_logs(&came.bytes)?;
        expected.records_mut().filter(|record| is_meant(record)).for_each(|record| act(&acts, &mut record.attrs));
        prop_assert_eq!(decode_logs(&edited.bytes)?, expected);
        prop_assert_eq!(edited.items, came.items);
        let others = |request| pick(request, |item| !meant[item]);
        prop_assert_eq!(others(&edited)?, others(&came)?);
        prop_assert_eq!(unknown_fields(&edited.bytes), unknown_fields(&came.bytes));
    }

    /// Scenario: the records of any logs are seen and left out, as records and as untouched OTLP.
    /// Guarantee: the same are left, and what stayed OTLP is what would have been picked from it.
    #[test]
    fn untouched_otlp_is_selected_as_records_are(logs in logs()) {
        let came = OtlpRequest::parse(Signal::Logs, encode_logs(&logs))?;
        let (mut records, mut untouched) = (Batch::logs(logs), Batch::otlp(came.clone()));
        for batch in [&mut records, &mut untouched] {
            batch.retain(&Reads::default(), |_, record| is_meant(record))?;
        }
        prop_assert_eq!(untouched.len(), records.len());
        let left = untouched.as_otlp().ok_or_else(|| TestCaseError::fail("decoded"))?;
        prop_assert_eq!(decode_logs(&left.bytes)?.records().cloned().collect::<Vec<_>>(), records.records().cloned().collect::<Vec<_>>());
        if left.items == came.items {
            prop_assert_eq!(left.bytes.as_ptr(), came.bytes.as_ptr(), "not even copied");
        }
    }

    /// Scenario: attributes of some records are changed, as records that somebody else holds too and as untouched OTLP.
    /// Guarantee: both say the same; the other holder's are what they were, and without such records nothing is copied.
    #[test]
    fn untouched_otlp_is_edited_as_records_are(logs in logs(), acts in acts()) {
        let came = OtlpRequest::parse(Signal::Logs, encode_logs(&logs))?;
        let held = Batch::logs(logs.clone());
        let (mut records, mut untouched) = (held.clone(), Batch::otlp(came.clone()));
        for batch in [&mut records, &mut untouched] {
            batch.edit(&all_names(), |_, record| is_meant(record), |_, record| act(&acts, &mut record.attrs))?;
        }
        prop_assert_eq!(Some(&decode_logs(&untouched.to_otlp().bytes)?), records.as_logs());
        prop_assert_eq!(held.as_logs(), Some(&logs));
        if !logs.records().any(is_meant) {
            prop_assert_eq!(untouched.to_otlp().bytes.as_ptr(), came.bytes.as_ptr());
        }
    }
}

/// Scenario: a request with attributes of every form, each of its bytes in turn given every value.
/// Guarantee: seen one by one, with nothing needed or all, its records are refused when decoding refuses them.
#[test]
fn any_changed_byte_is_judged_alike() {
    let mut record = LogRecord { event_name: "x".into(), body: Value::text("a shell"), ..LogRecord::default() };
    let list = Value::Array(vec![Value::text("a"), Value::Bool(true)]);
    let map = Value::Map(vec![("m".into(), Value::Double(0.5))]);
    for (name, value) in [("service.name", Value::text("falco")), ("n", Value::Int(300)), ("k", list), ("map", map)] {
        record.attrs.push(Key::intern(name), value);
    }
    let came = encode_logs(&Logs::one(Default::default(), Default::default(), record));
    let all = Reads { body: true, ..all_names() };
    for at in 0..came.len() {
        for byte in 0..=u8::MAX {
            let mut bytes = came.to_vec();
            bytes[at] = byte;
            let request = otlp(bytes);
            let decoded = decode_logs(&request.bytes).map(drop);
            for reads in [&Reads::default(), &all] {
                assert_eq!(look(&request, reads, |_, _| ()), decoded, "byte {at} is {byte}");
            }
        }
    }
}

/// How often the unknown field of the test is in a request, in any message.
fn unknown_fields(bytes: &[u8]) -> usize {
    bytes.windows(super::frames::UNKNOWN.len()).filter(|part| *part == super::frames::UNKNOWN).count()
}
