//! Sinks that speak HTTP/1.1: answers that are cut (D10), connections that are dead (D12), events that are refused (D21).

use crate::{
    rig::Rig,
    support::{
        curl,
        http_sink::{HttpSink, Posted},
        lanner::Lanner,
        load::Door,
        oracle::Oracle,
        wait,
    },
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Posts to a webhook, a JSON array for each request of the queue.
fn array(port: u16) -> String {
    format!("url: 'http://localhost:{port}/', batch: array")
}

/// The same, with a line for each event.
fn ndjson(port: u16) -> String {
    format!("url: 'http://localhost:{port}/', batch: ndjson")
}

/// The `output` of events.
fn outputs(posted: &Posted) -> Vec<String> {
    posted.events().iter().map(|event| event["output"].as_str().unwrap().to_owned()).collect()
}

/// Scenario: D21: a hundred alerts come at once, and the webhook answers 400 to every body with one of them in it.
/// Guarantee: 99 arrive, once each; one is a dead letter; fewer than 20 requests and no stall.
#[test]
fn d21_a_poison_event_takes_no_neighbour_along() {
    for target in [array, ndjson] {
        let oracle = Oracle::new(100);
        let poison = oracle.text(63);
        let sink = HttpSink::start({
            let poison = poison.clone();
            move |posted| if outputs(posted).contains(&poison) { (400, "no".into()) } else { (200, "ok".into()) }
        });
        let rig = Rig { kind: "webhook", target, ..Rig::new(Door::Falco, &[sink.port]) };
        let lanner = rig.start();
        let body: Vec<u8> = (0..100).map(|_| rig.door.body(&oracle, oracle.issue())).collect::<Vec<_>>().join(&b'\n');
        let start = Instant::now();
        assert_eq!(curl::post(&format!("http://localhost:{}/", rig.port), &body, &[]).0, 200);
        let letters = || Lanner::metric(&rig.metrics_page(), "lanner_exporter_dead_letters", "");
        wait::until("there is a dead letter", ARRIVAL, || (letters() == 1.0).then_some(()));
        let stall = start.elapsed();
        let posted = sink.posted();
        let mut arrived = BTreeMap::<String, usize>::new();
        for posted in posted.iter().filter(|posted| !outputs(posted).contains(&poison)) {
            outputs(posted).into_iter().for_each(|text| *arrived.entry(text).or_default() += 1);
        }
        println!("{} requests in {stall:.1?}", posted.len());
        assert_eq!(outputs(&posted[0]).len(), 100, "they go out together");
        assert!(arrived.values().all(|count| *count == 1) && arrived.len() == 99, "{arrived:?}");
        assert!((0..100).filter(|number| *number != 63).all(|number| arrived.contains_key(&oracle.text(number))));
        assert!(posted.len() < 20 && stall <= Duration::from_secs(5), "{} requests, {stall:?}", posted.len());
        let ledger = lanner.stop();
        let row = ledger.row("logs -> webhook/0");
        assert_eq!((row.delivered, row.rejected, row.queued), (99, 1, 0), "{}", row.text);
    }
}
