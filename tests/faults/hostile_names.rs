//! Names in events that look like paths, lines or markup (S3).

use crate::support::{
    curl,
    lanner::{Lanner, TempDir},
    wait,
};
use rusqlite::Connection;
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, fs, path::Path, time::Duration};

/// What a name must not be taken for. The last one is made longer than any name may be.
const NAMES: [&str; 7] = [
    "../../../../lanner-s3",
    "/lanner-s3",
    "..\\..\\lanner-s3",
    "lanner\0s3",
    "lanner\nlanner_s3_total 1\n",
    "lanner\"} 1\nlanner_s3_total{x=\"",
    "lanner-s3/",
];

fn alert(name: &str) -> String {
    json!({
        "rule": name, "tags": [name], "hostname": name, "priority": "Error", "source": "syscall",
        "time": "2026-01-01T00:00:00Z", "output": name,
        "output_fields": {"container.id": name, "k8s.ns.name": name, "proc.name": name, "fd.name": name, name: name},
    })
    .to_string()
}

fn audit_event(name: &str) -> String {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "auditID": name, "verb": "get", "requestURI": format!("/api/v1/namespaces/{name}"),
        "user": {"username": name}, "objectRef": {"resource": "pods", "namespace": name, "name": name},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z", "stageTimestamp": "2026-01-01T00:00:00.000000Z",
    })
    .to_string()
}

/// Every byte as `%xx`.
fn escaped(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Every file below a folder, from there.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .flat_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => files(&entry.path()).into_iter().map(|below| format!("{name}/{below}")).collect(),
                false => vec![name],
            }
        })
        .collect()
}

/// Scenario: S3: alerts and audit events whose rule, tag, host, container, namespace, user and cluster go up in folders, end
/// lines and labels, hold NUL or have 64 KiB; sinks are a file, a database and a scraped page.
/// Guarantee: no file is written but those of the configuration; each line of the file is one JSON object, the page has no
/// series of an event's making, and the names come out of file and database as they went in.
#[test]
fn s3_names_are_no_paths() {
    let dir = TempDir::new();
    let (out, state) = (dir.path().join("out"), dir.path().join("state"));
    fs::create_dir(&out).unwrap();
    let (file, database) = (out.join("events.jsonl"), out.join("events.db"));
    let [falco, audit, page] = [(); 3].map(|()| wait::free_port());
    let config = format!(
        "extensions: {{file_storage: {{directory: '{}'}}}}
receivers:
  falco_http: {{endpoint: 'localhost:{falco}'}}
  k8s_audit: {{endpoint: 'localhost:{audit}'}}
connectors: {{event_metrics: {{}}}}
exporters:
  file: {{path: '{}', format: records, sending_queue: {{enabled: true, storage: file_storage}}}}
  sqlite: {{path: '{}', sending_queue: {{storage: file_storage}}}}
  prometheus: {{endpoint: 'localhost:{page}'}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [falco_http, k8s_audit], exporters: [file, sqlite, event_metrics]}}
    metrics: {{receivers: [event_metrics], exporters: [prometheus]}}
",
        state.display(),
        file.display(),
        database.display()
    );
    fs::write(dir.path().join("config.yaml"), config).unwrap();
    let config = dir.path().join("config.yaml").display().to_string();
    let lanner = Lanner::start_with(TempDir::new(), &["run", "--config", &config]);
    let long = "n".repeat(64 << 10);
    let names: Vec<&str> = NAMES.into_iter().chain([long.as_str()]).collect();
    for name in &names {
        let (status, answer) = curl::post(&format!("http://localhost:{falco}/"), alert(name).as_bytes(), &[]);
        assert_eq!(status, 200, "{answer}");
        let (status, answer) =
            curl::post(&format!("http://localhost:{audit}/k8s-audit"), audit_event(name).as_bytes(), &[]);
        assert_eq!(status, 200, "{answer}");
        let cluster = format!("http://localhost:{audit}/k8s-audit/{}", escaped(&name[..name.len().min(1000)]));
        let status = curl::post(&cluster, audit_event("a").as_bytes(), &["--path-as-is"]).0;
        assert!((200..500).contains(&status), "{status} for the cluster {name:.40?}");
    }
    let text = wait::until("the alerts are counted", Duration::from_secs(60), || {
        let text = curl::get(&format!("http://localhost:{page}/metrics"), &[]).1;
        (crate::support::lanner::sum(&text, "falco_alerts_total", "") == names.len() as f64).then_some(text)
    });
    assert!(!text.lines().any(|line| line.starts_with("lanner_s3_total")), "{text:.2000}");
    lanner.stop();

    let lines: Vec<Json> =
        fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rules: BTreeSet<&str> =
        lines.iter().filter_map(|line| line["attributes"]["security_rule.name"].as_str()).collect();
    let stored = Connection::open(&database).unwrap();
    for name in NAMES {
        assert!(rules.contains(name), "{name:?} of {rules:.200?}");
        let there: i64 =
            stored.query_row("SELECT count(*) FROM events WHERE rule = ?1", [name], |row| row.get(0)).unwrap();
        assert_eq!(there, 1, "{name:?}");
    }
    let unknown: Vec<String> = files(dir.path())
        .into_iter()
        .filter(|name| {
            !["config.yaml", "out/events.jsonl", "out/events.db", "out/events.db-wal", "out/events.db-shm"]
                .contains(&&**name)
        })
        .filter(|name| !name.starts_with("state/"))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(files(&state).iter().all(|name| !name.contains("s3")));
    for above in dir.path().ancestors() {
        assert!(!above.join("lanner-s3").exists(), "{}", above.display());
    }
}
