use super::*;
use lanner_engine::config::plan_body;

/// Scenario: mistakes of every kind, the region, an address of one's own.
/// Guarantee: each mistake is found at plan, with a remedy and without the key; the EU has its own address (X5).
#[test]
fn x5_plans() {
    for (config, expected) in [
        (json!({}), "`routing_key` is missing"),
        (json!({"routing_key": "canary"}), "has 6 characters"),
        (json!({"routing_key": ROUTING_KEY.replace('4', "-")}), "has 32 characters"),
        (config(json!({"endpoint": "events"})), "is no URL"),
        (config(json!({"endpoint": "http://10.0.0.1", "allow_addresses": "public"})), "forbids this address"),
        (config(json!({"links": [{"href": "runbook", "text": "x"}]})), "`runbook` is no URL"),
        (config(json!({"client_url": "javascript:alert(1)"})), "is no URL"),
        (config(json!({"resolve_after": "30s"})), "`resolve_after` is 30s"),
        (config(json!({"max_per_minute": 0})), "`max_per_minute` is 0"),
        (config(json!({"dedup_by": []})), "`dedup_by` is empty"),
        (config(json!({"dedup_by": ["rule", "proc.nme"]})), "did you mean"),
        (config(json!({"fields": ["proc.nme"]})), "did you mean"),
        (config(json!({"summary": "%proc.nme"})), "did you mean"),
        (config(json!({"proxy_url": "::canary"})), "`proxy_url` is no URL"),
    ] {
        let (planned, found) = plan(config.clone());
        assert!(planned.is_none(), "{config}");
        assert!(found.iter().any(|text| text.contains(expected)), "{config}: {found:?}");
        assert!(!found.concat().contains("canary"), "{found:?}");
    }
    for (more, url) in [
        (json!({}), "https://events.pagerduty.com/v2/enqueue"),
        (json!({"region": "eu"}), "https://events.eu.pagerduty.com/v2/enqueue"),
        (json!({"region": "eu", "endpoint": "http://localhost:1/"}), "http://localhost:1/v2/enqueue"),
    ] {
        assert_eq!(plan(config(more)).0.unwrap().url.as_str(), url);
    }
}

/// Scenario: every key that falcosidekick's output has.
/// Guarantee: each is taken or answered with what to do instead.
#[test]
fn keys_of_falcosidekick_have_an_answer() {
    let factory = crate::ALL.iter().find(|factory| factory.type_name == "pagerduty").unwrap();
    for key in ["routingkey", "minimumpriority", "maxconcurrentrequests", "mutualtls", "checkcert"] {
        let trial = plan_body(factory, &format!("routing_key: {ROUTING_KEY}\nregion: eu\n{key}: x\n"));
        let text = trial.rendered();
        assert!(trial.planned.is_none() && text.contains("not offered") && text.contains("help"), "{key}: {text}");
    }
}

/// Scenario: a config with secrets is printed and serialized (S9).
/// Guarantee: none of them shows.
#[test]
fn s9_secrets_do_not_show() {
    let more = json!({"proxy_url": "http://u:canary@p", "tls": {"key_pem": "canary"}});
    let config: Config = serde_json::from_value(config(more)).unwrap();
    assert!(!format!("{config:?}{}", serde_json::to_string(&config).unwrap()).contains("canary"));
}
