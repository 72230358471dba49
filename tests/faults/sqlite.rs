//! The database of the exporter `sqlite` on a disk that fills up (D5, X8).

use crate::{
    disk::Tmpfs,
    rig::Rig,
    support::{
        curl,
        lanner::Lanner,
        load::{Door, Sender},
        oracle::{Books, Oracle},
        wait,
    },
};
use rusqlite::Connection;
use std::{fs, io::Write, path::Path, time::Duration};

/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Fills the file system but for so many bytes.
fn fill(ballast: &Path, but: u64) {
    let mut file = fs::File::create(ballast).unwrap();
    let block = [1; 64 << 10];
    while file.write_all(&block).is_ok() {}
    file.set_len(file.metadata().unwrap().len() - but).unwrap();
}

/// What the health check says about the exporter.
fn told(rig: &Rig) -> String {
    let report = curl::get(&format!("http://localhost:{}/status", rig.health), &[]).1;
    let at = report.find("exporter:sqlite/0");
    at.map(|at| report[at..].chars().take(300).collect()).unwrap_or_default()
}

/// Scenario: X8, D5: a small file system with the database on it fills up while alerts come; the configuration is loaded anew
/// meanwhile; then there is room again.
/// Guarantee: alerts are taken meanwhile, since the queue is on another disk; the health says that the disk is full; with
/// room each alert is in the database, once, and the file is whole.
#[test]
fn x8_sqlite_on_a_full_disk() {
    let Some(disk) = Tmpfs::mount(24) else { return };
    let (oracle, books) = (Oracle::new(300), Books::default());
    let path = disk.path().join("events.db");
    let keys = format!("path: '{}'", path.display());
    let target = move |_: u16| keys.clone();
    let mut rig = Rig { kind: "sqlite", target: Box::new(target), ..Rig::new(Door::Falco, &[0]) };
    let lanner = rig.start();
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    sender.send_until_taken(ARRIVAL);
    let waiting = |rig: &Rig| Lanner::metric(&rig.metrics_page(), "otelcol_exporter_queue_size", "");
    wait::until("the first alert is in the database", ARRIVAL, || (waiting(&rig) == 0.0).then_some(()));

    let ballast = disk.path().join("ballast");
    fill(&ballast, 512 << 10);
    wait::until("the disk is full", ARRIVAL, || {
        sender.send_until_taken(ARRIVAL);
        told(&rig).contains("Error").then_some(())
    });
    println!("{} alerts, then: {}", oracle.count(), told(&rig));
    assert!(told(&rig).contains("full"), "{}", told(&rig));

    rig.queue = "num_consumers: 2";
    fs::write(lanner.dir.path().join("config.yaml"), rig.config()).unwrap();
    lanner.signal("HUP");
    wait::until("the configuration is loaded anew", ARRIVAL, || {
        sender.send_until_taken(ARRIVAL);
        (Lanner::metric(&rig.metrics_page(), "lanner_reloads", "result=\"success\"") == 1.0).then_some(())
    });
    for _ in 0..20 {
        sender.send_until_taken(ARRIVAL);
    }
    assert!(waiting(&rig) > 0.0, "the disk is still full");

    fs::remove_file(&ballast).unwrap();
    sender.send_until_taken(ARRIVAL);
    wait::until("everything is in the database", ARRIVAL, || (waiting(&rig) == 0.0).then_some(()));
    let ledger = lanner.stop();
    let row = ledger.row("logs -> sqlite/0");
    assert_eq!((row.delivered, row.queued, row.rejected), (row.accepted, 0, 0), "{}", row.text);
    let database = Connection::open(&path).unwrap();
    assert_eq!(database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
    let mut rows = database.prepare("SELECT message, uid FROM events ORDER BY id").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(Result::unwrap).for_each(|(message, uid)| books.note(&oracle, &message, &uid));
    let verdict = oracle.judge(&books);
    println!("{verdict}");
    verdict.assert_clean();
    assert_eq!(verdict.duplicates, 0);
}
