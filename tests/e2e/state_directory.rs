//! The directory of `file_storage`, through the real process.

use crate::support::{
    curl,
    lanner::{Lanner, TempDir, binary},
    otlp_sink::OtlpSink,
    wait,
};
use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const ALERT: &str = r#"{"rule":"R","priority":"Error","time":"2026-01-01T00:00:00Z","output":"o","output_fields":{}}"#;
/// Longer than a process takes to refuse.
const LIMIT: Duration = Duration::from_secs(30);

fn config(port: u16, sink: &str, state: &Path) -> String {
    format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
exporters: {{otlp_grpc: {{endpoint: '{sink}', tls: {{insecure: true}}, sending_queue: {{storage: file_storage}}}}}}
extensions: {{file_storage: {{directory: '{}'}}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: [otlp_grpc]}}}}
",
        state.display()
    )
}

/// What a process that cannot start says, and how long it took.
fn refusal(state: &Path) -> (String, Duration) {
    let dir = TempDir::new();
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, config(wait::free_port(), "localhost:1", state)).unwrap();
    let started = Instant::now();
    let output = Command::new(binary()).args(["run", "--config"]).arg(&path).output().unwrap();
    let time = started.elapsed();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    (stderr, time)
}

/// Scenario: D19: a second process is started on the state directory of a running one, up to five times.
/// Guarantee: it ends with 1, says why and what to do, in less than a second when the machine lets it; the first is unharmed.
#[test]
fn d19_second_instance() {
    let (sink, port, dir) = (OtlpSink::start(), wait::free_port(), TempDir::new());
    let state = dir.path().join("state");
    let first = Lanner::start(&config(port, &sink.endpoint(), &state));
    let fastest = (0..5).map(|_| refusal(&state)).scan(false, |enough, (stderr, time)| {
        assert!(stderr.contains("is used by another process; end that one"), "{stderr}");
        (!std::mem::replace(enough, time < Duration::from_secs(1))).then_some(time)
    });
    let fastest = fastest.min().unwrap();
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
    assert_eq!(curl::post(&format!("http://localhost:{port}/"), ALERT.as_bytes(), &[]).0, 200);
    sink.wait_for(1);
    assert_eq!(first.stop().row("logs -> otlp_grpc").delivered, 1);
}

/// Scenario: S17: a state directory that is made at the start; then ones that others can write to, own, or have put links into.
/// Guarantee: what is made is for this user only; the others are refused with the remedy, and nothing behind a link is touched.
#[test]
fn s17_state_directory() {
    let (sink, dir) = (OtlpSink::start(), TempDir::new());
    let state = dir.path().join("state");
    let port = wait::free_port();
    let lanner = Lanner::start(&config(port, &sink.endpoint(), &state));
    assert_eq!(curl::post(&format!("http://localhost:{port}/"), ALERT.as_bytes(), &[]).0, 200);
    sink.wait_for(1);
    let mut folders = vec![state.clone()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
                assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{}", entry.path().display());
            }
        }
    }
    assert!(files >= 3, "the store, the lock and the log");
    lanner.stop();

    let says = |state: &Path, text: &str| {
        let (stderr, _) = refusal(state);
        assert!(stderr.contains(text), "{stderr}");
    };
    let precious = dir.path().join("precious");
    std::fs::write(&precious, "text").unwrap();
    std::fs::rename(state.join("state.redb"), dir.path().join("aside")).unwrap();
    symlink(&precious, state.join("state.redb")).unwrap();
    says(&state, "cannot be opened");
    std::fs::rename(dir.path().join("aside"), state.join("state.redb")).unwrap();
    std::fs::rename(state.join("queue"), dir.path().join("queue")).unwrap();
    symlink(dir.path().join("queue"), state.join("queue")).unwrap();
    says(&state, "is a symbolic link");
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "text");
    std::fs::remove_file(state.join("queue")).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o777)).unwrap();
    says(&state, "chmod o-w");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can give a folder away.
    if chown(&state, Some(4711), None).is_ok() {
        says(&state, "belongs to another user");
        chown(&state, Some(0), None).unwrap();
    }
    let again = Lanner::start(&config(port, &sink.endpoint(), &state));
    wait::until("it runs", LIMIT, || again.stderr().contains("ready").then_some(()));
    again.stop();
}
