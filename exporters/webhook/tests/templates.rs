//! Templates of one's own.

use super::{answer, json_of, lines_of, numbered, to};
use crate::testing::{Sink, alert_request, build_cx, counted, hostile};
use lanner_engine::prelude::*;
use serde_json::{Value as Json, json};

async fn posted(config: Json, alerts: &[Json]) -> Vec<http::Request<bytes::Bytes>> {
    let sink = Sink::start(|_| answer(200, "")).await;
    let exporter = super::exporter(to(&sink, config)).await;
    assert_eq!(exporter.export(&alert_request(alerts)).await, Outcome::Delivered);
    sink.seen()
}

const BODY: &str = "{\n  \"text\": {{ output }}, \"note\": {{ (rule ~ ' on ' ~ field('k8s.pod.name')) }},\n  \"n\": {{ \
                    field('fd.num') }}, \"tags\": {{ tags }}, \"all\": { {% for k, v in output_fields | items %}{{ k }}: {{ v }}\
                    {% if not loop.last %},{% endif %}{% endfor %} }, \"none\": {{ nothing.at_all }},\n  \"up\": {{ \
                    priority | upper }}, \"attr\": {{ attributes['falco.priority'] }} }";

/// Scenario: a template with loops, filters, functions and a missing value; a hostile alert (S11).
/// Guarantee: the body is JSON, values are data with their types, a missing one is null; a line is a line.
#[tokio::test]
async fn values_are_data() {
    let sent = hostile();
    for batch in ["event", "array", "ndjson"] {
        let seen = posted(json!({"body": BODY, "batch": batch}), std::slice::from_ref(&sent)).await;
        let body = match batch {
            "event" => json_of(seen[0].body()),
            "array" => json_of(seen[0].body())[0].clone(),
            _ => lines_of(seen[0].body())[0].clone(),
        };
        assert_eq!(body["text"], sent["output"]);
        let note = format!("{} on {}", sent["rule"].as_str().unwrap(), sent["rule"].as_str().unwrap());
        assert_eq!(body["note"], note);
        assert_eq!(body["n"], 9_007_199_254_740_993_i64);
        assert_eq!(body["tags"], sent["tags"]);
        assert_eq!(body["all"]["huge"], sent["output_fields"]["huge"]);
        assert_eq!((&body["none"], &body["up"], &body["attr"]), (&Json::Null, &json!("CRITICAL"), &json!("critical")));
    }
}

/// Scenario: text, HTML and a form.
/// Guarantee: HTML gets entities; a form is written with `urlencode`; text is as it is; missing values are counted.
#[tokio::test]
async fn other_types_of_content() {
    let alert = json!({
        "output": "<b>&\"", "priority": "Error", "rule": "R", "time": "2025-02-10T09:15:40Z", "output_fields": {},
    });
    for (content_type, body, expected) in [
        ("text/html; charset=utf-8", "<p>{{ output }}{{ gone }}</p>", "<p>&lt;b&gt;&amp;&quot;</p>"),
        ("application/x-www-form-urlencoded", "text={{ output | urlencode }}", "text=%3Cb%3E%26%22"),
        ("text/plain", "{{ rule }}: {{ output }}", "R: <b>&\""),
    ] {
        let seen = posted(json!({"body": body, "content_type": content_type}), std::slice::from_ref(&alert)).await;
        assert_eq!(String::from_utf8_lossy(seen[0].body()), expected);
        assert_eq!(seen[0].headers()["content-type"], content_type);
    }
    let sink = Sink::start(|_| answer(200, "")).await;
    let cx = build_cx();
    let exporter = super::built(to(&sink, json!({"body": "[{{ gone }}, {{ rule }}]"})), &cx).await;
    exporter.export(&alert_request(&[numbered(1), numbered(2)])).await;
    assert_eq!(counted(&cx, "lanner_webhook_undefined_values"), 2);
}

/// Scenario: templates without end, with too long a body, with memory over turns of a loop, and with another template.
/// Guarantee: they are refused when the configuration is checked.
#[test]
fn templates_are_bounded() {
    for body in [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m() }}",
        "{% set x = namespace(v='a') %}{{ x.v }}",
        "{{ 'x' * 2000000 }}",
        "{% include 'other' %}",
    ] {
        let config = json!({"url": "http://sink.example/", "body": body, "content_type": "text/plain"});
        let (_, said) = super::planned(config);
        assert!(!said.is_empty(), "{body}");
    }
}
