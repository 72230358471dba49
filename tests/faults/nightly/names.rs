//! Names of sinks that nobody knows, or that come to mean another address (D13).

use crate::{
    rig::{Rig, START},
    support::{
        lanner::{Lanner, TempDir, binary},
        load::{Door, Sender},
        oracle::{Books, Oracle},
        oracle_sink::OracleSink,
        surroundings::Surroundings,
        wait,
    },
};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

const ARRIVAL: Duration = Duration::from_secs(60);
/// D13's bound for going on once the name is known.
const RECOVERED: Duration = Duration::from_secs(10);
const OLD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NEW: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Scenario: D13: the name of the sink is not known, and the name server does not answer; then it is known; then the sink
/// goes, its name is not known any more, and it comes back at another address.
/// Guarantee: what is sent meanwhile is taken; it arrives within 10 s of the name being known; nobody asks at the old address
/// any more; the books close.
#[test]
fn d13_a_name_that_fails_and_moves() {
    let (dir, port) = (TempDir::new(), wait::free_port());
    let (hosts, resolver) = (dir.path().join("hosts"), dir.path().join("resolv.conf"));
    let names = |sink: Option<Ipv4Addr>| {
        let sink = sink.map(|address| format!("{address} sink.lanner.test\n")).unwrap_or_default();
        fs::write(&hosts, format!("127.0.0.1 localhost\n{sink}")).unwrap();
    };
    names(None);
    fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
    let surroundings = Surroundings::new(
        "mount --bind \"$HOSTS\" /etc/hosts\nmount --bind \"$RESOLVER\" /etc/resolv.conf",
        vec![("HOSTS", hosts.display().to_string()), ("RESOLVER", resolver.display().to_string())],
    );
    if !surroundings.available() {
        return;
    }
    let (oracle, books) = (Oracle::new(300), Books::default());
    let target = |port| format!("endpoint: 'sink.lanner.test:{port}', tls: {{insecure: true}}");
    let rig = Rig { target: Box::new(target), ..Rig::new(Door::Falco, &[port]) };
    let mut lanner = Lanner::spawn_with(&rig.config(), surroundings.command(&binary()));
    lanner.ready(START).unwrap_or_else(|status| panic!("ended with {status}:\n{}", lanner.stderr()));
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    let mut send = || {
        for _ in 0..50 {
            sender.send_until_taken(ARRIVAL);
        }
    };
    let arrive = |address| {
        let known = Instant::now();
        names(Some(address));
        let arrived = wait::until("what waits arrives", ARRIVAL, || {
            oracle.judge(&books).missing.is_empty().then(|| known.elapsed())
        });
        assert!(arrived < RECOVERED, "{arrived:?}");
        arrived
    };

    send();
    circuit_is_open(&rig);
    assert_eq!(books.count(), 0);
    let sink = OracleSink::listen_at(OLD, port, &oracle, &books);
    let first = arrive(OLD);
    drop(sink);
    names(None);
    send();
    circuit_is_open(&rig);
    // Who asks at the old address from now on is seen.
    let squatter = TcpListener::bind((OLD, port)).unwrap();
    squatter.set_nonblocking(true).unwrap();
    let sink = OracleSink::listen_at(NEW, port, &oracle, &books);
    let second = arrive(NEW);
    send();
    oracle.wait_for(&books, ARRIVAL);
    assert!(squatter.accept().is_err(), "the old address is used no more");
    assert!(sink.requests() > 0);
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc/0");
    assert_eq!((row.queued, row.rejected), (0, 0), "{}", row.text);
    let verdict = oracle.judge(&books);
    println!("known after an outage, arrived after {first:.1?}; moved, arrived after {second:.1?}: {verdict}");
    verdict.assert_clean();
    assert_eq!(verdict.acknowledged, 150);
}

fn circuit_is_open(rig: &Rig) {
    wait::until("the circuit is open", ARRIVAL, || {
        (Lanner::metric(&rig.metrics_page(), "lanner_exporter_circuit_state", "") > 0.0).then_some(())
    });
}
