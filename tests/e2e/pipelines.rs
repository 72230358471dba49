//! The ready-made pipelines that have no test of their own elsewhere, each run as it is but for its addresses.

use crate::{
    falco_http::assert_alerts,
    support::{
        alertmanager::AlertmanagerServer,
        curl, data,
        dockerd::Dockerd,
        lanner::{Lanner, TempDir},
        otlp_sink::OtlpSink,
        scraped::Prometheus,
        wait,
    },
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// Runs a file of `pipelines/` with its state in a folder of its own and these keys changed.
fn start(name: &str, sets: &[String]) -> Lanner {
    let dir = TempDir::new();
    let pipeline = format!("{}/pipelines/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![
        format!("extensions.file_storage.directory={}", dir.path().join("state").display()),
        format!("extensions.health_check.endpoint=localhost:{}", wait::free_port()),
        "service.telemetry.metrics.level=none".to_owned(),
    ];
    all.extend_from_slice(sets);
    let mut args = vec!["run", "--config", &pipeline];
    all.iter().for_each(|set| args.extend(["--set", set]));
    Lanner::start_with(dir, &args)
}

fn alert(rule: &str, priority: &str, number: usize) -> String {
    json!({
        "rule": rule, "priority": priority, "time": format!("2026-01-01T00:00:00.{number:09}Z"),
        "output": format!("{rule} {number}"), "source": "syscall", "hostname": "node-1",
        "output_fields": {"k8s.ns.name": "shop", "k8s.pod.name": "cart-1"}, "tags": ["container", "T1059"],
    })
    .to_string()
}

fn post(port: u16, path: &str, body: &str) {
    let (status, answer) = curl::post(&format!("http://localhost:{port}{path}"), body.as_bytes(), &[]);
    assert_eq!(status, 200, "{answer}");
}

/// Scenario: `falco-docker.yaml`; a container named falco prints every alert of the sample data.
/// Guarantee: each is once at the OTLP sink and in the database, and a real Prometheus counts alerts.
#[test]
fn falco_docker() {
    let Some(path) = data::path("dev/falco_alerts.jsonl") else { return };
    let alerts = data::lines("dev/falco_alerts.jsonl").unwrap_or_default();
    let Some(daemon) = Dockerd::shared() else { return };
    let (sink, scraped) = (OtlpSink::start(), wait::free_port());
    let Some(prometheus) = Prometheus::scraping(scraped) else { return };
    let db = TempDir::new();
    let file = db.path().join("made/events.db");
    let lanner = start(
        "falco-docker.yaml",
        &[
            format!("receivers.docker_logs.endpoint={}", daemon.host()),
            "receivers.docker_logs.include.names=['falco-pipeline*']".to_owned(),
            format!("exporters.otlp_grpc.endpoint={}", sink.endpoint()),
            format!("exporters.sqlite.path={}", file.display()),
            format!("exporters.prometheus.endpoint=localhost:{scraped}"),
        ],
    );
    let mount = format!("{}:/alerts.jsonl:ro", path.canonicalize().unwrap().display());
    daemon.run("falco-pipeline", &["--volume", &mount], "cat /alerts.jsonl; exec sleep 600");
    let received = sink.wait_for(alerts.len());
    assert_alerts(&alerts, &received);
    let counted = wait::until("alerts are counted", Duration::from_secs(60), || {
        Some(prometheus.query("sum(falco_alerts_total)")).filter(|sum| *sum > 0.0)
    });
    assert!(counted <= alerts.len() as f64, "{counted}");
    let ledger = lanner.stop();
    for exporter in ["otlp_grpc", "sqlite"] {
        assert_eq!(ledger.row(&format!("logs -> {exporter}")).delivered, alerts.len() as u64, "{exporter}");
    }
    let ids: std::collections::BTreeSet<&str> = received.iter().map(|found| found.text("log.record.uid")).collect();
    let connection = Connection::open(&file).unwrap();
    let stored: i64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, ids.len() as i64);
}

