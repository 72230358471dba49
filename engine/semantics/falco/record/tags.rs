//! What the tags of an alert say, as attributes.

use super::Mapping;
use crate::{
    event::Scalar,
    semantics::{
        category::{Categories, Category, CategorySet},
        falco::{alert::Alert, table::FieldId},
        keys,
        sink::Sink,
        tags::{Said, Told},
    },
};
use std::borrow::Cow;

impl<S: Sink> Mapping<'_, S> {
    /// Tags, and what they say: maturity, ATT&CK, compliance, categories.
    pub(super) fn tags(&mut self, alert: &Alert<'_>, source: &str, internal: bool) {
        let mut said = Said::of(alert.tags.iter().map(|tag| &**tag));
        said.overlay(source, alert.rule.as_deref());
        let texts = self.texts;
        let cut = |text| Scalar::Text(Cow::Borrowed(texts.cut(text)));
        if !alert.tags.is_empty() {
            self.record.push_list(&keys::TAGS, alert.tags.iter().map(|tag| cut(tag)));
        } else if !internal {
            judge_by_fields(alert, &mut said.categories);
        }
        if internal {
            said.categories = Categories::default();
        }
        let words = || said.categories.iter(CategorySet::Base).map(|category| Scalar::Word(category.as_str()));
        if let Some(first) = words().next() {
            self.record.push(&keys::CATEGORY, &first);
        }
        self.record.push_list(&keys::CATEGORIES, words());
        if let Some(maturity) = said.maturity {
            self.record.push(&keys::MATURITY, &cut(maturity));
        }
        said.threat_attributes(|key, told| match told {
            Told::Word(word) => self.record.push(key, &Scalar::Word(word)),
            Told::List(items) => self.record.push_list(key, items.iter().cloned()),
        });
        for (key, list) in [(&keys::PCI_DSS, &said.pci_dss), (&keys::NIST_800_53, &said.nist_800_53)] {
            if !list.is_empty() {
                self.record.push_list(key, list.iter().map(|item| cut(item)));
            }
        }
        if said.cis {
            self.record.push(&keys::CIS, &Scalar::Bool(true));
        }
    }
}

/// Without tags, fields decide.
fn judge_by_fields(alert: &Alert<'_>, categories: &mut Categories) {
    if alert.fields.has(FieldId::FdSip) || alert.fields.has(FieldId::FdRip) {
        categories.add(Category::Network);
    }
    if alert.file_path().is_some() {
        categories.add(Category::FileSystem);
    }
    if matches!(alert.fields.text(FieldId::EvtType), Some("execve" | "execveat")) {
        categories.add(Category::Execution);
    }
}
