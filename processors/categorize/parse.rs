//! Parsers: what a rule says in its text only, taken out into attributes.
//!
//! Promises: time is linear in the text (no back-tracking); at most [`MAX_TEXT`] of it is read; an attribute that is there
//! stays; names are the configuration's, only values are the event's.

use super::rule;
use crate::globs;
use lanner_conditions::{Field, FieldConfig, Seen};
use lanner_engine::{config::Pattern, event::cut, prelude::*};
use std::collections::BTreeMap;

/// Most text that a parser reads, in bytes.
const MAX_TEXT: usize = 64 * 1024;
/// Longest value, in bytes.
const MAX_VALUE: usize = 4096;
/// Most groups of a pattern.
const MAX_GROUPS: usize = 64;

/// Attributes out of the text of a rule's alerts.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParserConfig {
    /// The rule, by name or with wildcards.
    pub rule: String,
    /// Where the text is: `output` is the message; or a field such as `proc.cmdline`.
    pub from: FieldConfig,
    /// Regular expression with named groups, for example `user=(?P<user>\S+)`. It runs in linear time.
    pub pattern: Option<Pattern>,
    /// Attribute for each named group; a group that is not listed fills the attribute of its own name, such as
    /// `(?P<db.namespace>\w+)`.
    pub attributes: BTreeMap<String, String>,
}

impl Default for ParserConfig {
    fn default() -> Self {
        Self { rule: "*".into(), from: "output".into(), pattern: None, attributes: BTreeMap::new() }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is no `pattern`; write one with a named group, for example `user=(?P<user.name>\\S+)`")]
struct NoPattern;

#[derive(Debug, thiserror::Error)]
#[error("the pattern has no named group, so it gives nothing; name one, for example `(?P<user.name>\\S+)`")]
struct NoGroups;

#[derive(Debug, thiserror::Error)]
#[error("the pattern has more than {MAX_GROUPS} groups; use several parsers")]
struct TooManyGroups;

#[derive(Debug, thiserror::Error)]
#[error("the pattern has no group `{group}`; its groups are {known}")]
struct UnknownGroup {
    group: String,
    known: String,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` cannot be filled by a parser; choose another attribute")]
struct Protected(String);

/// A checked parser.
pub(super) struct Parser {
    rule: globs::Name,
    from: Field,
    pattern: Pattern,
    /// By number of the group.
    attributes: Vec<(usize, Key)>,
}

impl ParserConfig {
    pub(super) fn check(self, path: &str, cx: &mut PlanCx<'_>) -> Option<Parser> {
        let rule = globs::Name::check(&self.rule, &format!("{path}.rule"), cx);
        let from = self.from.compile(&format!("{path}.from"), cx);
        let Some(pattern) = self.pattern else {
            cx.error(path, NoPattern);
            return None;
        };
        let groups: Vec<(usize, &str)> =
            pattern.0.capture_names().enumerate().filter_map(|(number, name)| Some((number, name?))).collect();
        let mut sound = true;
        if groups.is_empty() {
            cx.error(&format!("{path}.pattern"), NoGroups);
            sound = false;
        }
        if groups.len() > MAX_GROUPS {
            cx.error(&format!("{path}.pattern"), TooManyGroups);
            sound = false;
        }
        for group in self.attributes.keys() {
            if !groups.iter().any(|(_, known)| known == group) {
                let known: Vec<_> = groups.iter().map(|(_, name)| format!("`{name}`")).collect();
                let error = UnknownGroup { group: group.clone(), known: known.join(", ") };
                cx.error(&format!("{path}.attributes"), error);
                sound = false;
            }
        }
        let name_of = |group: &str| self.attributes.get(group).cloned().unwrap_or_else(|| group.to_owned());
        let attributes: Vec<_> = groups.into_iter().map(|(number, group)| (number, name_of(group))).collect();
        for (_, name) in &attributes {
            if name.is_empty() || name == "log.record.uid" {
                cx.error(&format!("{path}.attributes"), Protected(name.clone()));
                sound = false;
            }
        }
        let attributes = attributes.iter().map(|(number, name)| (*number, Key::intern(name))).collect();
        Some(Parser { rule: rule?, from: from?, pattern, attributes }).filter(|_| sound)
    }
}

/// Runs the parsers of the record's rule; false when there are some and none of them found anything.
pub(super) fn run(parsers: &[Parser], resource: &Resource, record: &mut LogRecord) -> bool {
    let (mut tried, mut found) = (false, false);
    for parser in parsers.iter().filter(|parser| !parser.attributes.is_empty()) {
        if parser.rule.is_match(rule(record)) {
            tried = true;
            found |= parser.run(resource, record);
        }
    }
    found || !tried
}

impl Parser {
    fn run(&self, resource: &Resource, record: &mut LogRecord) -> bool {
        let Some(text) = self.from.text(Seen { resource, record }) else { return false };
        let Some(captures) = self.pattern.0.captures(cut(&text, MAX_TEXT)) else { return false };
        for (number, key) in &self.attributes {
            if let Some(part) = captures.get(*number).filter(|part| !part.as_str().is_empty())
                && !record.attrs.contains(key)
            {
                record.attrs.set(key.clone(), Value::text(cut(part.as_str(), MAX_VALUE)));
            }
        }
        true
    }
}
