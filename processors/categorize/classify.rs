//! ATT&CK ids and categories.
//!
//! Promises: ids that are there stay, unless an override names others; without any the rule's tags decide, then Lanner's
//! overlay; categories follow from tags and ids as in the mapping.

use super::{Subject, overrides::Verdict, rule, texts};
pub(super) use lanner_engine::semantics::category::CategorySet;
use lanner_engine::{
    prelude::*,
    semantics::{
        category::Category,
        keys,
        tags::{Said, Told},
        threat::Threat,
    },
};
use std::sync::LazyLock;

static EVENT_TYPE: LazyLock<Key> = LazyLock::new(|| Key::intern("falco.evt.type"));
static ADDRESSES: LazyLock<[Key; 2]> = LazyLock::new(|| ["server.address", "network.peer.address"].map(Key::intern));

pub(super) fn settle(record: &mut LogRecord, subject: Subject, verdict: &Verdict<'_>, set: CategorySet) {
    let is_mapped = record.attrs.contains(&keys::CATEGORIES);
    let replaces_ids = verdict.tactics.is_some() || verdict.techniques.is_some();
    if is_mapped && !replaces_ids && set == CategorySet::Base {
        return first(record, verdict.category);
    }
    let has_ids = record.attrs.contains(&keys::THREAT_FRAMEWORK);
    let said = heard(record, subject, verdict, has_ids);
    let mut changes = Vec::new();
    if replaces_ids || !has_ids {
        said.threat_attributes(|key, told| changes.push((key.clone(), value(told))));
    }
    let words = said.categories.iter(set).map(|category| Text::from_static(category.as_str()));
    let words: Vec<Value> = words.map(Value::Text).collect();
    if let Some(word) = words.first() {
        changes.push((keys::CATEGORY.clone(), word.clone()));
    }
    changes.push((keys::CATEGORIES.clone(), Value::Array(words)));
    drop(said);
    if replaces_ids {
        for key in keys::THREAT_LISTS.into_iter().chain([&keys::THREAT_FRAMEWORK, &keys::THREAT_ORIGIN]) {
            record.attrs.remove(key);
        }
    }
    changes.into_iter().for_each(|(key, value)| record.attrs.set(key, value));
    first(record, verdict.category);
}

fn value(told: Told<'_>) -> Value {
    match told {
        Told::Word(word) => Value::Text(Text::from_static(word)),
        Told::List(items) => items.iter().filter_map(|item| item.as_str().map(Text::from)).collect(),
    }
}

/// What tags, ids, source and fields say together.
fn heard<'r>(record: &'r LogRecord, subject: Subject, verdict: &Verdict<'r>, has_ids: bool) -> Said<'r> {
    let attrs = &record.attrs;
    let source = attrs.get_str(&keys::SOURCE).unwrap_or_default();
    let tags: Vec<&str> = texts(attrs, &keys::TAGS).collect();
    let is_tactic = |tag: &&str| matches!(Threat::of_tag(tag), Some(Threat::Tactic(_)));
    let (ids, topics): (Vec<&str>, Vec<&str>) = tags.iter().partition(|tag| Threat::of_tag(tag).is_some());
    let (of_tactics, of_techniques): (Vec<&str>, Vec<&str>) = match has_ids {
        true => (
            texts(attrs, &keys::THREAT_TACTIC_ID).collect(),
            texts(attrs, &keys::THREAT_TECHNIQUE_ID).chain(texts(attrs, &keys::THREAT_SUBTECHNIQUE_ID)).collect(),
        ),
        false => ids.into_iter().partition(is_tactic),
    };
    let mut said = Said::of(topics);
    for (forced, found) in [(verdict.tactics, of_tactics), (verdict.techniques, of_techniques)] {
        match forced {
            Some(forced) => forced.iter().for_each(|id| said.hear(id)),
            None => found.into_iter().for_each(|id| said.hear(id)),
        }
    }
    if verdict.tactics.is_some() || verdict.techniques.is_some() {
        said.origin = Some("override");
    } else {
        said.overlay(source, Some(rule(record)));
    }
    said.categories.add_source(if subject == Subject::AuditEvent { "k8s_audit" } else { source });
    if tags.is_empty() && subject == Subject::Alert {
        judge_by_attributes(attrs, &mut said);
    }
    said
}

/// Without tags, attributes decide, as fields do in the mapping.
fn judge_by_attributes(attrs: &Attributes, said: &mut Said<'_>) {
    if ADDRESSES.iter().any(|key| attrs.contains(key)) {
        said.categories.add(Category::Network);
    }
    if attrs.contains(&keys::FILE_PATH) {
        said.categories.add(Category::FileSystem);
    }
    if matches!(attrs.get_str(&EVENT_TYPE), Some("execve" | "execveat")) {
        said.categories.add(Category::Execution);
    }
}

/// Puts the category that an override names in front.
fn first(record: &mut LogRecord, forced: Option<Category>) {
    let Some(forced) = forced.map(|category| Text::from_static(category.as_str())) else { return };
    let others: Vec<Text> =
        texts(&record.attrs, &keys::CATEGORIES).filter(|word| *word != &*forced).map(Text::from).collect();
    record.attrs.set(keys::CATEGORY.clone(), Value::Text(forced.clone()));
    record.attrs.set(keys::CATEGORIES.clone(), std::iter::once(forced).chain(others).collect::<Value>());
}
