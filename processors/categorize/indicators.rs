//! What an investigation can go on with: one list each of processes, users, containers, files and addresses.
//!
//! Promises: only values that the record has, each once, the most telling first; at most [`MOST`] a list.

use lanner_engine::{prelude::*, semantics::keys};
use std::sync::LazyLock;

/// Longest list.
const MOST: usize = 16;

/// A list, and the attributes of the record and of its resource that fill it, in this order.
struct Row {
    list: &'static LazyLock<Key>,
    of_record: Vec<Key>,
    of_resource: Vec<Key>,
}

static ROWS: LazyLock<[Row; 5]> = LazyLock::new(|| {
    let row = |list, of_record: &[&str], of_resource: &[&str]| {
        let interned = |names: &[&str]| names.iter().map(|name| Key::intern(name)).collect();
        Row { list, of_record: interned(of_record), of_resource: interned(of_resource) }
    };
    [
        row(
            &keys::INDICATORS_PROCESS,
            &[
                "process.executable.path",
                "process.executable.name",
                "falco.process.parent.executable.path",
                "falco.process.parent.name",
            ],
            &[],
        ),
        row(
            &keys::INDICATORS_USER,
            &["user.name", "falco.user.login_name", "k8s.user.username", "k8s.audit.event.impersonated_user.username"],
            &[],
        ),
        row(
            &keys::INDICATORS_CONTAINER,
            &["container.id"],
            &["container.id", "container.name", "container.image.name", "container.image.repo_digests"],
        ),
        row(
            &keys::INDICATORS_FILE,
            &["file.path", "falco.evt.arg.path", "falco.evt.arg.name", "falco.evt.arg.newpath"],
            &[],
        ),
        row(
            &keys::INDICATORS_ADDRESS,
            &[
                "client.address",
                "server.address",
                "network.peer.address",
                "network.local.address",
                "k8s.audit.event.source_ips",
            ],
            &[],
        ),
    ]
});

pub(super) fn settle(resource: &Resource, record: &mut LogRecord) {
    for Row { list, of_record, of_resource } in ROWS.iter() {
        let of_record = of_record.iter().map(|key| record.attrs.get(key));
        let found = of_record.chain(of_resource.iter().map(|key| resource.attrs.get(key))).flatten();
        let found = gathered(found);
        if !found.is_empty() {
            record.attrs.set(Key::clone(list), Value::Array(found));
        }
    }
}

/// The texts of these values, each once.
fn gathered<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for value in values {
        let items = if let Value::Array(items) = value { items.as_slice() } else { std::slice::from_ref(value) };
        for item in items {
            if found.len() < MOST && matches!(item, Value::Text(text) if !text.is_empty()) && !found.contains(item) {
                found.push(item.clone());
            }
        }
    }
    found
}
