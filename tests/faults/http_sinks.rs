//! Sinks that speak HTTP/1.1: answers that are cut (D10), connections that are dead (D12), events that are refused (D21).

use crate::{
    rig::Rig,
    support::{
        curl,
        fault_proxy::{Fault, FaultProxy},
        http_sink::{HttpSink, Posted},
        lanner::Lanner,
        load::{Door, Sender},
        oracle::{Books, Oracle},
        wait,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
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

/// Calls PagerDuty's Events API, as often as it takes.
fn pagerduty(port: u16) -> String {
    let key = "0123456789abcdef0123456789abcdef";
    format!("endpoint: 'http://localhost:{port}', routing_key: {key}, max_per_minute: 10000, dedup_by: [output]")
}

/// The `output` of events.
fn outputs(posted: &Posted) -> Vec<String> {
    posted.events().iter().map(|event| event["output"].as_str().unwrap().to_owned()).collect()
}

/// Waits until nothing waits and nothing is on its way.
fn quiet(rig: &Rig) {
    wait::until("the queue is empty", ARRIVAL, || {
        (Lanner::metric(&rig.metrics_page(), "otelcol_exporter_queue_size", "") == 0.0).then_some(())
    });
}

/// Cuts the answers to single events after so many bytes, each time in front of a queue that is empty.
fn with_cuts(rig: &Rig, proxy: &FaultProxy, sender: &mut Sender, cuts: &[usize]) {
    sender.send_until_taken(ARRIVAL);
    for bytes in cuts {
        quiet(rig);
        proxy.set(Fault::CutAfter(*bytes));
        sender.send_until_taken(ARRIVAL);
    }
    quiet(rig);
    proxy.set(Fault::None);
    sender.send_until_taken(ARRIVAL);
    quiet(rig);
}

/// Scenario: D10: a webhook takes an event, and its answer is cut after so many bytes: none, in the head, in the body.
/// Guarantee: where the status did not come, the event is sent again, once, with the same idempotency key and the same id; a
/// sink that honours the key has each event once; the books close.
#[test]
fn d10_an_ambiguous_reply_of_a_webhook() {
    let (oracle, books) = (Oracle::new(200), Books::default());
    let answer = || (200, "x".repeat(64));
    let sink = HttpSink::start({
        let (oracle, books) = (oracle.clone(), books.clone());
        move |posted| {
            for event in posted.events() {
                let id = format!("{} {}", posted.header("idempotency-key"), event["uuid"]);
                books.note(&oracle, event["output"].as_str().unwrap(), &id);
            }
            answer()
        }
    });
    let proxy = FaultProxy::before(sink.port);
    let rig = Rig { kind: "webhook", target: Box::new(array), ..Rig::new(Door::Falco, &[proxy.port]) };
    let lanner = rig.start();
    let cuts = [0, 1, 9, 15, 30, 44, 50, 80];
    with_cuts(&rig, &proxy, &mut Sender::new(rig.door, rig.port, &oracle), &cuts);
    let ledger = lanner.stop();
    let row = ledger.row("logs -> webhook/0");
    assert_eq!((row.delivered, row.queued), (row.accepted, 0), "{}", row.text);
    let verdict = oracle.judge(&books);
    println!("{} cuts, {} connections: {verdict}", cuts.len(), proxy.connections());
    verdict.assert_clean();
    assert!(verdict.duplicates >= 5, "the head was cut five times and more");
    assert!(books.most() <= 2 && verdict.duplicates <= cuts.len() as u64, "once for each cut: {}", books.most());
    assert!(books.ids_agree(), "one key and one id for each event");
    let keys: BTreeSet<String> =
        sink.posted().iter().map(|posted| posted.header("idempotency-key").to_owned()).collect();
    assert!(!keys.contains("") && keys.len() as u64 == verdict.acknowledged, "{} keys", keys.len());
}

/// Scenario: D10: PagerDuty takes an event, and its answer is cut.
/// Guarantee: the event is sent again under the same `dedup_key`, once, so that PagerDuty has one alert for each.
#[test]
fn d10_an_ambiguous_reply_of_pagerduty() {
    let (oracle, books) = (Oracle::new(200), Books::default());
    let sink = HttpSink::start({
        let (oracle, books) = (oracle.clone(), books.clone());
        move |posted| {
            let call = &posted.events()[0];
            assert_eq!(call["event_action"], "trigger");
            books.note(&oracle, call["payload"]["summary"].as_str().unwrap(), call["dedup_key"].as_str().unwrap());
            (202, format!(r#"{{"status":"success","dedup_key":{}}}"#, call["dedup_key"]))
        }
    });
    let proxy = FaultProxy::before(sink.port);
    let rig = Rig { kind: "pagerduty", target: Box::new(pagerduty), ..Rig::new(Door::Falco, &[proxy.port]) };
    let lanner = rig.start();
    let cuts = [0, 9, 20, 40];
    with_cuts(&rig, &proxy, &mut Sender::new(rig.door, rig.port, &oracle), &cuts);
    let ledger = lanner.stop();
    let row = ledger.row("logs -> pagerduty/0");
    assert_eq!((row.delivered, row.queued), (row.accepted, 0), "{}", row.text);
    let verdict = oracle.judge(&books);
    println!("{} cuts, {} connections: {verdict}", cuts.len(), proxy.connections());
    verdict.assert_clean();
    assert_eq!((verdict.duplicates, books.most()), (cuts.len() as u64, 2), "once for each cut");
    assert!(books.ids_agree(), "one key for each event");
    let calls = sink.posted();
    let keys: BTreeSet<String> = calls.iter().map(|call| call.events()[0]["dedup_key"].to_string()).collect();
    assert_eq!(keys.len() as u64, verdict.acknowledged, "no two events share a key");
}

/// Scenario: D12: a connection to a webhook on which nothing comes through any more, while both ends think that it is there.
/// Guarantee: it is given up within 30 s and closed, and everything arrives over a new one; no file descriptor is left.
#[test]
fn d12_a_dead_connection_of_a_webhook_is_replaced() {
    let (oracle, books) = (Oracle::new(300), Books::default());
    let sink = HttpSink::start({
        let (oracle, books) = (oracle.clone(), books.clone());
        move |posted| {
            for event in posted.events() {
                books.note(&oracle, event["output"].as_str().unwrap(), event["uuid"].as_str().unwrap());
            }
            (200, String::new())
        }
    });
    let proxy = FaultProxy::before(sink.port);
    let exporter = "timeout: 2s, retry_on_failure: {initial_interval: 50ms, max_interval: 250ms}";
    let rig = Rig { kind: "webhook", target: Box::new(array), exporter, ..Rig::new(Door::Falco, &[proxy.port]) };
    let lanner = rig.start();
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    sender.send_until_taken(ARRIVAL);
    quiet(&rig);
    let (open, start, before) = (proxy.open(), Instant::now(), proxy.connections());
    proxy.set(Fault::Blackhole);
    for _ in 0..20 {
        sender.send_until_taken(ARRIVAL);
    }
    oracle.wait_for(&books, Duration::from_secs(30));
    let found = start.elapsed();
    quiet(&rig);
    // Each of the four consumers may keep a connection for its next request.
    wait::until("the dead connections are closed", ARRIVAL, || (proxy.open() <= open + 4).then_some(()));
    println!("replaced after {found:.1?}, {} new connections, {} open", proxy.connections() - before, proxy.open());
    let ledger = lanner.stop();
    assert_eq!(ledger.row("logs -> webhook/0").queued, 0);
    oracle.judge(&books).assert_clean();
}

/// Scenario: D21: a hundred alerts come at once, and the webhook answers 400 to every body with one of them in it.
/// Guarantee: 99 arrive, once each; one is a dead letter; fewer than 20 requests and no stall.
#[test]
fn d21_a_poison_event_takes_no_neighbour_along() {
    for target in [array as fn(u16) -> String, ndjson] {
        let oracle = Oracle::new(100);
        let poison = oracle.text(63);
        let sink = HttpSink::start({
            let poison = poison.clone();
            move |posted| if outputs(posted).contains(&poison) { (400, "no".into()) } else { (200, "ok".into()) }
        });
        let rig = Rig { kind: "webhook", target: Box::new(target), ..Rig::new(Door::Falco, &[sink.port]) };
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
