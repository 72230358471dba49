//! The database of the `sqlite` exporter, written by the real binary, which is killed again and again.

use crate::support::{
    lanner::{Lanner, TempDir},
    otlp_sink::OtlpSink,
    wait,
};
use rusqlite::{Connection, types::FromSql};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// How often Lanner is killed.
const KILLS: usize = 12;
const SENDERS: usize = 4;
/// How long Falco's requests are held.
const HOLD: Duration = Duration::from_millis(1500);
/// Alerts of a request.
const BATCH: usize = 10;

fn config(port: u16, dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
exporters:
  sqlite:
    path: '{dir}/events.db'
    sending_queue: {{storage: file_storage, num_consumers: 4}}
    retry_on_failure: {{initial_interval: 50ms, max_interval: 200ms}}
extensions: {{file_storage: {{directory: '{dir}/state'}}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: [sqlite]}}}}
"
    )
}

/// Alerts from this number on: five containers, three rules, two priorities.
fn alerts(from: usize) -> String {
    (from..from + BATCH)
        .map(|number| {
            let (priority, container, rule) = (["Critical", "Notice"][number % 2], number % 5, number % 3);
            format!(
                r#"{{"rule":"rule {rule}","priority":"{priority}","time":"2026-01-01T00:00:00.{number:09}Z","output":"alert {number}","source":"syscall","output_fields":{{"container.id":"c0ffee00000{container}"}}}}"#
            ) + "\n"
        })
        .collect()
}

/// Posts; whether the answer was 200. A connection that breaks is no answer.
fn post(port: u16, body: &str) -> bool {
    let attempt = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    attempt().unwrap_or(false)
}

fn ask<T: FromSql>(path: &Path, query: &str) -> T {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

/// Rows of the counts that do not agree with the events.
const DISAGREEMENTS: [&str; 2] = [
    "SELECT count(*) FROM (
       SELECT container_id AS id, count(*) AS events, sum(priority = 'critical') AS critical, sum(priority = 'notice') AS notice
       FROM events GROUP BY container_id
     ) AS said FULL JOIN containers AS kept ON kept.id = said.id
     WHERE (said.events, said.critical, said.notice) IS NOT (kept.events, kept.critical, kept.notice)",
    "SELECT count(*) FROM (
       SELECT rule, container_id, count(*) AS alerts FROM events GROUP BY rule, container_id
     ) AS said FULL JOIN profile AS kept ON kept.rule = said.rule AND kept.entity = said.container_id
     WHERE said.alerts IS NOT kept.alerts",
];

/// Scenario: four senders post alerts while Lanner is killed with SIGKILL twelve times in the middle of it; what
/// had no answer may be there or not (X8).
/// Guarantee: after each kill the file is whole; in the end every alert that was answered with 200 is there once,
/// nothing that nobody sent, and the counts by container and day are what the events say.
#[test]
fn x8_sqlite_killed() {
    let (dir, port) = (TempDir::new(), wait::free_port());
    let path = dir.path().join("events.db");
    let (answered, next, over) = (Mutex::new(BTreeSet::new()), AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    let from = next.fetch_add(BATCH, SeqCst);
                    if post(port, &alerts(from)) {
                        answered.lock().unwrap().extend(from..from + BATCH);
                    } else {
                        // Nobody is there for the moment.
                        std::thread::park_timeout(Duration::from_millis(10));
                    }
                }
            });
        }
        // The senders must end when a check fails.
        let end = End(&over);
        for round in 0..KILLS {
            let mut lanner = Lanner::start(&config(port, dir.path()));
            let (before, wanted) = (answered.lock().unwrap().len(), BATCH * (3 + 5 * round));
            wait::until("alerts are answered", Duration::from_secs(60), || {
                (answered.lock().unwrap().len() >= before + wanted).then_some(())
            });
            lanner.signal("KILL");
            lanner.wait(Duration::from_secs(10));
            assert_eq!(ask::<String>(&path, "PRAGMA integrity_check"), "ok", "after kill {round}");
        }
        drop(end);
    });
    let answered = answered.into_inner().unwrap();
    let lanner = Lanner::start(&config(port, dir.path()));
    wait::until("every answered alert is in the database", Duration::from_secs(60), || {
        let there: i64 = ask(&path, "SELECT count(*) FROM events");
        (there >= answered.len() as i64).then_some(())
    });
    let ledger = lanner.stop();
    let row = ledger.row("logs -> sqlite");
    assert_eq!((row.queued, row.rejected), (0, 0), "{}", row.text);
    let connection = Connection::open(&path).unwrap();
    let mut statement = connection.prepare("SELECT message FROM events").unwrap();
    let found: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let there: BTreeSet<usize> =
        found.iter().map(|text| text.strip_prefix("alert ").unwrap().parse().unwrap()).collect();
    assert_eq!(there.len(), found.len(), "no event is there twice");
    let missing: Vec<_> = answered.difference(&there).collect();
    assert!(missing.is_empty(), "{} of {} are missing: {missing:?}", missing.len(), answered.len());
    assert!(there.iter().all(|number| *number < next.load(SeqCst)));
    for query in DISAGREEMENTS {
        assert_eq!(ask::<i64>(&path, query), 0, "{query}");
    }
    assert_eq!(ask::<String>(&path, "PRAGMA integrity_check"), "ok");
}

/// Scenario: another program holds the database for writing while alerts come in, which go to an OTLP sink as
/// well; then it lets go (X8).
/// Guarantee: senders have their answer and the other sink its alerts meanwhile; afterwards the database has each once.
#[test]
fn x8_a_stalled_database_does_not_stop_others() {
    let (dir, port, sink) = (TempDir::new(), wait::free_port(), OtlpSink::start());
    let path = dir.path().join("events.db");
    let other = format!("exporters:\n  otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}}}\n", sink.endpoint());
    // Held for as long as it takes, and timed here.
    let config = config(port, dir.path())
        .replace(&format!("endpoint: 'localhost:{port}'"), &format!("endpoint: 'localhost:{port}', hold: 30s"))
        .replace("exporters:\n", &other)
        .replace("exporters: [sqlite]", "exporters: [sqlite, otlp_grpc]");
    let lanner = Lanner::start(&config);
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    for round in 0..30 {
        let asked = Instant::now();
        assert!(post(port, &alerts(round * BATCH)), "alerts {round}");
        assert!(asked.elapsed() < HOLD, "alerts {round}: {:?}", asked.elapsed());
    }
    sink.wait_for(30 * BATCH);
    let there: i64 = ask(&path, "SELECT count(*) FROM events");
    assert_eq!(there, 0);
    holder.execute_batch("COMMIT").unwrap();
    wait::until("the database has every alert", Duration::from_secs(60), || {
        (ask::<i64>(&path, "SELECT count(*) FROM events") == 30 * BATCH as i64).then_some(())
    });
    let ledger = lanner.stop();
    assert_eq!(ledger.row("logs -> sqlite").delivered, 30 * BATCH as u64);
    assert_eq!(ledger.row("logs -> otlp_grpc").delivered, 30 * BATCH as u64);
}

/// Ends the senders.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}
