//! Events straight to OTLP, beside the records of the same events.

use super::*;
use crate::{
    event::{
        Batch, Logs, OtlpRequest,
        otlp::{EncodedScope, GroupWriter},
    },
    semantics::{data, scope},
};
use proptest::{collection::vec, prelude::*};

/// Whether a request of these items, written without records, is that of their records; so are ids and reasons.
fn assert_same(options: &AuditOptions, texts: &[String], removed: Option<[u8; 32]>) {
    let mapper = AuditMapper::new(options).unwrap();
    assert!(mapper.encodes());
    let (origin, scope) = (mapper.origin(Some("prod")), scope("lanner.receiver.k8s_audit"));
    let mut logs = Logs::default();
    let mut request = GroupWriter::new(origin.resource(), &EncodedScope::of(&scope), 0);
    for text in texts {
        let mapped = mapper.map(&origin, Item { text: &text.as_str().into(), removed }, NOW);
        let encoded = mapper.encode(&origin, text, removed, NOW, &mut request);
        assert_eq!(Some(encoded.uid.as_str()), mapped.record.attrs.get_str(&keys::UID));
        assert_eq!(encoded.plain, mapped.plain);
        assert!(encoded.degraded.iter().eq(mapped.degraded.iter()));
        logs.push(Arc::clone(origin.resource()), Arc::clone(&scope), mapped.record);
    }
    assert_eq!(request.len(), texts.len());
    let records = Batch::logs(logs).to_otlp();
    assert_eq!(request.finish(), records);
    if removed.is_none() {
        assert_eq!(in_a_list(&mapper, texts), records);
    }
}

/// The request of items that stand one behind the other, read together as far as they are events.
fn in_a_list(mapper: &AuditMapper, texts: &[String]) -> OtlpRequest {
    let (origin, scope) = (mapper.origin(Some("prod")), scope("lanner.receiver.k8s_audit"));
    let mut request = GroupWriter::new(origin.resource(), &EncodedScope::of(&scope), 0);
    let (list, mut at, mut left) = (texts.join(",\n "), 0, texts.iter());
    while !left.as_slice().is_empty() {
        let each = |length, encoded: Encoded| {
            assert_eq!(Some(length), left.next().map(String::len));
            assert_eq!(encoded.plain, None);
        };
        at += mapper.encode_events(&origin, &list[at..], usize::MAX, NOW, &mut request, each);
        if let Some(odd) = left.next() {
            at += list[at..].find(odd.as_str()).unwrap() + odd.len();
            mapper.encode(&origin, odd, None, NOW, &mut request);
        }
    }
    request.finish()
}

/// Scenario: events in a list: the second is one byte larger than allowed; the last is cut off.
/// Guarantee: what stands before the large one is taken, then what stands behind it; the last is not.
#[test]
fn events_are_taken_as_far_as_they_are_whole() {
    let mapper = AuditMapper::new(&AuditOptions::default()).unwrap();
    let (origin, scope) = (mapper.origin(None), scope("lanner.receiver.k8s_audit"));
    let mut request = GroupWriter::new(origin.resource(), &EncodedScope::of(&scope), 0);
    let (small, large) = (EXEC.to_owned(), EXEC.replacen('{', "{ ", 1));
    let list = format!("{small},{large},{small},{}", &small[..small.len() - 1]);
    let mut take = |text| {
        let mut lengths = Vec::new();
        let done =
            mapper.encode_events(&origin, text, small.len(), NOW, &mut request, |length, _| lengths.push(length));
        (done, lengths)
    };
    assert_eq!(take(&list), (small.len(), vec![small.len()]));
    let behind = &list[small.len() + 1 + large.len()..];
    assert_eq!(take(behind), (1 + small.len(), vec![small.len()]));
    assert_eq!(request.len(), 2);
}

/// Scenario: every event of the sample data, as one request.
/// Guarantee: the bytes are those that encoding the records gives.
#[test]
fn the_corpus_is_encoded_as_its_records() {
    assert_same(&AuditOptions::default(), &[EXEC.to_owned()], Some([7; 32]));
    let Some(lines) = data::lines("dev/k8s_audit_events.jsonl") else { return };
    assert_same(&AuditOptions::default(), &lines, None);
}

/// A value where an event has one: as API servers write it, or as nobody does.
fn value() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("pods".to_owned()),
        Just("ResponseComplete".to_owned()),
        Just("/api/v1/pods?limit=5".to_owned()),
        Just("2025-06-01T00:00:00.250001Z".to_owned()),
        Just("<NA>".to_owned()),
        "[a-zé\u{1}\u{85}\"\\\\ /]{0,12}",
        "x{250,300}",
    ];
    let text = word.prop_map(|word| serde_json::to_string(&word).unwrap());
    let leaf = prop_oneof![
        4 => text.clone(),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => prop_oneof![Just("null"), Just("true"), Just("1.5"), Just("18446744073709551615")].prop_map(str::to_owned),
    ];
    leaf.prop_recursive(2, 12, 4, move |inner| {
        let list = vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(",")));
        let object = vec(
            (
                prop_oneof![
                    Just("\"code\""),
                    Just("\"username\""),
                    Just("\"resource\""),
                    Just("\"groups\""),
                    Just("\"extra\""),
                    Just("\"name\""),
                    Just("\"reason\""),
                    Just("\"a\"")
                ],
                inner,
            ),
            0..5,
        );
        prop_oneof![
            list,
            object.prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            })
        ]
    })
}

proptest! {
    /// Scenario: items with any keys of an event in any order, also twice, with values of every type; caps that cut.
    /// Guarantee: the bytes, ids and reasons are those of the records.
    #[test]
    fn whatever_an_item_says_is_encoded_as_its_record(
        items in vec(vec((prop::sample::select(event::KEYS.to_vec()), value()), 0..14), 1..4),
        max_attributes in 16u16..40,
        max_attribute_bytes in prop_oneof![Just(0u32), 1u32..40],
        removed in any::<Option<[u8; 32]>>(),
    ) {
        let texts: Vec<String> = items.into_iter().map(|members| {
            let members: Vec<_> = members.into_iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
            format!("{{{}}}", members.join(","))
        }).collect();
        assert_same(&AuditOptions { max_attributes, max_attribute_bytes, ..AuditOptions::default() }, &texts, removed);
    }
}
