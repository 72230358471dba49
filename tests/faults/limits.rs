//! The program with little memory (D20), and with next to no rights (S19).

use crate::{
    long,
    rig::{Rig, START},
    support::{
        connection::Connection,
        curl,
        fault_proxy::{Fault, FaultProxy},
        lanner::{Lanner, TempDir, binary},
        load::{Door, Sender},
        oracle::{Books, Oracle},
        oracle_sink::OracleSink,
        surroundings::Surroundings,
        wait,
    },
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

const ARRIVAL: Duration = Duration::from_secs(120);
/// What the control group allows, in bytes.
const MEMORY: u64 = 256 << 20;
/// What the process may have of it, in KiB.
const RESIDENT: u64 = 200 << 10;
/// Threads that the control group allows.
const THREADS: u32 = 128;

/// Alerts of a request.
const TOGETHER: u64 = 100;
/// One alert in so many is critical.
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
        let numbers: Vec<u64> = (0..TOGETHER).map(|_| oracle.issue()).collect();
        let body: Vec<u8> = numbers.iter().flat_map(|number| alert(oracle, *number)).collect();
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
            Ok(200) => numbers.iter().for_each(|number| oracle.acknowledged(*number)),
            Ok(_) => numbers.iter().for_each(|_| oracle.refused()),
            Err(_) => numbers.iter().for_each(|_| oracle.unanswered()),
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
    println!("{offered} offered in {took:.0?}, {arrived} delivered meanwhile, at most {} MiB; {rest}", peak >> 10);
    assert!(offered > 2 * arrived, "twice what the sinks take");
    assert!(peak < RESIDENT, "{peak} KiB");
    assert!([&critical, &rest].iter().all(|verdict| verdict.corrupt.is_empty() && verdict.spurious.is_empty()));
    assert!(books[0].order().into_iter().all(is_critical) && !books[1].order().into_iter().any(is_critical));
    let lost = critical.missing.iter().filter(|number| is_critical(**number)).count();
    assert_eq!(lost, 0, "critical alerts that were taken are missing");
    let shed = rest.missing.iter().filter(|number| !is_critical(**number)).count() as u64;
    assert_eq!((shed, rest.unanswered), (dropped, 0), "what is missing was counted");
    let row = ledger.row("logs/critical -> otlp_grpc/critical");
    assert_eq!((row.delivered, row.rejected), (row.accepted, 0), "{}", row.text);
    let row = ledger.row("logs/rest -> otlp_grpc/rest");
    assert_eq!((row.delivered, row.rejected), (books[1].count(), dropped), "{}", row.text);
}

/// Ends the senders, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Lays out a read-only world in which only the folder `STATE` can be written, and becomes a user without any rights.
const HARDENED: &str = r#"
mount --bind "$STATE" "$STATE"
awk '$5 != ENVIRON["STATE"] { print $5 }' /proc/self/mountinfo | while read -r place; do
    mount -o remount,bind,ro "$place" 2>/dev/null || true
done
set -- setpriv --reuid 65532 --regid 65532 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"#;

/// Scenario: S19: the program runs with a read-only world around its state folder, as uid 65532, without capabilities or a way
/// to new ones, in 256 MiB and 128 threads; alerts, an outage of the sink, a kill, a start, a stop.
/// Guarantee: all of that works, nothing outside the state folder can be written, and the books close.
#[test]
fn s19_hardened_run() {
    let dir = TempDir::new();
    let (place, program) = (dir.path().join("place"), dir.path().join("lanner"));
    fs::create_dir(&place).unwrap();
    chown(&place, Some(65532), Some(65532)).unwrap_or(());
    // Where the build is may not be open to that user.
    fs::copy(binary(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let surroundings =
        Surroundings::new(HARDENED, vec![("STATE", place.display().to_string())]).limited(MEMORY, THREADS);
    if !surroundings.available() {
        return;
    }
    let (oracle, books, port) = (Oracle::new(300), Books::default(), wait::free_port());
    let rig = Rig::at(&place.join("state"), Door::Falco, &[port]);
    let start = || {
        let mut lanner = Lanner::spawn_with(&rig.config(), surroundings.command(&program));
        lanner.ready(START).unwrap_or_else(|status| panic!("ended with {status}:\n{}", lanner.stderr()));
        lanner
    };
    let lanner = start();
    let status = fs::read_to_string(format!("/proc/{}/status", lanner.pid())).unwrap();
    let says = |name: &str, value: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.split_whitespace().skip(1).all(|word| word == value), "{line}");
    };
    says("Uid:", "65532");
    says("Gid:", "65532");
    says("NoNewPrivs:", "1");
    ["CapEff:", "CapPrm:", "CapBnd:", "CapInh:"].iter().for_each(|name| says(name, "0000000000000000"));
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", lanner.pid())).unwrap();
    // Of mounts on top of each other only the last one can be seen.
    let places: BTreeMap<&str, bool> = (mounts.lines())
        .filter_map(|line| {
            let mut words = line.split(' ').skip(4);
            Some((words.next()?, words.next()?.split(',').any(|option| option == "rw")))
        })
        .collect();
    let writable: Vec<&str> = places.into_iter().filter_map(|(place, writable)| writable.then_some(place)).collect();
    assert_eq!(writable, [place.to_str().unwrap()]);

    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    let mut send = || {
        for _ in 0..200 {
            sender.send_until_taken(ARRIVAL);
        }
    };
    send();
    assert_eq!(curl::get(&format!("http://localhost:{}/status", rig.health), &[]).0, 200);
    lanner.kill();
    let lanner = start();
    let sink = OracleSink::listen(port, &oracle, &books);
    send();
    oracle.wait_for(&books, ARRIVAL);
    let (peak, requests) = (lanner.peak_rss_kib(), sink.requests());
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc/0");
    assert_eq!((row.queued, row.rejected), (0, 0), "{}", row.text);
    let verdict = oracle.judge(&books);
    println!("{requests} requests, at most {} MiB: {verdict}", peak >> 10);
    verdict.assert_clean();
    assert_eq!(verdict.acknowledged, 400);
}
