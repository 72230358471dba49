//! What conditions say about events.

use super::{
    cases::EvalCases,
    data::{Tally, json},
    event::{Event, TestSchema, compile, holds},
};
use lanner_rules::evaluate::Arena;
use std::collections::BTreeMap;

/// Scenario: every evaluation that the tests upstream assert.
/// Guarantee: the same result. Where the data does not say what the event was, the fields of the event in the
/// upstream test are supplied here, as far as its kind is known; the rest is counted as skipped.
#[test]
fn evaluates_as_falco_does() {
    let Some(cases) = json::<EvalCases>("filter_eval_cases.json") else { return };
    let mut tally = Tally::new("filter_eval_cases");
    for case in &cases.cases {
        let (program, node, _) = match compile(&TestSchema::new(), &case.expr) {
            Ok(compiled) => compiled,
            Err(error) => {
                tally.check(false, || format!("{:?}: {error}", case.expr));
                continue;
            }
        };
        let mut fields = case.fields.clone();
        supply(&case.source, &mut fields);
        let arena = Arena::new();
        let event = Event::new(&program, &fields, &arena);
        let unknown = program.fields().iter().any(|field| {
            let named = |name: &str| name == &*field.name || name.starts_with(&format!("{}[", field.name));
            !fields.keys().any(|name| named(name))
        });
        if unknown {
            tally.skip(format!("{} (the event is not known)", case.expr));
            continue;
        }
        let found = holds(&program, node, &event);
        tally.check(found == case.result, || format!("{:?} should be {} ({})", case.expr, case.result, case.source));
    }
    tally.finish(140);
}

/// What the events of some tests upstream are.
fn supply(source: &str, fields: &mut BTreeMap<String, serde_json::Value>) {
    let mut set = |name: &str, value: serde_json::Value| {
        fields.entry(name.to_owned()).or_insert(value);
    };
    let test = source.rsplit('.').next().unwrap_or_default();
    match test {
        "boolean_evaluation" => {
            fields.insert("c.true".to_owned(), "1".into());
            fields.insert("c.false".to_owned(), serde_json::Value::Null);
        }
        "filter_simple_evaluation" | "filter_cache_disabled" | "filter_cache_enabled" => {
            set("evt.type", "getcwd".into());
        }
        "filter_val_transformer" => set("evt.args", "res=0 path=".into()),
        "len_transformer" => {
            set("fd.types", serde_json::json!(["file"]));
            set("fd.name", "/tmp/file_to_run".into());
        }
        "bytebuf_bcontains_bstartswith" => set("evt.buffer", "hello".into()),
        "bytebuf_matches_nul" => set("evt.buffer", "a\0b".into()),
        "contains_icontains" => set("evt.arg.flags", "O_RDONLY|O_CREAT".into()),
        "net_ipv4_compare" | "net_ipv6_compare" | "net_modifier_ip_compare" => {
            let server = fields.get("fd.sip").cloned().unwrap_or_default();
            for name in ["fd.ip", "fd.net"] {
                fields.insert(name.to_owned(), server.clone());
            }
        }
        "signed_int_compare" => {
            set("evt.cpu", 1.into());
            set("fd.num", 4.into());
        }
        "filter_cache_corner_cases" => {
            set("evt.arg[1]", "/test/dir".into());
            set("evt.source", "syscall".into());
            set("evt.plugininfo", serde_json::Value::Null);
            set("sample.is_open", 0.into());
        }
        _ => {}
    }
}
