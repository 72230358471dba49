//! Standard input: replays by hand, and Falco's `program_output`.

use crate::support::{
    data,
    lanner::{TempDir, binary},
    wait,
};
use std::{
    fs::{self, File},
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

const ALERT: &str = r#"{"rule":"R","priority":"Error","time":"2026-01-01T00:00:00Z","output":"o","output_fields":{}}"#;

fn config(dir: &TempDir, receivers: &str) -> std::path::PathBuf {
    let path = dir.path().join("config.yaml");
    let out = dir.path().join("out.jsonl");
    let yaml = format!(
        "receivers: {{{receivers}}}
exporters: {{file: {{path: '{}'}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [stdin], exporters: [file]}}}}
",
        out.display()
    );
    fs::write(&path, yaml).unwrap();
    path
}

/// Scenario: `lanner run < events.jsonl` with the team's alerts (or made-up ones), and a line that is no alert.
/// Guarantee: the process ends by itself with 0; every alert is in the file of the exporter, the ledger says so.
#[test]
fn a_replay_ends_with_its_input() {
    let dir = TempDir::new();
    let alerts = data::lines("dev/falco_alerts.jsonl").unwrap_or_else(|| vec![ALERT.to_owned(); 100]);
    let input = dir.path().join("events.jsonl");
    fs::write(&input, format!("Falco initialized\n{}", alerts.join("\n"))).unwrap();
    let mut child = Command::new(binary())
        .args(["run", "--config", config(&dir, "stdin: {format: falco}").to_str().unwrap()])
        .stdin(File::open(input).unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = wait::until("the replay ends", Duration::from_secs(60), || child.try_wait().unwrap());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(status.success(), "{stderr}");
    let count = alerts.len();
    assert!(stderr.contains(&format!("accepted {count} = delivered {count}")), "{stderr}");
    assert!(!stderr.contains("DOES NOT ADD UP"), "{stderr}");
    let delivered = fs::read_to_string(dir.path().join("out.jsonl")).unwrap();
    assert_eq!(delivered.matches("lanner.receiver.falco").count() > 0, count > 0);
    assert_eq!(delivered.matches("\"log.record.uid\"").count(), count);
}

/// Scenario: Falco writes alerts into a pipe now and then, and closes it at its end; two receivers for one input.
/// Guarantee: alerts are delivered while the pipe is open; the process ends with it; the second receiver is refused at
/// the start.
#[test]
fn a_program_output_ends_with_falco() {
    let dir = TempDir::new();
    let mut child = Command::new(binary())
        .args(["run", "--config", config(&dir, "stdin: {format: falco}").to_str().unwrap()])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(format!("{ALERT}\n").as_bytes()).unwrap();
    let out = dir.path().join("out.jsonl");
    let arrived = || fs::read_to_string(&out).ok().filter(|text| text.contains("security_rule.name"));
    wait::until("the alert arrives", Duration::from_secs(30), arrived);
    assert!(child.try_wait().unwrap().is_none(), "the pipe is open");
    drop(pipe);
    let status = wait::until("the process ends", Duration::from_secs(30), || child.try_wait().unwrap());
    assert!(status.success());

    let path = config(&dir, "stdin: , stdin/2: ");
    let yaml = fs::read_to_string(&path).unwrap().replace("[stdin]", "[stdin, stdin/2]");
    fs::write(&path, yaml).unwrap();
    let output =
        Command::new(binary()).args(["run", "--config", path.to_str().unwrap()]).stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("keep one of them"));
}
