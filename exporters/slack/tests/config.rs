use super::*;
use lanner_engine::config::plan_body;

/// Scenario: no destination, two of them, one that clouds give out credentials at, keys of the other way, odd values.
/// Guarantee: each is found at plan, with a remedy; what is sound is taken.
#[test]
fn mistakes_are_found_with_a_remedy() {
    let webhook = "https://hooks.slack.example/services/T1/B1/canary-hook";
    for (config, expected) in [
        (json!({}), "nowhere to send to"),
        (json!({"webhook_url": webhook, "bot_token": "xoxb-1", "channel": "C1"}), "two places"),
        (json!({"webhook_url": "hooks.slack.com/canary-hook"}), "this is no URL to send to"),
        (json!({"webhook_url": "http://169.254.169.254/canary-hook"}), "forbids this address"),
        (json!({"webhook_url": webhook, "channel": "#a"}), "`channel` belongs to `bot_token`"),
        (json!({"webhook_url": webhook, "storage": "file_storage"}), "`storage` belongs to `bot_token`"),
        (json!({"bot_token": "xoxb-1"}), "`channel` is missing"),
        (bot(json!({"endpoint": "slack.com"})), "this is no URL to send to"),
        (bot(json!({"bot_token": "canary\n"})), "newline at its end"),
        (bot(json!({"message_interval": "500ms"})), "`message_interval` is 500ms"),
        (bot(json!({"digest_after": "2m"})), "`digest_after` is 2m"),
        (bot(json!({"proxy_url": "::canary"})), "`proxy_url` is no URL"),
        (bot(json!({"fields": ["proc.nme"]})), "did you mean"),
        (bot(json!({"text": "%proc.nme"})), "did you mean"),
        (bot(json!({"thread_by": "proc.nme"})), "did you mean"),
    ] {
        let (planned, found) = plan(config.clone());
        assert!(planned.is_none(), "{config}");
        assert!(found.iter().any(|text| text.contains(expected)), "{config}: {found:?}");
        assert!(!found.concat().contains("canary"), "{found:?}");
    }
    for config in [json!({"webhook_url": webhook}), bot(json!({"fields": [], "thread_by": "", "text": "*%rule"}))] {
        let (planned, found) = plan(config);
        assert!(planned.is_some() && found.is_empty(), "{found:?}");
    }
}

/// Scenario: every key that falcosidekick's output has.
/// Guarantee: each is answered with what to do instead.
#[test]
fn keys_of_falcosidekick_have_an_answer() {
    let factory = crate::ALL.iter().find(|factory| factory.type_name == "slack").unwrap();
    for key in
        ["webhookurl", "footer", "icon", "username", "outputformat", "messageformat", "minimumpriority", "mutualtls"]
    {
        let trial = plan_body(factory, &format!("webhook_url: https://a/b\n{key}: x\n"));
        let text = trial.rendered();
        assert!(trial.planned.is_none() && text.contains("not offered") && text.contains("help"), "{key}: {text}");
    }
}

/// Scenario: a config with secrets is printed and serialized (S9).
/// Guarantee: none of them shows.
#[test]
fn s9_secrets_do_not_show() {
    let config: Config = serde_json::from_value(json!({
        "webhook_url": "https://a/canary", "bot_token": "canary", "proxy_url": "http://u:canary@p", "tls": {"key_pem": "canary"},
    }))
    .unwrap();
    assert!(!format!("{config:?}{}", serde_json::to_string(&config).unwrap()).contains("canary"));
}
