//! A record as people know it: its title, its place, and its fields as text.
//!
//! Promises: names of fields are those a rule's author wrote (`proc.cmdline`, not `process.command_line`), as in
//! [`falco_event`](crate::falco_event), so that there is no second list; what the mapping derived (categories, ids, ATT&CK) is
//! no field; a field shows once, and the order is by name, so that equal alerts look equal.

use crate::falco_event::{output_fields, text_of};
use lanner_engine::{
    event::{Lent, Value},
    prelude::*,
    semantics::keys,
};
use std::borrow::Cow;

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

    /// Every field that says something, by name.
    pub fn fields(&self) -> Vec<(Cow<'a, str>, String)> {
        let fields = output_fields(&Lent::of(self.resource, self.record));
        let shown = fields.into_iter().map(|(name, value)| (name, shown(&value.to_value()).into_owned()));
        shown.filter(|(_, text)| !text.is_empty()).collect()
    }
}

/// A value as text: lists with commas, maps as JSON.
pub fn shown(held: &Value) -> Cow<'_, str> {
    match held {
        Value::Empty => Cow::Borrowed(""),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", ").into(),
        other => text_of(other),
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
                "proc.aname[2]=sh",
                "proc.aname[3]=runc",
                "proc.cmdline=bash -i",
                "proc.tty=34816",
                "team=blue",
                "user.name=root"
            ]
        );
        assert_eq!((view.title(), view.place().as_deref()), ("Shell", Some("shop/cart-1/abc")));
    }
}
