//! What the plan phase says.

use super::planned;
use serde_json::{Value as Json, json};

/// Scenario: configurations with one mistake each.
/// Guarantee: each is an error that says what to do; none shows the URL.
#[test]
fn mistakes_are_named_with_a_remedy() {
    let url = "http://sink.example/canary-1234567";
    let with = |more: Json| {
        let mut config = json!({ "url": url });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let cases = [
        (json!({}), "`url` is missing"),
        (json!({"url": "canary"}), "write `http://host:port/path`"),
        (json!({"url": "http://a:canary@b"}), "put credentials into `headers`"),
        (json!({"url": "http://169.254.169.254/canary"}), "allow_addresses: any"),
        (json!({"url": "http://10.0.0.1/canary", "allow_addresses": "public"}), "allow_addresses: network"),
        (with(json!({"preset": "loki", "batch": "array"})), "`batch` has no effect with `preset`"),
        (with(json!({"preset": "loki", "body": "x"})), "`body` has no effect with `preset`"),
        (with(json!({"preset": "loki", "index": "x"})), "`elasticsearch` and `splunk_hec`"),
        (with(json!({"index": "x"})), "`elasticsearch` and `splunk_hec`"),
        (with(json!({"preset": "elasticsearch", "index": "Falco"})), "falco-%Y.%m.%d"),
        (with(json!({"body": "{% for %}"})), "line 1 of the template"),
        (with(json!({"body": "{}\n{{ output | nothing }}"})), "see the README"),
        (with(json!({"body": "{\"text\": \"{{ output }}\"}"})), "without quotes around them"),
        (with(json!({"body": "{\"text\": {{ output | safe }}}"})), "line 1 of the template"),
        (with(json!({"body": "x".repeat(70_000), "content_type": "text/plain"})), "write a shorter one"),
        (with(json!({"body": "x", "original": true, "content_type": "text/plain"})), "`original` has no effect"),
        (with(json!({"batch": "array", "content_type": "text/plain"})), "batch: event"),
        (with(json!({"content_type": "json"})), "application/json"),
        (with(json!({"headers": {"content-type": "x"}})), "set by the exporter"),
        (with(json!({"token": "a\n"})), "newline at its end"),
        (with(json!({"sign": {"secret": "short"}})), "openssl rand"),
        (with(json!({"sign": {"secret": "0123456789abcdef", "header": "a b"}})), "no header name"),
        (with(json!({"retry_statuses": [200]})), "list statuses from 400"),
        (with(json!({"retry_statuses": [413]})), "list statuses from 400"),
        (with(json!({"proxy_url": "::"})), "http://proxy:3128"),
    ];
    for (config, expected) in cases {
        let (_, said) = planned(config.clone());
        assert!(said.iter().any(|text| text.contains(expected)), "{config}: {said:?}");
        assert!(!said.concat().contains("canary"), "{said:?}");
    }
    for preset in ["opsgenie", "datadog_logs"] {
        let (plan, said) = planned(json!({"preset": preset, "token": "0123"}));
        assert!(plan.is_some_and(|plan| plan.url.scheme() == "https"), "{said:?}");
    }
}
