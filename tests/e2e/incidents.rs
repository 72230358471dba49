//! An attack through the pipeline that users take, to an OTLP sink, with a kill in the middle.

use crate::support::{
    curl,
    lanner::{Lanner, TempDir},
    otlp_sink::{OtlpSink, Received},
    wait,
};
use lanner_proto::trace::v1::Span;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

const FALCO: &str = include_str!("../../connectors/incidents/testdata/attack.falco.jsonl");
const AUDIT: &str = include_str!("../../connectors/incidents/testdata/attack.audit.jsonl");

/// Runs `pipelines/incidents.yaml` with other addresses, and incidents that end after this quiet.
fn start(ports: (u16, u16), sink: &OtlpSink, state: &Path, quiet: &str) -> Lanner {
    let pipeline = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/incidents.yaml");
    let sets = [
        format!("receivers.falco_http.endpoint=localhost:{}", ports.0),
        format!("receivers.k8s_audit.endpoint=localhost:{}", ports.1),
        format!("exporters.otlp_grpc.endpoint={}", sink.endpoint()),
        format!("extensions.file_storage.directory={}", state.display()),
        format!("connectors.incidents.quiet={quiet}"),
        "service.telemetry.metrics.level=none".to_owned(),
    ];
    let mut args = vec!["run", "--config", pipeline];
    for set in &sets {
        args.extend(["--set", set]);
    }
    Lanner::start_with(TempDir::new(), &args)
}

/// Longer than any start.
const LONG: &str = "5m";

/// Scenario: exec into a pod, a shell; Lanner is killed with SIGKILL right after its answers and started again; the shell's
/// alert is sent once more, then a sensitive file is read and something connects to the outside. It is stopped and started
/// with a quiet of a second, because in one that holds all the time a slow start would end the attack.
/// Guarantee: the sink has one trace, process below process below the exec below the incident; each of the four events
/// has arrived, once by its id, with the ids of a span of that trace; the incident was opened and closed once.
#[test]
fn an_attack_with_a_kill_in_it_is_one_trace() {
    let (ports, sink, state) = ((wait::free_port(), wait::free_port()), OtlpSink::start(), TempDir::new());
    let alerts: Vec<&str> = FALCO.lines().collect();
    let falco = |line: &str| {
        let (status, answer) = curl::post(&format!("http://localhost:{}/", ports.0), line.as_bytes(), &[]);
        assert_eq!(status, 200, "{answer}");
    };
    let mut lanner = start(ports, &sink, state.path(), LONG);
    let (status, answer) = curl::post(&format!("http://localhost:{}/k8s-audit", ports.1), AUDIT.as_bytes(), &[]);
    assert_eq!(status, 200, "{answer}");
    falco(alerts[0]);
    lanner.signal("KILL");
    lanner.wait(Duration::from_secs(10));
    let lanner = start(ports, &sink, state.path(), LONG);
    alerts.iter().for_each(|line| falco(line));
    lanner.stop().row("logs/in -> incidents");
    assert!(sink.spans().iter().all(|span| span.name != "security.incident"), "the attack goes on over the stop");
    let lanner = start(ports, &sink, state.path(), "1s");
    let spans = wait::until("the incident ends", Duration::from_secs(60), || {
        let spans = sink.spans();
        spans.iter().any(|span| span.name == "security.incident").then_some(spans)
    });
    let ledger = lanner.stop();
    ledger.row("logs/in -> incidents");

    let traces: BTreeSet<&[u8]> = spans.iter().map(|span| span.trace_id.as_slice()).collect();
    assert_eq!(traces.len(), 1);
    let named: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    assert_eq!(named.len(), spans.len());
    let above = |name: &str| {
        let parent = &named[name].parent_span_id;
        spans.iter().find(|span| span.span_id == *parent).map_or("nothing", |span| span.name.as_str())
    };
    assert_eq!(above("security.incident"), "nothing");
    assert_eq!(above("k8s.audit pods/exec"), "security.incident");
    assert_eq!(above("process bash"), "k8s.audit pods/exec");
    assert_eq!(above("process cat"), "process bash");
    assert_eq!(above("process curl"), "process bash");

    let received = sink.received();
    let is_report = |record: &&Received| record.record.event_name == "lanner.incident";
    let mut events: BTreeMap<&str, &str> = BTreeMap::new();
    for record in received.iter().filter(|record| !is_report(record)) {
        let ids = (&record.record.trace_id, &record.record.span_id);
        let span = spans.iter().find(|span| (&span.trace_id, &span.span_id) == ids).expect("its span is there");
        let before = events.insert(record.text("log.record.uid"), &span.name);
        assert!(before.is_none_or(|before| before == span.name), "what comes again has the same ids");
    }
    let mut of: Vec<&str> = events.into_values().collect();
    of.sort_unstable();
    assert_eq!(of, ["k8s.audit pods/exec", "process bash", "process cat", "process curl"]);
    let reports: BTreeSet<(&str, &str)> = received
        .iter()
        .filter(is_report)
        .map(|record| (record.text("lanner.incident.state"), record.text("log.record.uid")))
        .collect();
    assert_eq!(reports.iter().map(|(state, _)| *state).collect::<Vec<_>>(), ["closed", "opened"]);
}
