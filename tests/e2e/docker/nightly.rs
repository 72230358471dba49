//! Kills of the reader of container logs (C2): `make test-faults` runs it, and `make test` leaves it out.

use crate::support::{
    dockerd::Dockerd,
    lanner::{Lanner, TempDir},
    otlp_sink::{OtlpSink, Received},
    wait,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

/// Long enough for a daemon on a busy machine.
const LONG: Duration = Duration::from_secs(300);
/// Lines that a container prints at once, ten times a second.
const PORTION: usize = 50;

/// Containers, portions of each, and kills: more with `LANNER_FAULTS=long`.
fn size() -> (usize, usize, usize) {
    if std::env::var("LANNER_FAULTS").is_ok_and(|text| text == "long") { (20, 60, 8) } else { (4, 40, 3) }
}

/// A line of a container: one in ten has 40 KiB, two in ten are equal.
fn line(container: usize, number: usize) -> String {
    match number % 10 {
        0 => format!("{container} {number} {}", "long ".repeat(8 << 10)),
        1 | 2 => "same".to_owned(),
        _ => format!("{container} {number}"),
    }
}

/// Starts the containers, which print their lines and stay.
fn print_lines(daemon: &Dockerd, containers: usize, portions: usize) {
    for container in 0..containers {
        let folder = daemon.dir().join(format!("c2-{container}"));
        fs::create_dir_all(&folder).unwrap();
        for portion in 0..portions {
            let numbers = portion * PORTION..(portion + 1) * PORTION;
            let text: String = numbers.map(|number| line(container, number) + "\n").collect();
            fs::write(folder.join(format!("{portion:04}")), text).unwrap();
        }
        let mount = format!("{}:/lines:ro", folder.display());
        let command = "for portion in /lines/*; do cat $portion; sleep 0.1; done; exec sleep 600";
        daemon.run(&format!("c2-{container}"), &["--volume", &mount], command);
    }
}

fn followed(daemon: &Dockerd, state: &Path, sink: &OtlpSink) -> String {
    format!(
        "extensions: {{file_storage: {{directory: '{}', queues: {{max_size_mib: 256}}}}}}
receivers:
  docker_logs: {{endpoint: '{}', include: {{names: ['c2-*']}}, start_at: beginning, non_json: keep, storage: file_storage}}
exporters:
  otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}, sending_queue: {{storage: file_storage, num_consumers: 1}}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [docker_logs], exporters: [otlp_grpc]}}}}
",
        state.display(),
        daemon.host(),
        sink.endpoint()
    )
}

/// By the id of each record, in the order in which they came first.
fn distinct(received: &[Received]) -> Vec<&Received> {
    let mut seen = BTreeSet::new();
    received.iter().filter(|record| seen.insert(record.text("log.record.uid"))).collect()
}

/// Scenario: C2: containers print lines without a pause, some of 40 KiB and some equal, while Lanner is killed with SIGKILL
/// and started again, several times.
/// Guarantee: every line arrives, whole, under an id of its own, in the order of its container; what comes again has its id.
#[test]
fn c2_kills_of_the_reader() {
    let Some(daemon) = Dockerd::shared() else { return };
    let ((containers, portions, kills), state, sink) = (size(), TempDir::new(), OtlpSink::start());
    let config = followed(&daemon, &state.path().join("state"), &sink);
    let (each, all) = (portions * PORTION, containers * portions * PORTION);
    // Only what is new is looked at, so that looking does not hold up the sink.
    let mut known = (0, BTreeSet::new());
    let mut arrived = || {
        let (looked, ids) = &mut known;
        sink.look(|received| {
            ids.extend(received[*looked..].iter().map(|record| record.text("log.record.uid").to_owned()));
            *looked = received.len();
        });
        ids.len()
    };
    let mut lanner = Lanner::start(&config);
    print_lines(&daemon, containers, portions);
    for kill in 1..=kills {
        let share = all * kill / (kills + 1);
        wait::until("a share of the lines arrives", LONG, || (arrived() >= share).then_some(()));
        lanner.kill();
        lanner = Lanner::start(&config);
    }
    wait::until("all lines arrive", LONG, || (arrived() >= all).then_some(()));
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert_eq!((row.queued, row.rejected), (0, 0), "{}", row.text);
    let received = sink.received();
    let mut came: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for record in distinct(&received) {
        came.entry(container(record)).or_default().push(record.body());
    }
    println!("{kills} kills, {all} lines of {containers} containers, {} came again", received.len() - all);
    assert_eq!(came.len(), containers);
    for (name, lines) in came {
        let number: usize = name.rsplit('-').next().unwrap().parse().unwrap();
        let expected: Vec<String> = (0..each).map(|index| line(number, index)).collect();
        // Equal lines have no place in the order, only a number.
        let numbered = |line: &&str| *line != "same";
        let place: Vec<&str> = lines.iter().copied().filter(numbered).collect();
        let wanted: Vec<&str> = expected.iter().map(String::as_str).filter(numbered).collect();
        let wrong = place.iter().zip(&wanted).find(|(came, wanted)| came != wanted);
        let wrong = wrong.map(|(came, wanted)| (came.len(), came.get(..20), wanted.len(), wanted.get(..20)));
        assert!(
            place == wanted,
            "{name}: each once and in order: {} instead of {}, {wrong:?}",
            place.len(),
            wanted.len()
        );
        assert_eq!(lines.len(), each, "{name}");
    }
    (0..containers).for_each(|number| drop(daemon.docker(&["rm", "--force", &format!("c2-{number}")])));
}

fn container(record: &Received) -> &str {
    use lanner_proto::common::v1::any_value::Value;
    match record.resource.get("container.name") {
        Some(Value::StringValue(name)) => name,
        other => panic!("container.name is {other:?}"),
    }
}
