//! Bodies that claim to be Falco alerts, through the mapper.
//!
//! Properties: no panic; one record per piece; every byte that is no separator is in exactly one piece; mapping again gives
//! the same records, ids included; OTLP gives the records back; an alert is the same as a body, as a line, as what another
//! agent carries, as text and as a map.

#![no_main]

use lanner_engine::{
    event::{LogRecord, Logs, Value, otlp},
    semantics::{
        FalcoMapper, MappingOptions, Preserve,
        carried::{Form, Reading},
        falco, keys,
    },
};
use libfuzzer_sys::{Corpus, fuzz_target};
use std::sync::{Arc, LazyLock};

const NOW: u64 = 1_748_736_000_000_000_000;

static KEEPING: LazyLock<FalcoMapper> = LazyLock::new(|| {
    FalcoMapper::new(&MappingOptions {
        keep_original: true,
        // What is compared below is the text as it was sent.
        redact_command_lines: false,
        preserve: Preserve::All,
        max_attribute_bytes: 0,
        max_attributes: 4096,
        ..MappingOptions::default()
    })
});
static PLAIN: LazyLock<FalcoMapper> = LazyLock::new(|| FalcoMapper::new(&MappingOptions::default()));

fn map(mapper: &FalcoMapper, body: &Arc<str>) -> Logs {
    let mut logs = Logs::default();
    let summary = mapper.map_body(body, NOW, &falco::scope("fuzz"), &mut logs);
    assert_eq!(summary.records(), logs.len(), "one record per piece: {summary:?}");
    logs
}

/// Walks over the body with the texts of the records, in order; only separators may be left.
fn assert_nothing_lost(body: &str, logs: &Logs) {
    let mut rest = body.trim_start_matches('\u{feff}');
    for record in logs.records() {
        let text =
            record.attrs.get_str(&keys::ORIGINAL).or_else(|| record.body.as_str()).expect("every piece has text");
        while !rest.starts_with(text) {
            let mut letters = rest.chars();
            let letter = letters.next().expect("the piece is in the body, behind those before it");
            assert!(is_separator(letter), "{letter:?} is in no piece");
            rest = letters.as_str();
        }
        rest = &rest[text.len()..];
    }
    assert!(rest.chars().all(is_separator), "{rest:?} is in no piece");
}

fn is_separator(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, ',' | '[' | ']' | '\u{feff}')
}

/// Without what depends on how the alert was written: the id, when it is of the fields' own text.
fn comparable(mut record: LogRecord) -> LogRecord {
    if record.body == Value::Empty {
        record.attrs.remove(&keys::UID);
    }
    record
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let body: Arc<str> = String::from_utf8_lossy(input).into();
    let logs = map(&KEEPING, &body);
    assert_nothing_lost(&body, &logs);
    assert_eq!(map(&KEEPING, &body), logs, "the same body gives the same records");
    let bytes = otlp::encode_logs(&logs);
    assert_eq!(otlp::decode_logs(&bytes).as_ref(), Ok(&logs), "OTLP gives the records back");

    let line = PLAIN.map_line(&body, NOW).map(|mapped| mapped.record);
    if let Some(line) = &line {
        let logs = map(&PLAIN, &body);
        assert_eq!(logs.records().collect::<Vec<_>>(), [line], "a line is a body of one alert");
    }
    if let Reading::Event(text) = PLAIN.map_carried(&Form::Text(Arc::clone(&body)), NOW) {
        assert!(line.is_none_or(|line| line == text.record));
        if let Some(map) = Value::from_json(body.trim()) {
            let Reading::Event(map) = PLAIN.map_carried(&Form::Map(&map), NOW) else {
                panic!("an alert is one as a map, too");
            };
            assert_eq!(map.resource, text.resource);
            assert_eq!(map.degraded, text.degraded);
            assert_eq!(comparable(map.record), comparable(text.record));
        }
    }
    Corpus::Keep
});
