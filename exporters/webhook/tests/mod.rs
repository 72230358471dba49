mod bodies;
mod delivery;
mod golden;
mod limits;
mod plans;
mod replies;
mod templates;

use super::{Webhook, check::Plan, config::Config};
use crate::testing::{Sink, alert_request, answer, build_cx};
use lanner_engine::{prelude::*, testing::planning};
use serde_json::{Value as Json, json};

/// What the plan phase made of a configuration, and what it said.
fn planned(config: Json) -> (Option<Plan>, Vec<String>) {
    let config: Config = serde_json::from_value(config).unwrap();
    let (plan, findings) = planning(|cx| Webhook::plan(config, cx));
    let said = findings.into_iter().map(|finding| format!("{} {}", finding.message, finding.help.unwrap_or_default()));
    (plan, said.collect())
}

async fn exporter(config: Json) -> Box<dyn Exporter> {
    built(config, &build_cx()).await
}

async fn built(config: Json, cx: &BuildCx) -> Box<dyn Exporter> {
    let (plan, said) = planned(config);
    let plan = plan.unwrap_or_else(|| panic!("{said:?}"));
    Box::new(plan).build(cx).await.unwrap()
}

/// A configuration that posts to the sink, with more keys.
fn to(sink: &Sink, more: Json) -> Json {
    let mut config = json!({ "url": format!("http://{}/hook", sink.address) });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// An alert that a test can tell by its number.
fn numbered(number: usize) -> Json {
    json!({
        "hostname": "node-1", "output": format!("shell number {number}"), "priority": "Error", "rule": "Shell",
        "source": "syscall", "time": format!("2025-02-10T09:15:40.{number:09}Z"), "tags": ["T1059"],
        "output_fields": {"proc.name": "bash", "proc.pid": 42 + number, "k8s.ns.name": "shop", "k8s.pod.name": "web-1"},
    })
}

/// The body of a request as JSON.
fn json_of(body: &[u8]) -> Json {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}

/// The lines of a request as JSON.
fn lines_of(body: &[u8]) -> Vec<Json> {
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(json_of).collect()
}

/// What a preset posts for alerts: path, content type, body.
async fn posted(preset: &str, alerts: &[Json]) -> Vec<(String, String, Vec<u8>)> {
    let sink = Sink::start(|_| answer(200, r#"{"errors":false}"#)).await;
    let config = json!({"url": format!("http://{}", sink.address), "preset": preset, "token": "tok"});
    let exporter = exporter(config).await;
    assert_eq!(exporter.export(&alert_request(alerts)).await, Outcome::Delivered, "{preset}");
    let seen = sink.seen();
    seen.iter()
        .map(|request| {
            let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
            (request.uri().path().to_owned(), content_type, request.body().to_vec())
        })
        .collect()
}
