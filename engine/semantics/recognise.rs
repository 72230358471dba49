//! What a record is. A hop between two Lanners may lose the `event_name` field, so the attributes decide as well.

use super::{event_names, keys};
use crate::event::{Key, LogRecord, Priority, SeverityNumber};

/// The attributes by which records are recognised.
pub fn recognised_by() -> [Key; 5] {
    [&keys::EVENT_NAME, &keys::RULE, &keys::PRIORITY, &keys::SOURCE, &keys::AUDIT_STAGE].map(|key| (*key).clone())
}

/// The event name: the field, else the deprecated attribute `event.name`, else empty.
fn event_name(record: &LogRecord) -> &str {
    match record.event_name.as_str() {
        "" => record.attrs.get_str(&keys::EVENT_NAME).unwrap_or_default(),
        name => name,
    }
}

/// Whether the record is an alert: named so, or unnamed with rule and priority and a source other than `internal`.
pub fn is_alert(record: &LogRecord) -> bool {
    match event_name(record) {
        event_names::FALCO_ALERT => true,
        "" => has_rule_and_priority(record) && record.attrs.get_str(&keys::SOURCE) != Some("internal"),
        _ => false,
    }
}

/// Whether the record is Falco's message about itself: named so, or unnamed with rule, priority and that source.
pub fn is_internal(record: &LogRecord) -> bool {
    match event_name(record) {
        event_names::FALCO_INTERNAL => true,
        "" => has_rule_and_priority(record) && record.attrs.get_str(&keys::SOURCE) == Some("internal"),
        _ => false,
    }
}

/// Whether the record is a Kubernetes audit event: named so, or with a stage. An alert of an audit rule may have a
/// stage too (the field `ka.stage`); it stays an alert.
pub fn is_audit(record: &LogRecord) -> bool {
    event_name(record) == event_names::K8S_AUDIT_EVENT
        || (record.attrs.contains(&keys::AUDIT_STAGE) && !is_alert(record))
}

/// How urgent the record is: by its severity number, else by the word of the alert; `None` when neither is known. A
/// number between two priorities counts as the lower one, one below all of them as the lowest.
pub fn priority(record: &LogRecord) -> Option<Priority> {
    priority_of(record.severity_number, || record.attrs.get_str(&keys::PRIORITY))
}

/// The same of a record that has this severity number, and this word of the alert if there is one.
pub fn priority_of<'r>(severity: SeverityNumber, word: impl FnOnce() -> Option<&'r str>) -> Option<Priority> {
    if severity == SeverityNumber::UNSPECIFIED {
        return Priority::parse(word()?);
    }
    let reached = Priority::ALL.into_iter().rev().find(|known| known.severity_number() <= severity);
    Some(reached.unwrap_or(Priority::Debug))
}

fn has_rule_and_priority(record: &LogRecord) -> bool {
    record.attrs.contains(&keys::RULE) && record.attrs.contains(&keys::PRIORITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Value;

    fn record(event_name: &'static str, attrs: &[(&'static str, &str)]) -> LogRecord {
        LogRecord {
            event_name: crate::event::Text::from_static(event_name),
            attrs: attrs.iter().map(|(key, value)| ((*key).into(), Value::text(*value))).collect(),
            ..LogRecord::default()
        }
    }

    /// Scenario: records as they come from a receiver, and as they look after a hop that lost `event_name`.
    /// Guarantee: an alert is recognised in both; Falco's own messages and foreign records never are.
    #[test]
    fn an_alert_is_recognised_by_name_or_by_its_attributes() {
        let ruled = [("security_rule.name", "r"), ("falco.priority", "error")];
        assert!(is_alert(&record("falco.alert", &[])));
        assert!(is_alert(&record("", &[("event.name", "falco.alert")])));
        assert!(is_alert(&record("", &ruled)));
        assert!(!is_alert(&record("lanner.incident", &ruled)));
        assert!(!is_alert(&record("", &ruled[..1])));
        let internal = [ruled[0], ruled[1], ("falco.source", "internal")];
        assert!(!is_alert(&record("", &internal)));
        assert!(is_internal(&record("", &internal)));
        assert!(is_internal(&record("falco.internal", &[])));
        assert!(!is_internal(&record("falco.alert", &internal)));
    }

    /// Scenario: an audit event with its name, one without, and an alert.
    /// Guarantee: name or stage makes an audit event.
    #[test]
    fn an_audit_event_is_recognised_by_name_or_stage() {
        assert!(is_audit(&record("k8s.audit.event", &[])));
        assert!(is_audit(&record("", &[("k8s.audit.event.stage", "Panic")])));
        assert!(!is_audit(&record("falco.alert", &[])));
        assert!(!is_audit(&record("falco.alert", &[("k8s.audit.event.stage", "Panic")])));
    }
}
