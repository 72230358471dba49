//! Looking a field up in an event.

use super::{
    SOURCE,
    event::{AuditEvent, Parity},
    fields::{self, Place},
    json::Json,
    pod, query, text,
};
use crate::{
    evaluate::{Field, Value},
    generic::{self, Common},
};
use bumpalo::collections::Vec as BumpVec;
use std::{
    fmt::{self, Write},
    sync::Arc,
};

/// Where a field of a program is, with its argument read.
#[derive(Debug, Clone)]
pub(super) enum Lookup {
    /// A field of every event.
    Generic(Arc<str>),
    /// A field of the table. `index` is its argument where that is a number.
    Placed { place: Place, needs_id: bool, index: Option<usize>, key: Arc<str>, parity: Parity },
    /// A JSON pointer.
    Pointer(Box<[Box<str>]>),
}

impl Lookup {
    pub fn new(field: &Field, parity: Parity) -> Self {
        let Some((name, place)) = fields::place(field.key) else { return Self::Generic(Arc::clone(&field.name)) };
        let argument = field.argument.as_deref().unwrap_or_default();
        if place == Place::Pointer {
            return Self::Pointer(tokens(argument));
        }
        let needs_id = name.starts_with("ka.");
        Self::Placed { place, needs_id, index: argument.parse().ok(), key: argument.into(), parity }
    }
}

/// The parts of a JSON pointer, whose leading `/` may be left out. An empty one is the whole event.
fn tokens(pointer: &str) -> Box<[Box<str>]> {
    let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
    if pointer.is_empty() {
        return Box::default();
    }
    pointer.split('/').map(|token| token.replace("~1", "/").replace("~0", "~").into()).collect()
}

pub(super) fn look_up<'a>(lookup: &Lookup, event: &AuditEvent<'a>) -> Value<'a> {
    match lookup {
        Lookup::Generic(name) => generic::value(name, &common(event), event.arena),
        Lookup::Pointer(tokens) => {
            let found = tokens.iter().try_fold(event.root, |value, token| value.step(token));
            found.map_or(Value::Absent, Json::value)
        }
        Lookup::Placed { needs_id: true, .. } if !event.is_audit => Value::Absent,
        Lookup::Placed { place, index, key, parity, .. } => {
            placed(*place, *index, key, *parity, event).unwrap_or_default()
        }
    }
}

fn common<'a>(event: &AuditEvent<'a>) -> Common<'a> {
    Common {
        number: event.meta.number,
        time: event.time(),
        source: SOURCE,
        plugin: "k8saudit",
        info: event.root.raw(),
        hostname: event.meta.hostname,
    }
}

fn placed<'a>(
    place: Place,
    index: Option<usize>,
    key: &str,
    parity: Parity,
    event: &AuditEvent<'a>,
) -> Option<Value<'a>> {
    let root = event.root;
    match place {
        Place::Value(path) => root.at(path).map(Json::value),
        Place::Members(path) => list(event, root.at(path)?.items()?.map(Json::value)),
        Place::Each(path, rest) => {
            list(event, picked(root.at(path)?, index)?.filter_map(|member| member.at(rest)).map(Json::value))
        }
        Place::Flat(path, name) => {
            let members = picked(root.at(path)?, index)?;
            let inner = members.filter_map(|member| member.get(name)).filter_map(Json::items);
            list(event, inner.flatten().map(Json::value))
        }
        Place::Whole(path) => {
            let array = root.at(path)?;
            let is_empty = array.items()?.len() == 0;
            if is_empty { None } else { list(event, std::iter::once(array.value())) }
        }
        Place::Container(name, what) => pod::containers(name, what, index, parity, event),
        Place::FirstContainer(what) => match pod::containers("containers", what, Some(0), parity, event)? {
            Value::List([first, ..]) => Some(*first),
            _ => None,
        },
        Place::AnyPrivileged => pod::any_privileged(event).map(boolean),
        Place::Subjects(kind) => {
            let subjects = root.at(&["requestObject", "subjects"])?.items()?;
            let of_kind = subjects.filter(|subject| is(*subject, "kind", kind));
            list(event, of_kind.filter_map(|subject| subject.get("name")).map(Json::value))
        }
        Place::AccountsWithNamespace => {
            let subjects = root.at(&["requestObject", "subjects"])?.items()?;
            let accounts = subjects.filter(|subject| is(*subject, "kind", "ServiceAccount"));
            let named = accounts.filter_map(|subject| {
                let (namespace, name) = (subject.get("namespace")?.text(), subject.get("name")?.text());
                Some(formatted(event, format_args!("{namespace}:{name}")))
            });
            list(event, named)
        }
        // Upstream never looks.
        Place::HasSubject if parity == Parity::Upstream => Some(boolean(true)),
        Place::HasSubject => {
            let mut subjects = root.at(&["requestObject", "subjects"])?.items()?;
            Some(boolean(subjects.any(|subject| is(subject, "name", key))))
        }
        Place::UriParameter => query::parameter(root.get("requestURI")?.text(), key, event.arena).map(Value::Text),
        Place::TargetPod => {
            let target = root.get("objectRef")?;
            let is_pod = is(target, "resource", "pods") && target.get("subresource").is_none();
            if is_pod { root.at(&["responseObject", "metadata", "name"]).map(Json::value) } else { None }
        }
        Place::VolumeTypes => {
            let volumes = picked(root.at(&fields::in_spec("volumes"))?, index)?;
            let names = volumes.flat_map(Json::names).filter(|name| *name != "name");
            list(event, names.map(Value::from))
        }
        Place::HasHostPath => {
            let volumes = root.at(&fields::in_spec("volumes"))?.items()?;
            let mut paths = volumes.filter_map(|volume| volume.at(&["hostPath", "path"])).map(Json::text);
            Some(boolean(paths.any(|path| match key.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == key,
            })))
        }
        // Upstream looks where they never are.
        Place::SourceIps if parity == Parity::Upstream => None,
        Place::SourceIps => list(event, picked(root.get("sourceIPs")?, index)?.map(Json::value)),
        Place::Indented => Some(Value::from(text::indented(root.raw(), event.arena))),
        Place::RawTime => {
            let time = event.time()?;
            Some(formatted(event, format_args!("{time}")))
        }
        Place::Pointer => None,
    }
}

/// The members of an array, or only the one of the index.
pub(super) fn picked<'a>(array: Json<'a>, index: Option<usize>) -> Option<impl Iterator<Item = Json<'a>>> {
    let members = array.items()?;
    let length = members.len();
    if index.is_some_and(|index| index >= length) {
        return None;
    }
    let (skip, take) = index.map_or((0, length), |index| (index, 1));
    Some(members.skip(skip).take(take))
}

/// A list of these values.
pub(super) fn list<'a>(event: &AuditEvent<'a>, values: impl Iterator<Item = Value<'a>>) -> Option<Value<'a>> {
    let mut members = BumpVec::new_in(event.arena.bump());
    members.extend(values);
    if members.is_empty() { None } else { Some(Value::List(members.into_bump_slice())) }
}

fn formatted<'a>(event: &AuditEvent<'a>, text: fmt::Arguments<'_>) -> Value<'a> {
    let mut out = bumpalo::collections::String::new_in(event.arena.bump());
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
    Value::from(out.into_bump_str())
}

pub(super) fn boolean(is: bool) -> Value<'static> {
    Value::from(if is { "true" } else { "false" })
}

/// Whether a member of an object is this text.
fn is(object: Json<'_>, name: &str, text: &str) -> bool {
    object.get(name).is_some_and(|value| value.text() == text)
}
