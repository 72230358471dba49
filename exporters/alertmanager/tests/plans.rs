//! What the plan phase says.

use super::planned;
use serde_json::{Value as Json, json};

/// Scenario: configurations with one mistake each.
/// Guarantee: each is an error that says what to do.
#[test]
fn mistakes_are_named_with_a_remedy() {
    let with = |more: Json| {
        let mut config = json!({"endpoints": ["http://a:9093"]});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let cases = [
        (json!({}), "`endpoints` is empty"),
        (json!({"endpoints": ["a:9093"]}), "write `http://host:port/path`"),
        (json!({"endpoints": ["http://169.254.169.254"]}), "allow_addresses: any"),
        (with(json!({"labels": {"k8s.ns": "k8s.ns.name"}})), "no digit first"),
        (with(json!({"labels": {"severity": "rule"}})), "choose another name"),
        (with(json!({"fixed_labels": {"1a": "x"}})), "no digit first"),
        (with(json!({"labels": {"ns": "proc.nam"}})), "proc.name"),
        (with(json!({"annotations": {"a-b": "x"}})), "no digit first"),
        (with(json!({"severities": {"high": "x"}})), "is no priority"),
        (with(json!({"resolve_after": "5s"})), "between 10s and 720h"),
        (with(json!({"resend_interval": "1h"})), "shorter than `resolve_after`"),
        (with(json!({"headers": {"content-type": "x"}})), "set by the exporter"),
        (with(json!({"proxy_url": "::"})), "http://proxy:3128"),
    ];
    for (config, expected) in cases {
        let (_, said) = planned(config.clone());
        assert!(said.iter().any(|text| text.contains(expected)), "{config}: {said:?}");
    }
    let (plan, said) = planned(json!({"endpoints": ["http://a:9093", "https://b/am/", "http://c/x/api/v2/alerts"]}));
    let urls: Vec<String> = plan.unwrap().peers.iter().map(ToString::to_string).collect();
    assert_eq!(urls, ["http://a:9093/api/v2/alerts", "https://b/am/api/v2/alerts", "http://c/x/api/v2/alerts"]);
    assert!(said.is_empty());
}
