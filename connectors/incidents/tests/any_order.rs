//! Any events of several pods and hosts, in any order, with kills in between.

use super::bench::*;
use crate::incidents::Config;
use lanner_engine::{config::Duration as Span, prelude::*};
use lanner_proto::trace::v1::Span as PbSpan;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    Alert(Alert),
    Exec { pod: &'static str, time: f64 },
    Pass(f64),
    Kill,
}

/// Pods that Falco knows well, half and not at all, a pod that was made anew under the same name, and the host.
const PLACES: [(&str, &str, &str); 7] = [
    ("web", "u-1", "c-1"),
    ("web", "", "c-1"),
    ("", "", "c-1"),
    ("web", "u-2", "c-2"),
    ("db", "u-3", "c-3"),
    ("", "", "c-4"),
    ("", "", ""),
];

fn alert() -> impl Strategy<Value = Alert> {
    let place = prop::sample::select(PLACES.to_vec());
    let priority = prop::sample::select(vec!["Debug", "Notice", "Warning", "Critical"]);
    // Few pids, so that parents are found, pids are used again, and circles are tried.
    (place, priority, 1u32..6, 1u32..6, -400i32..400, 0i32..700).prop_map(
        |(place, priority, pid, parent, time, age)| {
            let ((pod, uid, container), time) = (place, f64::from(time));
            Alert { pod, uid, container, priority, pid, parent, created: time - f64::from(age % 7 * 50), time }
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pod = prop::sample::select(vec!["web", "db"]);
    let step = prop_oneof![
        8 => alert().prop_map(Step::Alert),
        2 => (pod, -300i32..300).prop_map(|(pod, time)| Step::Exec { pod, time: f64::from(time) }),
        2 => (1u32..400).prop_map(|seconds| Step::Pass(f64::from(seconds) / 2.0)),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..40)
}

fn uid(record: &LogRecord) -> String {
    record.attrs.get_str(&"log.record.uid".into()).unwrap().to_owned()
}

/// Checks one trace; the uids of its alerts.
fn check(spans: &[&PbSpan]) -> Vec<String> {
    let by_id: BTreeMap<&[u8], &PbSpan> = spans.iter().map(|span| (span.span_id.as_slice(), *span)).collect();
    assert_eq!(by_id.len(), spans.len(), "no span id twice");
    assert_eq!(spans.iter().filter(|span| span.parent_span_id.is_empty()).count(), 1, "one root");
    for span in spans {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        let within = |time: u64| span.start_time_unix_nano <= time && time <= span.end_time_unix_nano;
        assert!(span.events.iter().all(|event| within(event.time_unix_nano)), "{span:?}");
        for link in span.links.iter().filter(|link| link.trace_id == span.trace_id) {
            assert!(by_id.contains_key(link.span_id.as_slice()), "what it continues was sent");
        }
        let (mut above, mut steps) = (*span, 0);
        while !above.parent_span_id.is_empty() {
            let parent = by_id.get(above.parent_span_id.as_slice()).expect("the parent is in the same trace");
            assert!(
                parent.start_time_unix_nano <= above.start_time_unix_nano
                    && above.end_time_unix_nano <= parent.end_time_unix_nano,
                "{parent:?} contains {above:?}"
            );
            above = parent;
            steps += 1;
            assert!(steps <= spans.len(), "no circle");
        }
    }
    let alerts = spans.iter().flat_map(|span| &span.events).filter(|event| event.name == "falco.alert");
    alerts.map(|event| plain(&event.attributes)["log.record.uid"].clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Scenario: alerts of pods, containers and hosts, execs, silence and kills, in any order and with any times.
    /// Guarantee: every alert is in exactly one incident and shown once in its trace; parents are in the same trace and
    /// contain their children, without circles; no span id is there twice; every id that a record has is that of a span;
    /// every record comes out.
    #[test]
    fn traces_are_sound(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let config = Config {
                storage: Some("disk".parse().unwrap()),
                process_idle: Span::from_secs(20),
                quiet: Span::from_secs(120),
                max_duration: Span::from_secs(300),
                max_processes: 8,
                ..Config::default()
            };
            let mut bench = Bench::start(config).await;
            let (mut alerts, mut sent) = (BTreeSet::new(), BTreeSet::new());
            for (serial, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Alert(mut alert) => {
                        alert.time += serial as f64 / 1000.0;
                        let batch = alert.batch();
                        alerts.insert(uid(batch.records().next().unwrap()));
                        sent.insert(uid(batch.records().next().unwrap()));
                        bench.send(batch).await;
                    }
                    Step::Exec { pod, time } => {
                        let batch = exec(pod, &serial.to_string(), time);
                        sent.insert(uid(batch.records().next().unwrap()));
                        bench.send(batch).await;
                    }
                    Step::Pass(seconds) => bench.pass(seconds).await,
                    Step::Kill => bench = bench.kill(3).await,
                }
            }
            bench.pass(400.0).await;
            let capture = bench.stop().await;
            let spans = spans(&capture);
            let mut traces: BTreeMap<&[u8], Vec<&PbSpan>> = BTreeMap::new();
            spans.iter().for_each(|span| traces.entry(&span.trace_id).or_default().push(span));
            let mut shown: BTreeMap<String, Vec<u8>> = BTreeMap::new();
            for (trace, spans) in &traces {
                for uid in check(spans) {
                    assert!(shown.insert(uid, trace.to_vec()).is_none(), "an alert is shown once");
                }
            }
            let mut came = BTreeSet::new();
            for record in records(&capture) {
                let ids = (record.trace_id.to_vec(), record.span_id.to_vec());
                if &*record.event_name == "lanner.incident" {
                    continue;
                }
                assert!(came.insert(uid(&record)), "nothing comes out twice");
                if alerts.contains(&uid(&record)) {
                    assert_eq!(shown.get(&uid(&record)), Some(&ids.0), "log and trace agree");
                }
                // A way in that nothing followed has the ids that its incident would have had.
                if traces.contains_key(ids.0.as_slice()) {
                    assert!(spans.iter().any(|span| (&span.trace_id, &span.span_id) == (&ids.0, &ids.1)));
                }
            }
            assert_eq!(came, sent);
            assert_eq!(shown.len(), alerts.len());
            let closed = reports(&capture).into_iter().filter(|(state, _)| state == "closed").collect::<Vec<_>>();
            assert_eq!(closed.len(), traces.len());
            assert_eq!(closed.iter().map(|(_, alerts)| *alerts as usize).sum::<usize>(), alerts.len());
        });
    }
}
