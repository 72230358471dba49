//! The output fields of a record: the mapping's table, read backwards.

use lanner_conditions::Seen;
use lanner_engine::{
    event::{Attributes, Value},
    semantics::{
        falco::table::{As, Place, ROWS},
        keys,
    },
};
use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

/// What an attribute's name says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// It holds this field.
    Field(&'static str),
    /// It holds this field in a list of one.
    ListOf(&'static str),
    /// It repeats what others say.
    Derived,
}

/// Attributes that the mapping derives, or that are keys of the event itself.
const DERIVED: [&str; 28] = [
    "container.image.repo_digests",
    "error.type",
    "event.name",
    "falco.priority",
    "falco.process.ancestors",
    "falco.rule.maturity",
    "falco.source",
    "falco.tags",
    "falco.uuid",
    "file.directory",
    "file.extension",
    "file.name",
    "host.name",
    "http.request.method",
    "k8s.node.name",
    "lanner.categories",
    "lanner.clock_skew",
    "lanner.threat.origin",
    "log.record.original",
    "log.record.uid",
    "process.executable.name",
    "security_rule.category",
    "security_rule.name",
    "service.name",
    "service.namespace",
    "threat.framework",
    "url.path",
    "url.query",
];
/// The same for whole families of names.
const DERIVED_FAMILIES: [&str; 3] = ["falco.compliance.", "k8s.pod.label.", "threat."];
/// What the mapping puts in front of a field without a row.
const PRESERVED: &str = "falco.output_fields.";
/// Longest id of a container that is a short one.
const SHORT_ID: usize = 12;

static ORIGINS: LazyLock<HashMap<(bool, &'static str), Origin>> = LazyLock::new(|| {
    let mut origins = HashMap::new();
    for row in ROWS {
        // Of several attributes made from one field, the first tells it; the others only repeat it.
        let mut told = false;
        for target in row.to.iter().filter(|target| !target.name.is_empty()) {
            let origin = match target.kind {
                _ if told => Origin::Derived,
                As::Same | As::Int | As::LoginId | As::Text | As::List | As::Time | As::IpVersion => {
                    Origin::Field(row.field)
                }
                As::One => Origin::ListOf(row.field),
                _ => Origin::Derived,
            };
            told |= origin != Origin::Derived;
            let known = origins.entry((target.place == Place::Resource, target.name)).or_insert(origin);
            if *known == Origin::Derived {
                *known = origin;
            }
        }
    }
    for name in DERIVED {
        origins.insert((false, name), Origin::Derived);
        origins.insert((true, name), Origin::Derived);
    }
    origins
});

/// Every output field, sorted by name.
pub fn output_fields(seen: Seen<'_>) -> Vec<(Cow<'_, str>, Cow<'_, Value>)> {
    let mut fields = Vec::with_capacity(seen.record.attrs.len() + seen.resource.attrs.len());
    plain(&seen.record.attrs, false, &mut fields);
    plain(&seen.resource.attrs, true, &mut fields);
    combined(seen, &mut fields);
    // The sort is stable and the record comes first: it is nearer to the event than the resource.
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.dedup_by(|(later, _), (earlier, _)| later == earlier);
    fields
}

type Fields<'r> = Vec<(Cow<'r, str>, Cow<'r, Value>)>;

/// Fields that one attribute holds.
fn plain<'r>(attributes: &'r Attributes, of_resource: bool, fields: &mut Fields<'r>) {
    for (key, value) in attributes.iter().filter(|(_, value)| **value != Value::Empty) {
        let name = key.as_str();
        if let Some(preserved) = name.strip_prefix(PRESERVED) {
            fields.push((Cow::Borrowed(preserved), Cow::Borrowed(value)));
            continue;
        }
        match ORIGINS.get(&(of_resource, name)) {
            Some(Origin::Field(field)) => fields.push((Cow::Borrowed(*field), Cow::Borrowed(value))),
            Some(Origin::ListOf(field)) => {
                let first = match value {
                    Value::Array(items) => items.first().unwrap_or(value),
                    value => value,
                };
                fields.push((Cow::Borrowed(*field), Cow::Borrowed(first)));
            }
            Some(Origin::Derived) => {}
            None if DERIVED_FAMILIES.iter().any(|family| name.starts_with(family)) => {}
            None => fields.push((Cow::Borrowed(name), Cow::Borrowed(value))),
        }
    }
}

/// Fields that more than one attribute, or a part of one, makes.
fn combined<'r>(seen: Seen<'r>, fields: &mut Fields<'r>) {
    let held = |name: &str| fields.iter().any(|(field, _)| field == name);
    let mut made: Vec<(String, Cow<'r, Value>)> = Vec::new();
    let attribute = |name: &str| seen.record.attrs.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value);
    if let Some(path) = attribute("file.path")
        && !["evt.arg.path", "evt.arg.name", "evt.arg.newpath"]
            .iter()
            .any(|field| fields.iter().any(|(name, value)| name == field && **value == *path))
        && !held("fd.name")
    {
        made.push(("fd.name".into(), Cow::Borrowed(path)));
    }
    if let Some(Value::Array(names)) = attribute("falco.process.ancestors") {
        let numbered = names.iter().enumerate();
        made.extend(numbered.map(|(place, name)| (format!("proc.aname[{}]", place + 2), Cow::Borrowed(name))));
    }
    if let Some(Value::Array(digests)) = seen.resource.attrs.get(&keys::IMAGE_DIGESTS)
        && let Some((_, digest)) = digests.first().and_then(Value::as_str).and_then(|text| text.split_once('@'))
    {
        made.push(("container.image.digest".into(), Cow::Owned(Value::text(digest))));
    }
    if let Some(id) = seen.resource.attrs.get_str(&keys::CONTAINER_ID) {
        let short = id.get(..SHORT_ID).unwrap_or(id);
        made.push(("container.id".into(), Cow::Owned(Value::text(short))));
    }
    let labels = seen.resource.attrs.iter().filter_map(|(key, value)| {
        let label = key.as_str().strip_prefix("k8s.pod.label.")?;
        Some(format!("{label}:{}", super::text_of(value)))
    });
    let labels: Vec<String> = labels.collect();
    if !labels.is_empty() {
        made.push(("k8s.pod.labels".into(), Cow::Owned(Value::text(labels.join(", ")))));
    }
    // The first source address of an audit event is its client's, but no field of its own.
    if held("ka.sourceips") {
        fields.retain(|(name, _)| name != "fd.cip");
    }
    // A container's short id is its full one unless that is longer.
    let short = fields
        .iter()
        .position(|(name, value)| name == "container.full_id" && value.as_str().is_some_and(|id| id.len() <= SHORT_ID));
    if let Some(short) = short {
        fields.swap_remove(short);
    }
    fields.extend(made.into_iter().map(|(name, value)| (Cow::Owned(name), value)));
}
