//! A record as people know it: its place, and its fields under the names that Falco gives them.
//!
//! Promises: names of fields are those a rule's author wrote (`proc.cmdline`, not `process.command_line`), from the table of
//! the mapping, so that there is no second list; what the mapping derived (categories, ids, ATT&CK) is no field; a field
//! shows once, and the order is by name, so that equal alerts look equal.

use crate::file::records::value;
use lanner_engine::{
    event::Value,
    prelude::*,
    semantics::{
        falco::table::{As, Place, ROWS},
        keys,
    },
};
use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

/// What is told apart from the fields, or was derived from them.
const NOT_A_FIELD: [&str; 18] = [
    "security_rule.",
    "log.record.",
    "event.name",
    "falco.priority",
    "falco.source",
    "falco.tags",
    "falco.uuid",
    "falco.rule.",
    "falco.compliance.",
    "threat.",
    "service.",
    "host.name",
    "k8s.node.name",
    "k8s.pod.label.",
    "lanner.categories",
    "lanner.recommendation",
    "lanner.threat.",
    "process.executable.name",
];

/// Falco's name of an attribute, where exactly one field fills it.
static FALCO_NAMES: LazyLock<HashMap<(bool, &str), Option<&str>>> = LazyLock::new(|| {
    let mut names: HashMap<(bool, &str), Option<&str>> = HashMap::new();
    for row in ROWS {
        for target in row.to.iter().filter(|target| !matches!(target.kind, As::Derived | As::Timestamp)) {
            let name = match target.kind {
                // The field stands under another name as well.
                As::NotZero | As::TextInPod => None,
                // Filled by another field when there is one.
                As::TextUnless(_) => continue,
                _ => Some(row.field),
            };
            let entry = names.entry((target.place == Place::Record, target.name));
            entry.and_modify(|known| *known = Some(target.name)).or_insert(name);
        }
    }
    // Short ids are what people look for.
    names.insert((false, "container.id"), Some("container.id"));
    names
});

/// A record with its resource, for somebody to look at.
#[derive(Clone, Copy)]
pub struct AlertView<'a> {
    pub resource: &'a Resource,
    pub record: &'a LogRecord,
}

impl<'a> AlertView<'a> {
    /// The rule; what else the record is called, where there is none.
    pub fn title(&self) -> &'a str {
        let named = self.record.attrs.get_str(&keys::RULE).unwrap_or(&self.record.event_name);
        if named.is_empty() { "Log record" } else { named }
    }

    /// The text of an attribute, of the record first.
    pub fn text(&self, key: &Key) -> Option<&'a str> {
        self.record.attrs.get_str(key).or_else(|| self.resource.attrs.get_str(key)).filter(|text| !text.is_empty())
    }

    /// `namespace/pod/container`, or the container, or the host.
    pub fn place(&self) -> Option<String> {
        let container = self.text(&keys::CONTAINER_NAME).or_else(|| self.text(&keys::CONTAINER_ID));
        let parts = [self.text(&keys::NAMESPACE_NAME), self.text(&keys::POD_NAME), container];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        match parts.is_empty() {
            true => self.text(&keys::HOST_NAME).map(str::to_owned),
            false => Some(parts.join("/")),
        }
    }

    /// What the event says.
    pub fn output(&self) -> Cow<'a, str> {
        shown(&self.record.body)
    }

    /// The rule's tags.
    pub fn tags(&self) -> Vec<&'a str> {
        match self.record.attrs.get(&keys::TAGS) {
            Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Every field that has a value, by name.
    pub fn fields(&self) -> Vec<(&'a str, Cow<'a, str>)> {
        let of_record = self.record.attrs.iter().map(|(key, value)| (true, key, value));
        let of_resource = self.resource.attrs.iter().map(|(key, value)| (false, key, value));
        let named = of_record.chain(of_resource).filter_map(|(is_record, key, value)| {
            let name = field_name(is_record, key.as_str())?;
            Some((name, shown(value))).filter(|(_, text)| !text.is_empty())
        });
        let mut fields: Vec<_> = named.collect();
        // Stable, so that the record's own value is the first of equal names.
        fields.sort_by_key(|(name, _)| *name);
        fields.dedup_by_key(|(name, _)| *name);
        fields
    }
}

/// How an attribute is called; none for what is no field.
fn field_name(is_record: bool, attribute: &str) -> Option<&str> {
    if let Some(known) = FALCO_NAMES.get(&(is_record, attribute)) {
        return *known;
    }
    if NOT_A_FIELD.iter().any(|prefix| attribute.starts_with(prefix)) {
        return None;
    }
    Some(attribute.strip_prefix("falco.output_fields.").unwrap_or(attribute))
}

/// A value as text: lists with commas, maps as JSON.
pub fn shown(held: &Value) -> Cow<'_, str> {
    match held {
        Value::Empty => Cow::Borrowed(""),
        Value::Text(text) => Cow::Borrowed(text.as_str()),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", ").into(),
        other => {
            let mut json = Vec::new();
            value(other, &mut json);
            String::from_utf8_lossy(&json).into_owned().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanner_engine::testing::log;

    /// Scenario: an alert with mapped fields, one without a row, derived attributes, and a field under two names.
    /// Guarantee: Falco's names, each once, sorted; nothing derived; values of every type.
    #[test]
    fn fields_have_falcos_names() {
        let record = log()
            .attr("security_rule.name", "Shell")
            .attr("process.command_line", "bash -i")
            .attr("falco.proc.tty", 34816i64)
            .attr("process.interactive", true)
            .attr("process.user.name", "root")
            .attr("user.name", "root")
            .attr("falco.output_fields.container.privileged", true)
            .attr("threat.technique.id", Value::Array(vec!["T1059".into()]))
            .attr("falco.process.ancestors", Value::Array(vec!["sh".into(), "runc".into()]))
            .attr("team", "blue")
            .build();
        let mut resource = Resource::default();
        resource.attrs.set("k8s.namespace.name", "shop");
        resource.attrs.set("k8s.pod.name", "cart-1");
        resource.attrs.set("container.id", "abc");
        resource.attrs.set("service.name", "falco");
        let view = AlertView { resource: &resource, record: &record };
        let fields: Vec<_> = view.fields().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            fields,
            [
                "container.id=abc",
                "container.privileged=true",
                "k8s.ns.name=shop",
                "k8s.pod.name=cart-1",
                "proc.aname=sh, runc",
                "proc.cmdline=bash -i",
                "proc.tty=34816",
                "team=blue",
                "user.name=root"
            ]
        );
        assert_eq!((view.title(), view.place().as_deref()), ("Shell", Some("shop/cart-1/abc")));
    }
}
