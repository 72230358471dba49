//! The example as a program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends with the place")]

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// Scenario: the program is run with the example's pipeline, until the first stamped alert is printed.
/// Guarantee: the processor is known, runs on every record, and SIGTERM ends the program with 0.
#[test]
fn stamps_the_demo_alerts() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_custom-component"))
        .args(["run", "--config", concat!(env!("CARGO_MANIFEST_DIR"), "/pipeline.yaml")])
        .args(["--set", "service.telemetry.metrics.level=none"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let stamped = lines.find(|line| line.contains("deployment.environment.name"));
    assert!(stamped.is_some_and(|line| line.contains("demo")), "the program ended before it printed a stamped alert");
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:#?}");
    assert!(rest.iter().any(|line| line.starts_with("logs -> debug: accepted ")), "{rest:#?}");
}
