//! Networks that lose answers (D10).

use crate::{
    long,
    rig::Rig,
    support::{
        fault_proxy::{Fault, FaultProxy},
        lanner::Lanner,
        load::{Door, Sender},
        oracle::{Books, Oracle},
        oracle_sink::OracleSink,
        wait,
    },
};
use std::time::Duration;

/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Scenario: D10: the sink takes a request, and its answer is cut after so many bytes: none, a few, almost all.
/// Guarantee: the event is sent again under the same id, once for each cut and no more; the books close.
#[test]
fn d10_ambiguous_reply() {
    let (oracle, books) = (Oracle::new(200), Books::default());
    let sink = OracleSink::listen(0, &oracle, &books);
    let proxy = FaultProxy::before(sink.port);
    let rig = Rig::new(Door::Falco, &[proxy.port]);
    let lanner = rig.start();
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    sender.send_until_taken(ARRIVAL);
    let cuts = if long() { (0..200).step_by(3).collect() } else { vec![0, 9, 20, 40, 60, 80, 100, 150] };
    let quiet = || {
        wait::until("the queue is empty", ARRIVAL, || {
            (Lanner::metric(&rig.metrics_page(), "otelcol_exporter_queue_size", "") == 0.0).then_some(())
        });
    };
    for bytes in &cuts {
        quiet();
        proxy.set(Fault::CutAfter(*bytes));
        sender.send_until_taken(ARRIVAL);
    }
    quiet();
    proxy.set(Fault::None);
    sender.send_until_taken(ARRIVAL);
    quiet();
    let row = lanner.stop();
    let row = row.row("logs -> otlp_grpc/0");
    assert_eq!((row.delivered, row.queued), (row.accepted, 0), "{}", row.text);
    let verdict = oracle.judge(&books);
    println!("{} cuts, {} connections: {verdict}", cuts.len(), proxy.connections());
    verdict.assert_clean();
    assert!(verdict.duplicates > 0, "a cut fell behind the sink's commit");
    assert!(books.most() <= 2 && verdict.duplicates <= cuts.len() as u64, "once for each cut: {}", books.most());
    assert!(books.ids_agree());
}