/// Scenario: `falco-gateway.yaml`, with no old Falco at its socket; 20 alerts over HTTP, one of them urgent; the
/// OTLP backend is away at first.
/// Guarantee: each is once at the backend when it is back, and the urgent one fires in a real Alertmanager.
#[test]
fn falco_gateway() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(alertmanager) = runtime.block_on(AlertmanagerServer::start()) else { return };
    let (port, sink_port, dir) = (wait::free_port(), wait::free_port(), TempDir::new());
    let lanner = start(
        "falco-gateway.yaml",
        &[
            format!("receivers.falco_http.endpoint=localhost:{port}"),
            format!("receivers.falco_grpc.endpoint=unix://{}/falco.sock", dir.path().display()),
            format!("exporters.otlp_grpc.endpoint=localhost:{sink_port}"),
            "exporters.otlp_grpc.retry_on_failure.initial_interval=100ms".to_owned(),
            "exporters.otlp_grpc.retry_on_failure.max_interval=500ms".to_owned(),
            format!("exporters.alertmanager.endpoints=['http://{}']", alertmanager.address),
        ],
    );
    (0..19).for_each(|number| post(port, "/", &alert("Read of a file", "Notice", number)));
    post(port, "/", &alert("Shell in a container", "Critical", 19));
    let firing = runtime.block_on(alertmanager.alerts("the urgent alert", |alerts| !alerts.is_empty()));
    let names: Vec<_> = firing.iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap()).collect();
    assert_eq!(names, ["Shell in a container"]);
    let sink = OtlpSink::listen(sink_port);
    sink.wait_for(20);
    let ledger = lanner.stop();
    assert_eq!(ledger.row("logs -> otlp_grpc").delivered, 20);
    let urgent = ledger.row("logs/urgent -> alertmanager");
    assert_eq!((urgent.delivered, urgent.discarded), (1, 19), "{}", urgent.text);
    assert_eq!(sink.received().len(), 20, "nothing came twice");
}

/// Scenario: `k8s-audit.yaml`; every audit event of the sample data in one request, and an exec into a pod.
/// Guarantee: every event is at the OTLP sink once, and an alert joins the exec.
#[test]
fn k8s_audit() {
    let Some(lines) = data::lines("dev/k8s_audit_events.jsonl") else { return };
    let (sink, port) = (OtlpSink::start(), wait::free_port());
    let lanner = start(
        "k8s-audit.yaml",
        &[
            format!("receivers.k8s_audit.endpoint=localhost:{port}"),
            format!("exporters.otlp_grpc.endpoint={}", sink.endpoint()),
            format!("exporters.prometheus.endpoint=localhost:{}", wait::free_port()),
        ],
    );
    let exec = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "e1", "stage": "ResponseComplete", "verb": "create",
        "user": {"username": "jane"}, "responseStatus": {"code": 101},
        "requestURI": "/api/v1/namespaces/shop/pods/cart-1/exec?command=sh",
        "objectRef": {"resource": "pods", "subresource": "exec", "name": "cart-1", "namespace": "shop", "apiVersion": "v1"},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z", "stageTimestamp": "2026-01-01T00:00:00.100000Z",
    });
    let list = format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{},{exec}]}}"#, lines.join(","));
    post(port, "/k8s-audit/prod", &list);
    let is = |name: &'static str| move |found: &&crate::support::otlp_sink::Received| found.record.event_name == name;
    wait::until("every event, and an alert that tells of the exec, arrives", Duration::from_secs(60), || {
        let received = sink.received();
        let of_exec = received.iter().filter(is("falco.alert")).any(|found| {
            let holds = |key: &str, text: &str| format!("{:?}", found.attributes.get(key)).contains(text);
            holds("k8s.audit.event.id", "e1") && holds("falco.source", "k8s_audit")
        });
        (of_exec && received.iter().filter(is("k8s.audit.event")).count() > lines.len()).then_some(())
    });
    lanner.stop();
    assert_eq!(sink.received().iter().filter(is("k8s.audit.event")).count(), lines.len() + 1, "nothing came twice");
}

