//! What the plan phase finds.

use super::planned;
use serde_json::json;

/// Scenario: every key with a value that cannot be.
/// Guarantee: each is reported in one run, with its remedy, and without the secret.
#[test]
fn every_problem_is_found() {
    let (plan, said) = planned(json!({
        "servers": ["http://host", "nats://user:s3cret@host", "nats://"],
        "subject": "falco.*",
        "stream": {"name": "a.b", "create": {"subjects": ["a.>.b", "a..b"], "max_age": "1m", "replicas": 9}},
        "auth": {"token": "s3cret", "username": "lanner", "nkey_seed": "s3cret"},
        "inbox_prefix": "_INBOX.>",
        "ack_timeout": "1ms",
        "max_in_flight": 0,
    }));
    assert!(plan.is_none());
    for expected in [
        "no address of a NATS server",
        "must not hold a user or a token",
        "remove '*'",
        "no name of a stream",
        "`a.>.b` is no pattern",
        "`a..b` is no pattern",
        "`duplicate_window` is longer than `max_age`",
        "`replicas` is 9",
        "`username` and `password` belong together",
        "several ways to log in",
        "no seed of a user's NKey",
        "no prefix of a subject",
        "`ack_timeout` is outside",
        "`max_in_flight` is 0",
    ] {
        assert!(said.iter().any(|text| text.contains(expected)), "{expected}: {said:#?}");
    }
    assert!(!format!("{said:?}").contains("s3cret"), "{said:?}");
    let (plan, said) = planned(json!({"servers": []}));
    assert!(plan.is_none() && said[0].contains("`servers` is empty"), "{said:?}");
}

/// Scenario: a password to this machine, to another one, and to another one over TLS.
/// Guarantee: only what would cross the network in plain text is warned about.
#[test]
fn passwords_in_plain_text_are_warned_about() {
    let auth = json!({"username": "lanner", "password": "s3cret"});
    for (server, warned) in [
        ("nats://localhost:4222", false),
        ("nats://127.0.0.1", false),
        ("nats://nats.example:4222", true),
        ("tls://nats.example:4222", false),
    ] {
        let (plan, said) = planned(json!({"servers": [server], "auth": auth}));
        assert!(plan.is_some());
        assert_eq!(said.iter().any(|text| text.contains("in plain text")), warned, "{server}: {said:?}");
    }
}
