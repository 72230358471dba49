//! What the plan phase finds.

use super::super::{Nats, config::Config};
use lanner_engine::{prelude::*, testing::planning};
use serde_json::{Value as Json, json};

fn said(config: Json) -> (bool, Vec<String>) {
    let config: Config = serde_json::from_value(config).unwrap();
    let (plan, findings) = planning(|cx| Nats::plan(config, cx));
    let said = findings.into_iter().map(|finding| format!("{} {}", finding.message, finding.help.unwrap_or_default()));
    (plan.is_some(), said.collect())
}

/// Scenario: every key with a value that cannot be, and a configuration that says only what must be said.
/// Guarantee: each problem is reported in one run with its remedy; the short one is enough.
#[test]
fn every_problem_is_found() {
    let (planned, problems) = said(json!({
        "servers": ["ftp://host"], "stream": "a.b", "consumer": "a b", "filter_subject": "a..b", "hold": "1ms",
        "dead_letter_subject": "dead.*", "max_messages": 0, "auth": {"password": "p"},
    }));
    assert!(!planned);
    for expected in [
        "no address of a NATS server",
        "no name of a stream or consumer",
        "this is no subject; write words with dots",
        "`hold` is outside",
        "this is no subject; write words of letters",
        "`max_messages` is 0",
        "`username` and `password` belong together",
    ] {
        let expected = expected.replace("; ", " ");
        assert!(problems.iter().any(|text| text.contains(&expected)), "{expected}: {problems:#?}");
    }
    let (planned, problems) = said(json!({}));
    assert!(!planned && problems[0].contains("`stream` is missing"), "{problems:?}");
    let (planned, problems) = said(json!({"stream": "FALCO", "hold": "11s"}));
    assert!(!planned && problems[0].contains("`ack_wait` is below 3 times `hold`"), "{problems:?}");
    assert_eq!(said(json!({"stream": "FALCO"})), (true, Vec::new()));
}
