mod files;
mod keeping;
mod rows;
mod trouble;

use super::{
    Sqlite,
    cells::Cells,
    config::{Config, Plan},
    store::{Content, Store},
};
use crate::testing::{Scratch, build_cx, counted};
use lanner_engine::{
    prelude::*,
    stage::{Clock, Now},
    testing::{log, planning},
};
use rusqlite::{Connection, types::FromSql};
use serde_json::{Value as Json, json};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

/// 2026-11-22T00:00:00Z, in nanoseconds.
const TODAY: u64 = 1_795_305_600_000_000_000;
const HOUR: u64 = 3_600_000_000_000;

fn plan(config: Json) -> Option<Plan> {
    let config: Config = serde_json::from_value(config).unwrap();
    planning(|cx| Sqlite::plan(config, cx)).0
}

/// Both clocks, moved by hand.
#[derive(Clone, Default)]
struct Hands {
    unix: Arc<AtomicU64>,
    monotonic: Arc<AtomicU64>,
}

impl Hands {
    fn at(unix: u64) -> Self {
        let hands = Self::default();
        hands.unix.store(unix, SeqCst);
        hands
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::from_fn(move || Now { unix: hands.unix.load(SeqCst), monotonic: hands.monotonic.load(SeqCst) })
    }

    fn pass(&self, nanos: u64) {
        self.unix.fetch_add(nanos, SeqCst);
        self.monotonic.fetch_add(nanos, SeqCst);
    }

    /// Moves the wall clock alone.
    fn jump(&self, nanos: i64) {
        self.unix.fetch_add(nanos.cast_unsigned(), SeqCst);
    }
}

/// A database of a test.
struct Db {
    scratch: Scratch,
    cx: BuildCx,
    hands: Hands,
}

impl Db {
    fn new() -> Self {
        Self { scratch: Scratch::new(), cx: build_cx(), hands: Hands::at(TODAY) }
    }

    fn path(&self) -> PathBuf {
        self.scratch.path().join("events.db")
    }

    fn plan(&self, more: Json) -> Plan {
        let mut config = json!({"path": self.path(), "busy_timeout": "10ms", "synchronous": "normal"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        plan(config).unwrap()
    }

    /// The writer, as the exporter has it.
    fn store(&self, more: Json) -> Store {
        Store::open(self.plan(more), self.hands.clock(), Cells::new(&self.cx)).unwrap()
    }

    /// Another program that looks at the database.
    fn reader(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// The one value of a query.
    fn ask<T: FromSql>(&self, query: &str) -> T {
        self.reader().query_row(query, [], |row| row.get(0)).unwrap()
    }

    fn counted(&self, name: &str) -> i64 {
        counted(&self.cx, name)
    }
}

/// Writes as one request.
fn write(store: &mut Store, logs: &Logs) -> Outcome {
    store.write(&Content::Logs(logs), 1000)
}

/// Alerts numbered from `from`, of a container and a rule each out of five, with texts of `bytes` bytes.
fn numbered(from: usize, count: usize, bytes: usize) -> Logs {
    let resource = |number: usize| {
        let id = format!("c0c0c0c0c0{:02x}{:052x}", number % 5, number % 5);
        let attrs = [("container.id".into(), Value::text(id)), ("host.name".into(), "node-1".into())];
        Arc::new(Resource { attrs: attrs.into_iter().collect(), ..Resource::default() })
    };
    let mut logs = Logs::default();
    for number in from..from + count {
        let priority = Priority::ALL[number % 8];
        let mut record = log()
            .event_name("falco.alert")
            .priority(priority)
            .body("x".repeat(bytes))
            .attr("log.record.uid", format!("uid-{number}"))
            .attr("security_rule.name", format!("rule {}", number % 5))
            .attr("falco.priority", priority.lower())
            .attr("falco.tags", Value::Array(vec!["shell".into(), "T1059".into()]))
            .build();
        record.time_unix_nano = TODAY + number as u64;
        record.observed_time_unix_nano = TODAY + number as u64;
        logs.push(resource(number), Arc::default(), record);
    }
    logs
}

/// Queries that give a number of rows that do not agree with the events; 0 for a sound database.
const DISAGREEMENTS: [(&str, &str); 3] = [
    (
        "containers",
        "SELECT count(*) FROM (
           SELECT container_id AS id, count(*) AS events, sum(alerts) AS alerts,
             sum(alerts * (priority IS 'warning')) AS warning, sum(alerts * (priority IS 'critical')) AS critical,
             sum(alerts * (priority IS NULL)) AS unspecified, max(id) AS last_event
           FROM events WHERE container_id IS NOT NULL AND event_name IS NOT 'lanner.incident' GROUP BY container_id
         ) AS said FULL JOIN containers AS kept ON kept.id = said.id
         WHERE (said.events, said.alerts, said.warning, said.critical, said.unspecified, said.last_event)
           IS NOT (kept.events, kept.alerts, kept.warning, kept.critical, kept.unspecified, kept.last_event)",
    ),
    (
        "profile",
        "SELECT count(*) FROM (
           SELECT coalesce(rule, '') AS rule, sum(alerts) AS alerts, max(id) AS last_event FROM events WHERE alerts > 0 GROUP BY 1
         ) AS said FULL JOIN (
           SELECT rule, sum(alerts) AS alerts, max(last_event) AS last_event FROM profile GROUP BY rule
         ) AS kept ON kept.rule = said.rule
         WHERE (said.alerts, said.last_event) IS NOT (kept.alerts, kept.last_event)",
    ),
    ("terms", "SELECT count(*) FROM event_terms WHERE event_id NOT IN (SELECT id FROM events)"),
];

/// The file is whole, and what is counted agrees with the events.
fn assert_sound(db: &Db) {
    assert_eq!(db.ask::<String>("PRAGMA integrity_check"), "ok");
    for (what, query) in DISAGREEMENTS {
        assert_eq!(db.ask::<i64>(query), 0, "{what}");
    }
}
