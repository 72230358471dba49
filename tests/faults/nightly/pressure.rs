//! Little memory and more alerts than the sinks take (D20).

use crate::{
    long,
    rig::START,
    support::{
        connection::Connection,
        fault_proxy::{Fault, FaultProxy},
        lanner::{Lanner, TempDir, binary},
        load::Door,
        oracle::{Books, Oracle},
        oracle_sink::OracleSink,
        surroundings::Surroundings,
        wait,
    },
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

const ARRIVAL: Duration = Duration::from_secs(120);
/// What the control group allows, in bytes.
const MEMORY: u64 = 256 << 20;
/// What the process may have of it, in KiB.
const RESIDENT: u64 = 200 << 10;

/// Alerts of a request.
const TOGETHER: u64 = 100;
/// One alert in so many is critical, in every request.
const CRITICAL: u64 = 10;
/// Requests in flight at once.
const SENDERS: usize = 8;

fn is_critical(number: u64) -> bool {
    number.is_multiple_of(CRITICAL)
}

/// Sends requests of mixed alerts, one at a time.
fn storm(port: u16, oracle: &Oracle, over: &AtomicBool) {
    let mut connection = None;
    while !over.load(SeqCst) {
        let numbers = oracle.issue_together(TOGETHER);
        let body: Vec<u8> = numbers.clone().flat_map(|number| alert(oracle, number)).collect();
        let answer = match connection.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(port),
        };
        let answer = answer.and_then(|mut open| {
            let status = Door::Falco.post(&mut open, &body)?;
            connection = Some(open);
            Ok(status)
        });
        match answer {
            Ok(200) => numbers.for_each(|number| oracle.acknowledged(number)),
            Ok(_) => numbers.for_each(|_| oracle.refused()),
            Err(_) => numbers.for_each(|_| oracle.unanswered()),
        }
    }
}

fn alert(oracle: &Oracle, number: u64) -> Vec<u8> {
    let priority = if is_critical(number) { "Critical" } else { "Debug" };
    let text = String::from_utf8(Door::Falco.body(oracle, number)).unwrap();
    (text.replacen("\"Error\"", &format!("\"{priority}\""), 1) + "\n").into_bytes()
}

fn overloaded(state: &Path, ports: [u16; 2], sinks: [u16; 2]) -> String {
    let ([port, metrics], [critical, rest]) = (ports, sinks);
    let exporter = |name: &str, sink: u16, on_full: &str| {
        format!(
            "otlp_grpc/{name}: {{endpoint: 'localhost:{sink}', tls: {{insecure: true}}, timeout: 30s, sending_queue: {{storage: file_storage, on_full: {on_full}, num_consumers: 2, batch: {{flush_timeout: 10ms, min_size: 1, max_size: 100}}}}}}"
        )
    };
    format!(
        "extensions: {{file_storage: {{directory: '{}', queues: {{max_size_mib: 8}}}}}}
receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
connectors:
  routing: {{table: [{{condition: priority >= critical, pipelines: [logs/critical]}}], default_pipelines: [logs/rest]}}
exporters:
  {}
  {}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {metrics}}}}}}}}}]}}}}
  pipelines:
    logs/in: {{receivers: [falco_http], exporters: [routing]}}
    logs/critical: {{receivers: [routing], exporters: [otlp_grpc/critical]}}
    logs/rest: {{receivers: [routing], exporters: [otlp_grpc/rest]}}
",
        state.display(),
        exporter("critical", critical, "hold"),
        exporter("rest", rest, "drop_oldest"),
    )
}

