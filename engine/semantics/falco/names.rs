//! The attribute names of the table, interned once per process.

use super::table::{As, FIELD_IDS, FieldId, Place};
use crate::event::Key;
use std::sync::LazyLock;

/// A target of the table, ready for use.
pub(super) struct Named {
    pub key: Key,
    pub place: Place,
    pub kind: As,
    /// Whether another row fills the same attribute, so that it has to be looked for first.
    pub shared: bool,
}

/// Per row, its number and its targets.
pub(super) static TARGETS: LazyLock<Vec<(FieldId, Vec<Named>)>> = LazyLock::new(|| {
    let fillers = |name: &str, place: Place| {
        FIELD_IDS
            .iter()
            .flat_map(|id| id.row().to)
            .filter(|target| target.name == name && target.place == place)
            .count()
    };
    let named = |id: FieldId| {
        let targets = id.row().to.iter().map(|target| Named {
            key: Key::intern(target.name),
            place: target.place,
            kind: target.kind,
            shared: fillers(target.name, target.place) > 1,
        });
        (id, targets.collect())
    };
    FIELD_IDS.into_iter().map(named).collect()
});

/// Names of derived attributes that no other component needs.
pub(super) struct Fixed {
    pub ancestors: Key,
    pub url_path: Key,
    pub url_query: Key,
    pub method: Key,
    pub client_address: Key,
    pub error_type: Key,
}

pub(super) static FIXED: LazyLock<Fixed> = LazyLock::new(|| Fixed {
    ancestors: Key::intern("falco.process.ancestors"),
    url_path: Key::intern("url.path"),
    url_query: Key::intern("url.query"),
    method: Key::intern("http.request.method"),
    client_address: Key::intern("client.address"),
    error_type: Key::intern("error.type"),
});
