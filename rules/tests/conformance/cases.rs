//! The shapes of the cases, and which parts of them are not run, with the reason. Shared with the tests of the command
//! line, which include this file, so that there is one such list.

#![allow(dead_code, reason = "each test uses a part")]

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A case of `filter_parser_cases.json`.
#[derive(Deserialize)]
pub struct ParserCase {
    pub expr: String,
    pub valid: bool,
    #[serde(default)]
    ws_variants: bool,
    pub as_string: Option<String>,
    pub positions: Option<String>,
    pub source: String,
}

impl ParserCase {
    /// The expression, also with other blanks between the words where upstream does that.
    pub fn variants(&self) -> Vec<String> {
        let blanks: &[&str] = if self.ws_variants { &[" ", "\t", "\n", "\r", "  ", " \n\t"] } else { &[" "] };
        blanks.iter().map(|blank| self.expr.replace(' ', blank)).collect()
    }
}

/// `filter_eval_cases.json`.
#[derive(Deserialize)]
pub struct EvalCases {
    pub cases: Vec<EvalCase>,
}

#[derive(Deserialize)]
pub struct EvalCase {
    pub expr: String,
    pub result: bool,
    #[serde(default)]
    pub fields: BTreeMap<String, Value>,
    pub source: String,
}

impl EvalCase {
    /// The event, as far as it is known: where the data does not say what it was, what the test upstream has.
    pub fn event(&self) -> BTreeMap<String, Value> {
        let mut fields = self.fields.clone();
        let mut set = |name: &str, value: Value| {
            fields.entry(name.to_owned()).or_insert(value);
        };
        let test = self.source.rsplit('.').next().unwrap_or_default();
        match test {
            "boolean_evaluation" => {
                fields.insert("c.true".to_owned(), "1".into());
                fields.insert("c.false".to_owned(), Value::Null);
            }
            "filter_simple_evaluation" | "filter_cache_disabled" | "filter_cache_enabled" => {
                set("evt.type", "getcwd".into());
            }
            "filter_val_transformer" => set("evt.args", "res=0 path=".into()),
            "len_transformer" => {
                set("fd.types", json!(["file"]));
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
                set("evt.plugininfo", Value::Null);
                set("sample.is_open", 0.into());
            }
            _ => {}
        }
        fields
    }
}

/// `rule_loader_cases.json`.
#[derive(Deserialize)]
pub struct LoaderCases {
    pub cases: Vec<LoaderCase>,
}

#[derive(Deserialize)]
pub struct LoaderCase {
    pub name: String,
    pub steps: Vec<Map<String, Value>>,
}

/// Why a step of a loader case is not run.
pub fn without_counterpart(step: &Map<String, Value>) -> Option<&'static str> {
    if step.contains_key("schema_validation") {
        return Some("the JSON schema check of rule files, which is advisory upstream, is not there");
    }
    match step.get("call").and_then(Value::as_str)? {
        "add_extra_output_formatted_field" => Some("fields are added to templates only, not to output fields alone"),
        "enable_rule" | "enable_rule_by_tag" | "enable_rule_wildcard" => Some(
            "there are no rulesets by number; rules are switched on and off by choices, which have tests of their own",
        ),
        _ => None,
    }
}

/// A case of `rules_validation_cases.json`.
#[derive(Deserialize)]
pub struct ValidationCase {
    pub name: String,
    pub rules_files: Vec<RulesFile>,
    pub exit_code: i32,
    pub expect: Vec<Finding>,
}

#[derive(Deserialize)]
pub struct RulesFile {
    pub name: String,
    pub content: String,
}

#[derive(Deserialize)]
pub struct Finding {
    pub set: String,
    #[serde(rename = "Code")]
    pub code: Option<String>,
    #[serde(rename = "ItemType")]
    pub item_type: Option<String>,
    #[serde(rename = "ItemName")]
    pub item_name: Option<String>,
    #[serde(rename = "Message")]
    message: Option<String>,
}

impl Finding {
    /// What is said, unless it is the message of a library upstream, which nothing else can say.
    pub fn message(&self) -> Option<&str> {
        const FOREIGN: [&str; 1] = ["yaml-cpp:"];
        self.message.as_deref().filter(|text| !FOREIGN.iter().any(|foreign| text.starts_with(foreign)))
    }
}

/// `k8saudit/<case>/expected.json`.
#[derive(Deserialize)]
pub struct Expected {
    pub rule_counts: BTreeMap<String, usize>,
    pub total: Option<usize>,
    pub asserted: Asserted,
    pub derived: Option<Derived>,
}

#[derive(Deserialize)]
pub struct Asserted {
    #[serde(default)]
    pub has_priority: Vec<String>,
    #[serde(default)]
    pub no_priority: Vec<String>,
}

/// A hint, from an independent evaluation.
#[derive(Deserialize)]
pub struct Derived {
    pub first: Counts,
    pub all: Counts,
    #[serde(default)]
    pub alerts_first: Vec<Hint>,
}

#[derive(Deserialize)]
pub struct Counts {
    pub rule_counts: BTreeMap<String, usize>,
}

#[derive(Deserialize, Debug)]
pub struct Hint {
    pub rule: String,
    pub priority: String,
    pub time_ns: u64,
    pub message: String,
}