/// Scenario: D20: in 256 MiB, more alerts come than twice what the sinks take, until the queues on disk are full and for a
/// while (in the long form, two minutes) longer; critical ones are routed to a queue that holds, others to one that drops the
/// oldest.
/// Guarantee: the process stays below 200 MiB; every critical alert that was taken arrives, and what is shed is of the others
/// only and counted to the last one.
#[test]
fn d20_memory_pressure() {
    let surroundings = Surroundings::new("", Vec::new()).limited(MEMORY, 1024);
    if !surroundings.available() {
        return;
    }
    let (dir, oracle, books) = (TempDir::new(), Oracle::new(300), [Books::default(), Books::default()]);
    let sinks = books.each_ref().map(|books| OracleSink::listen(0, &oracle, books));
    let slow = sinks.each_ref().map(|sink| FaultProxy::before(sink.port));
    let [port, metrics] = [wait::free_port(), wait::free_port()];
    let config = overloaded(&dir.path().join("state"), [port, metrics], slow.each_ref().map(|proxy| proxy.port));
    let mut lanner = Lanner::spawn_with(&config, surroundings.command(&binary()));
    lanner.ready(START).unwrap_or_else(|status| panic!("ended with {status}:\n{}", lanner.stderr()));
    let page = format!("http://localhost:{metrics}/metrics");
    let shed = || Lanner::metric(&page, "lanner_pipeline_rejected_items", "dropped_oldest");
    slow.iter().for_each(|proxy| proxy.set(Fault::Delay(Duration::from_millis(100))));

    let (start, over) = (Instant::now(), AtomicBool::new(false));
    let more = Duration::from_secs(if long() { 120 } else { 3 });
    let delivered = || books.iter().map(Books::count).sum::<u64>();
    let (offered, arrived) = std::thread::scope(|scope| {
        let _over = Over(&over);
        (0..SENDERS).for_each(|_| drop(scope.spawn(|| storm(port, &oracle, &over))));
        wait::until("something is shed", ARRIVAL, || (shed() > 0.0).then_some(()));
        let end = Instant::now() + more;
        wait::until("it was shed for a while", more + ARRIVAL, || (Instant::now() >= end).then_some(()));
        (oracle.issued(), delivered())
    });
    let took = start.elapsed();
    slow.iter().for_each(|proxy| proxy.set(Fault::None));
    wait::until("the queues are empty", ARRIVAL, || {
        (Lanner::metric(&page, "lanner_pipeline_queued_items", "") == 0.0).then_some(())
    });
    assert!(lanner.is_running());
    let (peak, dropped) = (lanner.peak_rss_kib(), shed() as u64);
    let ledger = lanner.stop();

    let [critical, rest] = books.each_ref().map(|books| oracle.judge(books));
    println!("{offered} offered in {took:.0?}, {arrived} delivered meanwhile, at most {} MiB", peak >> 10);
    println!("critical: {} arrived; others: {} arrived, {dropped} shed; {rest}", books[0].count(), books[1].count());
    assert!(offered > 2 * arrived, "twice what the sinks take");
    assert!(peak < RESIDENT, "{peak} KiB");
    assert!([&critical, &rest].iter().all(|verdict| verdict.corrupt.is_empty() && verdict.spurious.is_empty()));
    assert!(books[0].order().into_iter().all(is_critical) && !books[1].order().into_iter().any(is_critical));
    let lost = critical.missing.iter().filter(|number| is_critical(**number)).count();
    assert_eq!(lost, 0, "critical alerts that were taken are missing");
    let urgent = ledger.row("logs/critical -> otlp_grpc/critical");
    assert_eq!((urgent.delivered, urgent.rejected), (urgent.accepted, 0), "{}", urgent.text);
    assert_eq!(urgent.delivered, books[0].count(), "{}", urgent.text);
    let other = ledger.row("logs/rest -> otlp_grpc/rest");
    assert_eq!((other.delivered, other.rejected), (books[1].count(), dropped), "{}", other.text);
    // A request that was refused because it had waited for too long may have been written all the same, but as a whole.
    let taken = rest.acknowledged / CRITICAL;
    let late = urgent.accepted.checked_sub(taken).unwrap();
    assert_eq!(other.accepted, (taken + late) * (CRITICAL - 1), "{}, {}", urgent.text, other.text);
    assert!(late * CRITICAL <= rest.refused && rest.unanswered == 0, "{rest}");
    if late == 0 {
        let shed = rest.missing.iter().filter(|number| !is_critical(**number)).count() as u64;
        assert_eq!(shed, dropped, "what is missing was counted");
    }
}

/// Ends the senders, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}
