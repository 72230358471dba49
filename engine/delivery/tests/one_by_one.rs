//! Transforms that see the records of untouched OTLP one by one.

use super::{Build, Looks, Scripted, batch};
use crate::{
    component::{Emitter, Refused, Transform},
    event::{Batch, OtlpRequest, Reads, Signal},
};
use std::sync::Arc;

/// Selects or edits records without their being decoded in front of it.
struct OneByOne {
    edits: bool,
}

impl Transform for OneByOne {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        if self.edits {
            out.emit_edited(batch, &Reads::default(), |_, _| true, |_, record| record.attrs.set("k", 1));
        } else {
            out.emit_unless(batch, &Reads::default(), |_, _| Some("unwanted"));
        }
    }

    fn reads_encoded(&self) -> bool {
        true
    }
}

/// Scenario: a request with a record that cannot be read, and a sound one, reach transforms that see records one by one.
/// Guarantee: the first is refused as one that decodes would refuse it, and nothing of it is counted as discarded or
/// delivered; of the second each transform makes what it should.
#[tokio::test(start_paused = true)]
async fn records_seen_one_by_one_are_refused_together() {
    let sound = batch(1).to_otlp();
    // Another record, with a name that is not UTF-8: the third field of a record.
    let damaged = [&sound.bytes[..], &[0x0a, 7, 0x12, 5, 0x12, 3, 0x1a, 1, 0xff]].concat();
    let damaged = OtlpRequest::parse(Signal::Logs, damaged.into()).unwrap();
    assert_eq!(damaged.items, 2);
    let steps: [(Arc<dyn Transform>, u64, usize); 3] = [
        (Arc::new(OneByOne { edits: true }), 1, 0),
        (Arc::new(OneByOne { edits: false }), 0, 1),
        (Arc::new(Looks { only_selects: false }), 1, 0),
    ];
    let mut refusals = Vec::new();
    for (step, delivered, discarded) in steps {
        let sink = Scripted::new([]);
        let bench = Build { steps: vec![step], ..Build::default() }.with(&[("sink", Arc::clone(&sink))]);
        refusals.push(bench.consumer.consume(Batch::otlp(damaged.clone())).await.unwrap_err());
        bench.consumer.consume(Batch::otlp(sound.clone())).await.unwrap();
        let rows = bench.close().await;
        assert_eq!((rows[0].accepted, rows[0].delivered), (1, delivered));
        assert_eq!(rows[0].discarded.iter().map(|(_, items)| *items as usize).sum::<usize>(), discarded);
    }
    assert!(matches!(&refusals[0], Refused::Invalid(why) if why.contains("not UTF-8")), "{refusals:?}");
    assert!(refusals.iter().all(|refused| *refused == refusals[0]), "{refusals:?}");
}
