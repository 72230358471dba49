//! Containers of a pod that is created or changed.

use super::{
    event::{AuditEvent, Parity},
    extract::{list, picked},
    fields::{OfContainer, in_spec},
    json::Json,
};
use crate::evaluate::Value;
use bumpalo::collections::String;

/// What is asked of the containers of a list, or only of the one of the index.
pub(super) fn containers<'a>(
    name: &'static str,
    what: OfContainer,
    index: Option<usize>,
    parity: Parity,
    event: &AuditEvent<'a>,
) -> Option<Value<'a>> {
    let mut containers = picked(event.root.at(&in_spec(name))?, index)?;
    match what {
        // One container without it makes all of it missing.
        OfContainer::Required(member) => {
            let mut values = bumpalo::collections::Vec::new_in(event.arena.bump());
            for container in containers {
                values.push(container.get(member)?.value());
            }
            list(event, values.into_iter())
        }
        OfContainer::Repository => {
            let mut values = bumpalo::collections::Vec::new_in(event.arena.bump());
            for container in containers {
                values.push(Value::from(repository(container.get("image")?.text(), parity)));
            }
            list(event, values.into_iter())
        }
        OfContainer::Words(member) => list(
            event,
            containers.filter_map(|container| container.get(member)).filter_map(|words| joined(words, event)),
        ),
        OfContainer::Security(path) => {
            let contexts = containers.filter_map(|container| container.get("securityContext"));
            list(event, contexts.filter_map(|context| context.at(path)).map(Json::value))
        }
        OfContainer::Effective(member) => {
            let of_pod = event.root.at(&in_spec("securityContext")).and_then(|context| context.get(member));
            let effective = |container: Json<'a>| {
                let own = container.get("securityContext").and_then(|context| context.get(member));
                match parity {
                    // Upstream looks beside the security contexts.
                    Parity::Upstream => Value::from("0"),
                    Parity::Corrected => own.or(of_pod).map_or(Value::from("0"), Json::value),
                }
            };
            list(event, containers.map(effective))
        }
        OfContainer::HostPorts => {
            let ports = containers.by_ref().filter_map(|container| container.get("ports")).filter_map(Json::items);
            let port = |port: Json<'a>| port.get("hostPort").or_else(|| port.get("containerPort"));
            list(event, ports.flatten().filter_map(port).map(Json::value))
        }
    }
}

/// Whether any container is privileged; `None` if there are no containers.
pub(super) fn any_privileged(event: &AuditEvent<'_>) -> Option<bool> {
    let mut containers = event.root.at(&in_spec("containers"))?.items()?;
    Some(containers.any(|container| {
        container.at(&["securityContext", "privileged"]).is_some_and(|privileged| privileged.raw() == "true")
    }))
}

/// An image without tag and digest. A port of the registry is not a tag.
fn repository(image: &str, parity: Parity) -> &str {
    if parity == Parity::Upstream {
        let name = image.split(':').next().unwrap_or_default();
        return name.split('@').next().unwrap_or_default();
    }
    let name = image.split('@').next().unwrap_or_default();
    let path = name.rfind('/').map_or(0, |slash| slash + 1);
    match name.get(path..).and_then(|last| last.find(':')) {
        Some(tag) => name.get(..path + tag).unwrap_or(name),
        None => name,
    }
}

/// An array of words with blanks between; `None` if it is none.
fn joined<'a>(words: Json<'a>, event: &AuditEvent<'a>) -> Option<Value<'a>> {
    let mut text = String::new_in(event.arena.bump());
    for (index, word) in words.items()?.enumerate() {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(word.text());
    }
    Some(Value::from(text.into_bump_str()))
}
