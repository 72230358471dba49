//! The output fields of a record: the mapping's table, read backwards.

use lanner_engine::{
    event::{AttributesRef, Key, KeyRef, Lent, ValueRef},
    semantics::{
        falco::table::{As, Place, ROWS},
        keys,
    },
};
use std::{borrow::Cow, sync::LazyLock};

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
static ANCESTORS: LazyLock<Key> = LazyLock::new(|| Key::intern("falco.process.ancestors"));
/// Longest id of a container that is a short one.
const SHORT_ID: usize = 12;

/// What is known of names, by the number of their key.
#[derive(Default)]
struct Origins {
    record: Vec<Option<Origin>>,
    resource: Vec<Option<Origin>>,
}

impl Origins {
    fn of(&self, key: KeyRef<'_>, of_resource: bool) -> Option<Origin> {
        let origins = if of_resource { &self.resource } else { &self.record };
        *origins.get(key.number()?)?
    }

    fn entry(&mut self, name: &str, of_resource: bool) -> &mut Option<Origin> {
        let origins = if of_resource { &mut self.resource } else { &mut self.record };
        // It has just been interned.
        let number = Key::intern(name).number().unwrap_or_default();
        if origins.len() <= number {
            origins.resize(number + 1, None);
        }
        &mut origins[number]
    }
}

static ORIGINS: LazyLock<Origins> = LazyLock::new(|| {
    let mut origins = Origins::default();
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
            let known = origins.entry(target.name, target.place == Place::Resource);
            if matches!(known, None | Some(Origin::Derived)) {
                *known = Some(origin);
            }
        }
    }
    for name in DERIVED {
        *origins.entry(name, false) = Some(Origin::Derived);
        *origins.entry(name, true) = Some(Origin::Derived);
    }
    origins
});

/// Every output field, sorted by name.
pub fn output_fields<'r>(record: &Lent<'r>) -> Fields<'r> {
    let mut fields = Vec::with_capacity(record.attrs.iter().len() + record.resource.iter().len());
    plain(&record.attrs, false, &mut fields);
    plain(&record.resource, true, &mut fields);
    combined(record, &mut fields);
    // The sorts are stable and the record comes first: it is nearer to the event than the resource. The first one compares numbers
    // and leaves little to the other.
    fields.sort_by_cached_key(|(name, _)| beginning(name));
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.dedup_by(|(later, _), (earlier, _)| later == earlier);
    fields
}

/// The first bytes of a name, in the order of names; that of equal ones is not known.
fn beginning(name: &str) -> u64 {
    let first = name.as_bytes().first_chunk().copied();
    u64::from_be_bytes(first.unwrap_or_else(|| std::array::from_fn(|at| name.as_bytes().get(at).copied().unwrap_or(0))))
}

type Fields<'r> = Vec<(Cow<'r, str>, ValueRef<'r>)>;

/// Fields that one attribute holds.
fn plain<'r>(attributes: &AttributesRef<'r>, of_resource: bool, fields: &mut Fields<'r>) {
    for (key, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
        let name = key.as_str();
        let mut push = |field: &'r str, value: &ValueRef<'r>| fields.push((Cow::Borrowed(field), value.clone()));
        match ORIGINS.of(*key, of_resource) {
            Some(Origin::Field(field)) => push(field, value),
            Some(Origin::ListOf(field)) => push(field, value.items().unwrap_or_default().first().unwrap_or(value)),
            Some(Origin::Derived) => {}
            None => match name.strip_prefix(PRESERVED) {
                Some(preserved) => push(preserved, value),
                None if DERIVED_FAMILIES.iter().any(|family| name.starts_with(family)) => {}
                None => push(name, value),
            },
        }
    }
}

/// Fields that more than one attribute, or a part of one, makes.
fn combined<'r>(record: &Lent<'r>, fields: &mut Fields<'r>) {
    let held = |name: &str| fields.iter().any(|(field, _)| field == name);
    let mut made: Vec<(Cow<'r, str>, ValueRef<'r>)> = Vec::new();
    if let Some(path) = record.attrs.get(&keys::FILE_PATH)
        && !["evt.arg.path", "evt.arg.name", "evt.arg.newpath"]
            .iter()
            .any(|field| fields.iter().any(|(name, value)| name == field && value == path))
        && !held("fd.name")
    {
        made.push(("fd.name".into(), path.clone()));
    }
    if let Some(names) = record.attrs.get(&ANCESTORS).and_then(ValueRef::items) {
        let numbered = names.into_iter().enumerate();
        made.extend(numbered.map(|(place, name)| (format!("proc.aname[{}]", place + 2).into(), name)));
    }
    if let Some(digests) = record.resource.get(&keys::IMAGE_DIGESTS).and_then(ValueRef::items)
        && let Some((_, digest)) = digests.first().and_then(ValueRef::as_lent_str).and_then(|text| text.split_once('@'))
    {
        made.push(("container.image.digest".into(), ValueRef::Text(digest.into())));
    }
    if let Some(id) = record.resource.get_str(&keys::CONTAINER_ID) {
        let short = id.get(..SHORT_ID).unwrap_or(id);
        made.push(("container.id".into(), ValueRef::Text(short.into())));
    }
    let labels = record.resource.iter().filter_map(|(key, value)| {
        let label = key.as_str().strip_prefix("k8s.pod.label.")?;
        Some(format!("{label}:{}", super::shown(value)))
    });
    let labels: Vec<String> = labels.collect();
    if !labels.is_empty() {
        made.push(("k8s.pod.labels".into(), ValueRef::Text(labels.join(", ").into())));
    }
    // The first source address of an audit event is its client's, but no field of its own.
    if held("ka.sourceips") {
        fields.retain(|(name, _)| name != "fd.cip");
    }
    // A container's short id is its full one unless that is longer.
    let short = |value: &ValueRef<'_>| value.as_lent_str().is_some_and(|id| id.len() <= SHORT_ID);
    let short = fields.iter().position(|(name, value)| name == "container.full_id" && short(value));
    if let Some(short) = short {
        fields.swap_remove(short);
    }
    fields.extend(made);
}
