//! Networks and sinks that are away, slow or unreliable for a while (D8, D9, D11, D12).

use crate::{
    long,
    rig::Rig,
    support::{
        fault_proxy::{Fault, FaultProxy},
        lanner::Lanner,
        load::{Door, Load, Sender, Sent},
        oracle::{Books, Oracle},
        oracle_sink::OracleSink,
        wait,
    },
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(60);
/// The receiver may wait for long; these tests time themselves what Falco is promised.
const PATIENT: &str = "hold: 30s";
const HOLD: Duration = Duration::from_millis(1500);

/// Ends the load; every answer came within Falco's hold.
fn end(load: Load) -> Vec<Sent> {
    let sent = load.stop();
    let slowest = sent.iter().map(|sender| sender.slowest).max().unwrap();
    println!("the slowest answer took {slowest:.1?}");
    assert!(slowest <= HOLD, "{slowest:?}");
    sent
}

/// Scenario: D8: the sink refuses connections under a steady load (a minute in the long suite), and comes back.
/// Guarantee: everything that was acknowledged arrives once, in the order of each sender; one request is in flight at a time,
/// as configured; memory stays where it was; in the long form, what waited is drained five times as fast as it came in.
#[test]
fn d8_an_outage_is_waited_out() {
    let (outage, senders, rate) = (Duration::from_secs(if long() { 60 } else { 3 }), 4, 500);
    let (oracle, books, port) = (Oracle::new(300), Books::default(), wait::free_port());
    let rig = Rig { receiver: PATIENT, queue: "num_consumers: 1", ..Rig::new(Door::Falco, &[port]) };
    let lanner = rig.start();
    let load = Load::start(rig.door, rig.port, &oracle, senders, rate);
    wait::until("there is load", ARRIVAL, || (oracle.count() > 100).then_some(()));
    let (before, enough, over) = (lanner.rss_kib(), oracle.count() + 200, Instant::now() + outage);
    wait::until("the outage is over", outage + ARRIVAL, || {
        (Instant::now() >= over && oracle.count() >= enough).then_some(())
    });
    let (waiting, grown) = (oracle.count(), lanner.rss_kib().saturating_sub(before));
    let back = Instant::now();
    let sink = OracleSink::listen(port, &oracle, &books);
    wait::until("what waited has arrived", ARRIVAL, || (books.count() >= waiting).then_some(()));
    let drained = back.elapsed();
    let sent = end(load);
    oracle.wait_for(&books, ARRIVAL);
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc/0");
    assert_eq!((row.accepted, row.delivered), (oracle.count(), oracle.count()), "{}", row.text);
    let verdict = oracle.judge(&books);
    println!("{waiting} waited, drained in {drained:.1?}, {grown} KiB more, {} requests: {verdict}", sink.requests());
    verdict.assert_clean();
    assert_eq!((verdict.refused, verdict.duplicates), (0, 0));
    let places: BTreeMap<u64, usize> = books.order().into_iter().zip(0..).collect();
    for Sent { taken, .. } in sent {
        assert!(taken.is_sorted_by_key(|number| places[number]), "each sender's events come in their order");
    }
    assert_eq!(sink.most_at_once(), 1);
    assert!(grown < 50 << 10, "{grown} KiB");
    // The first second may pass with a delay between attempts; in the short form there is not much else.
    assert!(!long() || drained < outage / 5 + Duration::from_secs(2), "{drained:?}");
}

/// Scenario: the network resets connections, closes half of them, changes replies and is slow, one after the other.
/// Guarantee: none of it loses or invents anything; the books close.
#[test]
fn d9_an_unreliable_network() {
    let (oracle, books) = (Oracle::new(300), Books::default());
    let sink = OracleSink::listen(0, &oracle, &books);
    let proxy = FaultProxy::before(sink.port);
    let keys = "timeout: 2s, retry_on_failure: {initial_interval: 50ms, max_interval: 250ms}";
    let rig = Rig { receiver: PATIENT, exporter: keys, ..Rig::new(Door::Falco, &[proxy.port]) };
    let lanner = rig.start();
    let load = Load::start(rig.door, rig.port, &oracle, 4, 400);
    for fault in [Fault::Reset, Fault::HalfClose, Fault::Corrupt, Fault::Delay(Duration::from_millis(50))] {
        for fault in [fault, Fault::None] {
            proxy.set(fault);
            let (sent, arrived) = (oracle.count() + 100, books.count() + 20);
            wait::until("events are taken all the same", ARRIVAL, || (oracle.count() > sent).then_some(()));
            if fault == Fault::None {
                wait::until("events arrive again", ARRIVAL, || (books.count() > arrived).then_some(()));
            }
        }
    }
    end(load);
    oracle.wait_for(&books, ARRIVAL);
    assert!(proxy.connections() > 2);
    let panics = Lanner::metric(&rig.metrics_page(), "lanner_exporter_panics", "");
    assert_eq!(panics, 0.0);
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc/0");
    assert_eq!((row.accepted, row.queued, row.rejected), (oracle.count(), 0, 0), "{}", row.text);
    let verdict = oracle.judge(&books);
    println!("{} connections: {verdict}", proxy.connections());
    verdict.assert_clean();
    assert_eq!(verdict.refused, 0);
}

/// Scenario: D11: one of three sinks gets its bytes at ten a second.
/// Guarantee: the other two have everything as soon as it was sent; nobody is refused; once the third is as quick, it gets
/// everything, too.
#[test]
fn d11_a_slow_sink_delays_nobody_else() {
    let (oracle, books) = (Oracle::new(300), [(); 3].map(|()| Books::default()));
    let sinks = books.each_ref().map(|books| OracleSink::listen(0, &oracle, books));
    let proxy = FaultProxy::before(sinks[0].port);
    let ports = [proxy.port, sinks[1].port, sinks[2].port];
    let rig = Rig { receiver: PATIENT, ..Rig::new(Door::Falco, &ports) };
    let lanner = rig.start();
    proxy.set(Fault::Trickle(Duration::from_millis(100)));
    let load = Load::start(rig.door, rig.port, &oracle, 8, 1000);
    let enough = if long() { 20_000 } else { 1000 };
    wait::until("there was load", ARRIVAL, || (oracle.count() >= enough).then_some(()));
    end(load);
    let ended = Instant::now();
    books[1..].iter().for_each(|books| oracle.wait_for(books, ARRIVAL));
    let late = ended.elapsed();
    assert!(books[0].count() < enough / 2, "one sink is slow: it has {}", books[0].count());
    proxy.set(Fault::None);
    oracle.wait_for(&books[0], ARRIVAL);
    lanner.stop().row("logs -> otlp_grpc/0");
    for books in &books {
        let verdict = oracle.judge(books);
        println!("the others have all {late:.1?} after the end: {verdict}");
        verdict.assert_clean();
        assert_eq!((verdict.refused, verdict.unanswered), (0, 0));
    }
    // The slow one would take hours.
    assert!(late < Duration::from_secs(20), "{late:?}");
}

/// Scenario: D12: a connection on which nothing comes through any more, while both ends think that it is there.
/// Guarantee: it is given up within 30 s, and everything arrives over a new one.
#[test]
fn d12_a_dead_connection_is_replaced() {
    let (oracle, books) = (Oracle::new(300), Books::default());
    let sink = OracleSink::listen(0, &oracle, &books);
    let proxy = FaultProxy::before(sink.port);
    let keys = "timeout: 2s, retry_on_failure: {initial_interval: 50ms, max_interval: 250ms}";
    let rig = Rig { exporter: keys, ..Rig::new(Door::Falco, &[proxy.port]) };
    let lanner = rig.start();
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    sender.send_until_taken(ARRIVAL);
    oracle.wait_for(&books, ARRIVAL);
    proxy.set(Fault::Blackhole);
    let (start, before) = (Instant::now(), proxy.connections());
    for _ in 0..20 {
        sender.send_until_taken(ARRIVAL);
    }
    oracle.wait_for(&books, Duration::from_secs(30));
    println!("replaced after {:.1?}, {} new connections", start.elapsed(), proxy.connections() - before);
    let row = lanner.stop();
    assert_eq!(row.row("logs -> otlp_grpc/0").queued, 0);
    oracle.judge(&books).assert_clean();
}
