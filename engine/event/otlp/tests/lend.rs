//! Lent records against decoded ones.

use super::model::{flat, grouped, logs, to_prost};
use crate::event::{
    AttributesRef, Lent, LogRecord, Resource,
    otlp::{DecodeError, LogReader, decode_logs, encode_logs},
};
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

/// What is lent, with every value decoded.
fn said(lent: &Lent<'_>) -> String {
    let attributes = |attributes: &AttributesRef<'_>| -> Vec<String> {
        let said = attributes.iter().map(|(key, value)| {
            let items =
                value.items().map(|items| items.iter().map(|item| item.to_value().into_owned()).collect::<Vec<_>>());
            format!("{:?} {:?} {:?} {:?}", key.as_str(), key.number(), value.to_value(), items)
        });
        said.collect()
    };
    let Lent { resource, attrs, time_unix_nano, observed_time_unix_nano, severity_number, event_name, body } = lent;
    let times = (time_unix_nano, observed_time_unix_nano);
    format!(
        "{:?} {:?} {times:?} {severity_number:?} {event_name:?} {:?}",
        attributes(resource),
        attributes(attrs),
        body.to_value()
    )
}

/// All records, as they are lent and decoded one by one.
fn read(bytes: &[u8]) -> Result<Vec<(String, Resource, LogRecord)>, DecodeError> {
    let (mut reader, mut all) = (LogReader::of(bytes), Vec::new());
    while reader.advance()? {
        let (resource, record) = reader.decode()?;
        all.push((said(reader.lent()), resource, record));
    }
    Ok(all)
}

/// The same of the decoded request.
fn decoded(bytes: &Bytes) -> Result<Vec<(String, Resource, LogRecord)>, DecodeError> {
    let logs = decode_logs(bytes)?;
    let groups = logs.groups.iter().flat_map(|group| group.records.iter().map(|record| (&*group.resource, record)));
    Ok(groups.map(|(resource, record)| (said(&Lent::of(resource, record)), resource.clone(), record.clone())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: any request as another program writes it, with several scopes to a resource.
    /// Guarantee: every record is lent, in order, and says what it says decoded.
    #[test]
    fn what_is_lent_is_what_is_decoded(grouped in grouped()) {
        let bytes = Bytes::from(to_prost(&grouped).encode_to_vec());
        let lent = read(&bytes)?;
        prop_assert_eq!(lent.len(), flat(&grouped).len());
        prop_assert_eq!(Ok(lent), decoded(&bytes));
    }

    /// Scenario: a request with bytes changed and cut off.
    /// Guarantee: the decoder and the reader agree on whether it can be read, and why not.
    #[test]
    fn the_same_damage_is_refused(
        logs in logs(),
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        end: Option<prop::sample::Index>,
    ) {
        let mut bytes = encode_logs(&logs).to_vec();
        if !bytes.is_empty() {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(end.map_or(bytes.len(), |end| end.index(bytes.len()) + 1));
        }
        let said = |all: Vec<(String, Resource, LogRecord)>| all.into_iter().map(|(said, ..)| said).collect::<Vec<_>>();
        prop_assert_eq!(read(&bytes).map(said), decoded(&bytes.into()).map(said));
    }
}
