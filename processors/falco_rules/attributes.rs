//! An audit event from the attributes of its record, for records whose text is not there any more.
//!
//! Promises: every attribute of the mapping that a field of the rules can ask for stands where the API server would have
//! written it; the objects are missing, so rules about what a pod or a role contains do not match.

use lanner_engine::{event::Key, prelude::*, semantics::keys};
use serde_json::{Map, Value as Json};
use std::sync::LazyLock;

/// A member of an event, and the attribute that it became.
type Member = (&'static str, Key);

/// Members by the object around them; `""` is the event itself.
static MEMBERS: LazyLock<Vec<(&'static str, Vec<Member>)>> = LazyLock::new(|| {
    let of = |names: &[(&'static str, &str)]| names.iter().map(|(member, name)| (*member, Key::intern(name))).collect();
    vec![
        (
            "",
            of(&[
                ("auditID", "k8s.audit.event.id"),
                ("level", "k8s.audit.event.level"),
                ("stage", "k8s.audit.event.stage"),
                ("verb", "k8s.audit.event.request.verb"),
                ("requestURI", "k8s.audit.event.request.uri"),
                ("userAgent", "k8s.audit.event.user_agent"),
                ("sourceIPs", "k8s.audit.event.source_ips"),
            ]),
        ),
        ("user", of(&[("username", "k8s.user.username"), ("uid", "user.id"), ("groups", "k8s.user.groups")])),
        (
            "impersonatedUser",
            of(&[
                ("username", "k8s.audit.event.impersonated_user.username"),
                ("groups", "k8s.audit.event.impersonated_user.groups"),
            ]),
        ),
        (
            "objectRef",
            of(&[
                ("resource", "k8s.audit.event.object_ref.resource"),
                ("subresource", "k8s.audit.event.object_ref.subresource"),
                ("namespace", "k8s.audit.event.object_ref.namespace"),
                ("name", "k8s.audit.event.object_ref.name"),
                ("apiGroup", "k8s.audit.event.object_ref.api_group"),
                ("apiVersion", "k8s.audit.event.object_ref.api_version"),
                ("uid", "k8s.audit.event.object_ref.uid"),
            ]),
        ),
        ("responseStatus", of(&[("code", "k8s.audit.event.response.code"), ("reason", "error.type")])),
    ]
});

/// What the attributes of annotations begin with.
const ANNOTATION: &str = "k8s.audit.event.annotation.";

/// The JSON of the event, as far as the attributes have it.
pub fn event(record: &LogRecord) -> String {
    let mut event = Map::new();
    for (object, members) in MEMBERS.iter() {
        let found =
            members.iter().filter_map(|(member, key)| Some(((*member).to_owned(), json(record.attrs.get(key)?)?)));
        match *object {
            "" => event.extend(found),
            object => {
                let members: Map<_, _> = found.collect();
                if !members.is_empty() {
                    event.insert(object.to_owned(), Json::Object(members));
                }
            }
        }
    }
    let annotations = record
        .attrs
        .iter()
        .filter_map(|(key, value)| Some((key.as_str().strip_prefix(ANNOTATION)?.to_owned(), json(value)?)));
    event.insert("annotations".to_owned(), Json::Object(annotations.collect()));
    // Without an id there would be no field at all.
    if !event.contains_key("auditID") {
        let uid = record.attrs.get_str(&keys::UID).unwrap_or_default();
        event.insert("auditID".to_owned(), uid.into());
    }
    Json::Object(event).to_string()
}

/// A value of the mapping; none for what it never writes.
fn json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Text(text) => text.as_str().into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Array(items) => Json::Array(items.iter().filter_map(json).collect()),
        Value::Double(_) | Value::Bytes(_) | Value::Map(_) | Value::Empty => return None,
    })
}
