//! Nobody behind the receiver looks at records.

use super::*;
use lanner_engine::component::{Admission, Intake as Behind, Taking};

/// In front of a capture: says that nobody looks.
struct Unread(Consumer);

impl Behind for Unread {
    fn take(&self, batch: Batch, hold: Duration) -> Taking<'_> {
        Taking::waits(self.0.consume_within(batch, hold))
    }

    fn take_patiently<'t>(&'t self, batch: Batch, drain: &'t Drain) -> Taking<'t> {
        Taking::waits(self.0.consume_patiently(batch, drain))
    }

    fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        self.0.admit(bytes)
    }

    fn reads_records(&self) -> bool {
        false
    }

    fn failed(&self, items: u64, reason: &'static str) {
        self.0.failed(items, reason);
    }
}

/// What a capture has, decoded, without the time of receipt.
fn taken(door: &Door) -> Vec<(Arc<Resource>, Arc<Scope>, LogRecord)> {
    let mut all = Vec::new();
    for batch in door.capture.batches() {
        // Both go over the wire, where lists and empty values may look different from those that were made.
        let mut batch = Batch::otlp(batch.to_otlp());
        batch.decode().unwrap();
        for group in batch.into_logs().unwrap().groups {
            for mut record in group.records {
                record.observed_time_unix_nano = 0;
                all.push((Arc::clone(&group.resource), Arc::clone(&group.scope), record));
            }
        }
    }
    all
}

/// Scenario: the same bodies to a receiver whose records are looked at and to one whose records are not: events, broken
/// items, other JSON, an event that is too large, bytes that are no text, more than a batch.
/// Guarantee: untouched OTLP comes out of the second, with the records of the first; what was odd is counted alike, and the
/// answers are the same.
#[tokio::test]
async fn unread_events_are_the_same_records() {
    let config = || Config { max_event_size: 4096, ..Config::default() };
    let read = Door::open(config()).await;
    let capture = lanner_engine::testing::Capture::new();
    let out = Consumer::new(Arc::new(Unread(capture.consumer())));
    let unread = Door::open_to(config(), capture, out).await;
    let large = EVENT.replace("\"kind\":\"Pod\"", &format!("\"kind\":\"{}\"", "x".repeat(5000)));
    let mut no_text = EVENT.as_bytes().to_vec();
    no_text[30] = 0xff;
    let many = vec![EVENT; 1500];
    for body in [
        list(&[EVENT, "17", "{\"kind\":0}", &large, EVENT]).into_bytes(),
        list(&[EVENT, "{\"stage\":\"Panic\",\"user\":[}", EVENT]).into_bytes(),
        no_text,
        b"no JSON at all".to_vec(),
        list(&many).into_bytes(),
    ] {
        let (path, body) = ("/k8s-audit/prod-1", Bytes::from(body));
        let (before, after) = (read.post(path, body.clone()).await, unread.post(path, body).await);
        assert_eq!((before.0, before.2), (after.0, after.2));
    }
    assert!(unread.capture.batches().iter().all(|batch| batch.as_otlp().is_some()));
    let (of_read, of_unread) = (taken(&read), taken(&unread));
    assert_eq!(of_read.len(), 5 + 3 + 1 + 1 + 1500);
    assert_eq!(of_read, of_unread);
    for (metric, reason) in [
        ("lanner_receiver_unusable", "not_object"),
        ("lanner_receiver_unusable", "not_json"),
        ("lanner_receiver_degraded", "objects_removed"),
        ("lanner_receiver_degraded", "invalid_utf8"),
    ] {
        assert!(read.counted(metric, reason) > 0, "{reason}");
        assert_eq!(read.counted(metric, reason), unread.counted(metric, reason), "{reason}");
    }
}