/// Scenario: `behind-collector.yaml`; over OTLP/HTTP a line that is Falco's JSON, a plain line, and a span.
/// Guarantee: the first arrives as an alert with its rule, the second as it was, and so does the span.
#[test]
fn behind_collector() {
    let (sink, grpc, http) = (OtlpSink::start(), wait::free_port(), wait::free_port());
    let lanner = start(
        "behind-collector.yaml",
        &[
            format!("receivers.otlp.protocols.grpc.endpoint=localhost:{grpc}"),
            format!("receivers.otlp.protocols.http.endpoint=localhost:{http}"),
            format!("exporters.otlp_grpc.endpoint={}", sink.endpoint()),
            "exporters.otlp_grpc.compression=gzip".to_owned(),
            format!("exporters.prometheus.endpoint=localhost:{}", wait::free_port()),
        ],
    );
    let body = |text: &str| json!({"body": {"stringValue": text}});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        body(&alert("Shell in a container", "Critical", 1)), body("a plain line"),
    ]}]}]});
    post(http, "/v1/logs", &logs.to_string());
    let span = json!({"traceId": "01".repeat(16), "spanId": "02".repeat(8), "name": "a span",
        "startTimeUnixNano": "1", "endTimeUnixNano": "2"});
    post(http, "/v1/traces", &json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string());
    let received = sink.wait_for(2);
    let shell = received.iter().find(|found| found.record.event_name == "falco.alert").unwrap();
    assert_eq!(shell.text("security_rule.name"), "Shell in a container");
    assert!(received.iter().any(|found| found.body() == "a plain line" && found.record.event_name.is_empty()));
    wait::until("the span arrives", Duration::from_secs(30), || {
        (sink.spans().first().map(|span| span.name.clone()).as_deref() == Some("a span")).then_some(())
    });
    let ledger = lanner.stop();
    assert_eq!(ledger.row("logs -> otlp_grpc").delivered, 2);
    assert_eq!(ledger.row("traces -> otlp_grpc").delivered, 1);
}

/// What Slack and PagerDuty were sent.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(String, Value)>>>);

impl Told {
    /// A server that takes everything, as both do.
    fn listen() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (told, port) = (Self::default(), listener.local_addr().unwrap().port());
        let keep = told.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A connection that breaks is the client's to repeat.
                let _ = stream.and_then(|stream| keep.answer(stream));
            }
        });
        (told, port)
    }

    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, reply) = match path.contains("enqueue") {
            true => ("202 Accepted", r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#),
            false => ("200 OK", "ok"),
        };
        self.0.lock().unwrap().push((path, serde_json::from_slice(&body).unwrap_or_default()));
        let length = reply.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{reply}");
        reader.into_inner().write_all(answer.as_bytes())
    }

    fn to(&self, path: &str) -> Vec<Value> {
        let told = self.0.lock().unwrap();
        told.iter().filter(|(to, _)| to.contains(path)).map(|(_, body)| body.clone()).collect()
    }
}

/// Scenario: `notify.yaml`; thirty equal warnings, one critical alert, one below what anybody wants to know.
/// Guarantee: Slack is told of the first warning and of the critical alert, not of every repetition; PagerDuty
/// only of the critical one, with its severity; the third is told to nobody.
#[test]
fn notify() {
    let ((told, sinks), port) = (Told::listen(), wait::free_port());
    let lanner = start(
        "notify.yaml",
        &[
            format!("receivers.falco_http.endpoint=localhost:{port}"),
            format!("exporters.slack.webhook_url=http://localhost:{sinks}/services/T/B/canary"),
            format!("exporters.pagerduty.endpoint=http://localhost:{sinks}"),
        ],
    );
    let warnings: String = (0..30).map(|number| alert("Write below etc", "Warning", number) + "\n").collect();
    post(port, "/", &warnings);
    post(port, "/", &alert("Read of a file", "Notice", 40));
    post(port, "/", &alert("Shell in a container", "Critical", 50));
    let holds = |messages: &[Value], text: &str| messages.iter().any(|message| message.to_string().contains(text));
    wait::until("both are told", Duration::from_secs(60), || {
        let slack = told.to("/services/");
        let all =
            holds(&slack, "Write below etc") && holds(&slack, "Shell in a container") && !told.to("enqueue").is_empty();
        all.then_some(())
    });
    let stderr = lanner.stderr();
    let ledger = lanner.stop();
    let (slack, pages) = (told.to("/services/"), told.to("enqueue"));
    assert!(slack.len() <= 4, "a storm is a few messages: {}", slack.len());
    assert!(!holds(&slack, "Read of a file") && !holds(&pages, "Read of a file"));
    let triggers: Vec<_> = pages.iter().filter(|page| page["event_action"] == "trigger").collect();
    assert_eq!(triggers.len(), 1, "{pages:?}");
    assert_eq!(triggers[0]["payload"]["severity"], "critical");
    assert!(triggers[0]["payload"]["summary"].as_str().unwrap().contains("Shell in a container"));
    assert_eq!(ledger.row("logs/pagerduty -> pagerduty").delivered, 1);
    assert!(!stderr.contains("canary"), "the URL is a secret");
}
