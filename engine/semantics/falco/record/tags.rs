//! What the tags of an alert say, as attributes.

use super::Mapping;
use crate::{
    event::{Text, Value},
    semantics::{
        category::{Categories, Category, CategorySet},
        falco::{alert::Alert, table::FieldId},
        keys,
        tags::Said,
    },
};

impl Mapping<'_> {
    /// Tags, and what they say: maturity, ATT&CK, compliance, categories.
    pub(super) fn tags(&mut self, alert: &Alert<'_>, source: &str, internal: bool) {
        let mut said = Said::of(alert.tags.iter().map(|tag| &**tag));
        said.overlay(source, alert.rule.as_deref());
        if !alert.tags.is_empty() {
            let tags = alert.tags.iter().map(|tag| self.value_of(tag)).collect();
            self.record.push(&keys::TAGS, Value::Array(tags));
        } else if !internal {
            judge_by_fields(alert, &mut said.categories);
        }
        if internal {
            said.categories = Categories::default();
        }
        let categories = said.categories.iter(CategorySet::Base);
        let all: Vec<Value> = categories.map(|category| Value::Text(Text::from_static(category.as_str()))).collect();
        if let Some(first) = all.first() {
            self.record.push(&keys::CATEGORY, first.clone());
        }
        self.record.push(&keys::CATEGORIES, Value::Array(all));
        if let Some(maturity) = said.maturity {
            self.text(&keys::MATURITY, maturity);
        }
        let (body, record) = (self.body, &mut self.record);
        said.threat_attributes(|id| Text::slice_of(body, id), |key, value| record.push(key, value));
        for (key, list) in [(&keys::PCI_DSS, &said.pci_dss), (&keys::NIST_800_53, &said.nist_800_53)] {
            if !list.is_empty() {
                let list = list.iter().map(|item| self.value_of(item)).collect();
                self.record.push(key, Value::Array(list));
            }
        }
        if said.cis {
            self.record.push(&keys::CIS, Value::Bool(true));
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
