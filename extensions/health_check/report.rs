//! The texts of the answers.

use jiff::Timestamp;
use lanner_engine::telemetry::{Health, Phase, Status};
use serde_json::{Map, Value, json};
use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

/// One word for people.
pub(super) fn word(health: &Health) -> &'static str {
    match health.phase() {
        Phase::Starting => "starting\n",
        Phase::Ready => "ok\n",
        Phase::Stopping => "stopping\n",
    }
}

/// The Collector's answer: `status`, `upSince`, `uptime`.
pub(super) fn summary(health: &Health) -> String {
    let (since, uptime) = health.up();
    match health.phase() {
        Phase::Ready => json!({
            "status": "Server available",
            "upSince": time(since),
            "uptime": go_duration(uptime),
        }),
        _ => json!({"status": "Server not available", "upSince": "0001-01-01T00:00:00Z", "uptime": ""}),
    }
    .to_string()
}

/// One line a component, in the style of the Kubernetes API server.
pub(super) fn verbose(health: &Health) -> String {
    let mut text = String::new();
    for (name, status, since) in health.components() {
        // Writing to a string cannot fail.
        let _ = match status.error() {
            None => writeln!(text, "[+]{name} ok"),
            Some(error) => writeln!(text, "[-]{name} {} since {}: {}", status.as_str(), time(since), one_line(error)),
        };
    }
    text.push_str(word(health));
    text
}

/// Everything, as JSON.
pub(super) fn status(health: &Health) -> String {
    let components: Map<String, Value> = health
        .components()
        .into_iter()
        .map(|(name, status, since)| {
            let mut entry = json!({"status": status.as_str(), "status_time": time(since)});
            if let Some(error) = status.error() {
                entry["error"] = error.into();
            }
            (name.to_string(), entry)
        })
        .collect();
    let (since, uptime) = health.up();
    json!({
        "status": overall(health),
        "start_time": time(since),
        "uptime": go_duration(uptime),
        "components": components,
    })
    .to_string()
}

/// The process's phase, or the worst status of a component.
fn overall(health: &Health) -> &'static str {
    match health.phase() {
        Phase::Starting => return "StatusStarting",
        Phase::Stopping => return "StatusStopping",
        Phase::Ready => {}
    }
    let statuses: Vec<Status> = health.components().into_iter().map(|(_, status, _)| status).collect();
    let has = |wanted: fn(&Status) -> bool| statuses.iter().any(wanted);
    match () {
        () if has(|status| matches!(status, Status::Permanent(_))) => "StatusPermanentError",
        () if has(|status| matches!(status, Status::Recoverable(_))) => "StatusRecoverableError",
        () => "StatusOK",
    }
}

/// Errors may quote what a sink answered, so control characters are made harmless.
fn one_line(error: &str) -> String {
    error.escape_debug().collect()
}

fn time(time: SystemTime) -> String {
    Timestamp::try_from(time).unwrap_or_default().to_string()
}

/// As Go prints it: `1h2m3.5s`.
fn go_duration(duration: Duration) -> String {
    lanner_engine::config::Duration(Duration::from_millis(duration.as_millis() as u64)).to_string()
}
