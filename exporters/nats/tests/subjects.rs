//! Subjects out of hostile events.

use super::super::subject::Subject;
use crate::testing::{falco, hostile_each};
use lanner_conditions::Seen;
use lanner_engine::testing::planning;
use serde_json::json;

fn compiled(template: &str) -> (Option<Subject>, Vec<String>) {
    let (subject, findings) = planning(|cx| Subject::compile(template, "subject", cx));
    let said = findings.into_iter().map(|finding| format!("{} {}", finding.message, finding.help.unwrap_or_default()));
    (subject, said.collect())
}

fn subject_of(template: &str, alert: &str) -> String {
    let logs = falco(alert);
    let group = &logs.groups[0];
    compiled(template).0.unwrap().of(Seen { resource: &group.resource, record: &group.records[0] })
}

/// Scenario: alerts with wildcards, dots, blanks, control characters and other alphabets in every field, and huge values.
/// Guarantee: a subject has as many words as the template and begins as it does; each word holds lower-case letters, digits, `-` and
/// `_` only, and is not empty.
#[test]
fn no_event_chooses_levels() {
    let template = "events.{rule}.on-{hostname}.{proc.name}_{k8s.ns.name}.end";
    let long =
        json!({"rule": "x".repeat(100_000), "output": "o", "priority": "Notice", "output_fields": {}}).to_string();
    for alert in hostile_each().into_iter().chain([long]) {
        let subject = subject_of(template, &alert);
        let words: Vec<&str> = subject.split('.').collect();
        assert_eq!((words.len(), words[0], words[4]), (5, "events", "end"), "{subject}");
        let plain = |word: &&str| {
            let letters =
                word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
            letters && !word.is_empty() && word.len() <= 300
        };
        assert!(words.iter().all(plain), "{subject}");
    }
}

/// Scenario: the default subject and one of fields that may be missing.
/// Guarantee: as falcosidekick names it; a `-` stays; a missing value is `unknown`.
#[test]
fn the_default_is_falcosidekicks() {
    let alert = json!({
        "rule": "Contact K8S API Server From Container", "priority": "Notice", "output": "o", "hostname": "node-1",
        "output_fields": {"k8s.ns.name": "kube-system"},
    });
    let default = super::Config::default().subject;
    assert_eq!(subject_of(&default, &alert.to_string()), "falco.notice.contact_k8s_api_server_from_container");
    assert_eq!(subject_of("a.{k8s.ns.name}.{proc.name}", &alert.to_string()), "a.kube-system.unknown");
}

/// Scenario: templates with wildcards, empty words, open braces, misspelt fields, and a field as their first word.
/// Guarantee: each is refused with its reason.
#[test]
fn bad_templates_are_refused() {
    for (template, because) in [
        ("", "`subject` is empty"),
        ("falco.*", "remove '*'"),
        ("falco.>", "remove '>'"),
        ("falco a", "remove ' '"),
        ("$JS.API.x", "remove '$'"),
        ("falco..a", "a word of the subject is empty"),
        (".falco", "a word of the subject is empty"),
        ("falco.{rule", "a brace is not closed"),
        ("falco.rule}", "remove '}'"),
        ("{rule}.a", "must be plain text"),
        ("a{rule}.a", "must be plain text"),
        ("falco.{prioritty}", "prioritty"),
        ("falco.{}", ""),
    ] {
        let (subject, said) = compiled(template);
        assert!(subject.is_none() && said.iter().any(|text| text.contains(because)), "{template}: {said:?}");
    }
    assert_eq!(compiled("falco.all").0.unwrap().constant(), Some("falco.all"));
    assert_eq!(compiled("falco.{rule}").0.unwrap().constant(), None);
}
