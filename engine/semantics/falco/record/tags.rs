//! What the tags of an alert say: maturity, ATT&CK tactics and techniques, compliance, categories.

use super::Mapping;
use crate::{
    event::{Text, Value},
    semantics::{
        category::{Categories, Category},
        falco::{alert::Alert, table::FieldId},
        keys, threat,
    },
};

impl Mapping<'_> {
    /// Tags, and what they say: maturity, ATT&CK, compliance, categories.
    pub(super) fn tags(&mut self, alert: &Alert<'_>, source: &str, internal: bool) {
        let mut said = Said::default();
        for tag in &alert.tags {
            said.hear(tag);
        }
        if said.threats.is_empty()
            && source == "k8s_audit"
            && let Some((tactic, technique)) = alert.rule.as_deref().and_then(threat::overlay)
        {
            said.hear(tactic);
            said.hear(technique);
            said.overlaid = true;
        }
        if !alert.tags.is_empty() {
            let tags = alert.tags.iter().map(|tag| self.value_of(tag)).collect();
            self.record.push(&keys::TAGS, Value::Array(tags));
        } else if !internal {
            judge_by_fields(alert, &mut said.categories);
        }
        if internal {
            said.categories = Categories::default();
        }
        let mut categories = said.categories.iter().map(|category| Value::Text(Text::from_static(category.as_str())));
        let all: Vec<Value> = categories.by_ref().collect();
        if let Some(first) = all.first() {
            self.record.push(&keys::CATEGORY, first.clone());
        }
        self.record.push(&keys::CATEGORIES, Value::Array(all));
        if let Some(maturity) = said.maturity {
            self.text(&keys::MATURITY, maturity);
        }
        self.threats(&said);
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

    fn threats(&mut self, said: &Said<'_>) {
        if said.threats.is_empty() {
            return;
        }
        let mut lists: [Vec<Value>; 6] = Default::default();
        let add = |list: &mut Vec<Value>, text: Text| {
            if !list.iter().any(|known| known.as_str() == Some(&text)) {
                list.push(Value::Text(text));
            }
        };
        let named = |id: &str| threat::technique(id);
        for found in &said.threats {
            match *found {
                threat::Threat::Tactic(id) => {
                    add(&mut lists[0], Text::slice_of(self.body, id));
                    if let Some(name) = threat::tactic_name(id) {
                        add(&mut lists[1], Text::from_static(name));
                    }
                }
                threat::Threat::Technique(id) | threat::Threat::Subtechnique(id) => {
                    let parent = id.split_once('.').map_or(id, |(parent, _)| parent);
                    for (id, at) in [(parent, 2), (id, 4)] {
                        if at == 4 && id.len() == parent.len() {
                            break;
                        }
                        match named(id) {
                            Some((id, name)) => {
                                add(&mut lists[at], Text::from_static(id));
                                add(&mut lists[at + 1], Text::from_static(name));
                            }
                            None => add(&mut lists[at], Text::slice_of(self.body, id)),
                        }
                    }
                }
            }
        }
        self.record.push(&keys::THREAT_FRAMEWORK, Value::Text(Text::from_static(threat::FRAMEWORK)));
        let keys = [
            &keys::THREAT_TACTIC_ID,
            &keys::THREAT_TACTIC_NAME,
            &keys::THREAT_TECHNIQUE_ID,
            &keys::THREAT_TECHNIQUE_NAME,
            &keys::THREAT_SUBTECHNIQUE_ID,
            &keys::THREAT_SUBTECHNIQUE_NAME,
        ];
        for (key, list) in keys.into_iter().zip(lists) {
            if !list.is_empty() {
                self.record.push(key, Value::Array(list));
            }
        }
        if said.overlaid {
            self.record.push(&keys::THREAT_ORIGIN, Value::Text(Text::from_static("overlay")));
        }
    }
}

/// What the tags of an alert say.
#[derive(Default)]
struct Said<'t> {
    threats: Vec<threat::Threat<'t>>,
    categories: Categories,
    maturity: Option<&'t str>,
    pci_dss: Vec<&'t str>,
    nist_800_53: Vec<&'t str>,
    cis: bool,
    overlaid: bool,
}

impl<'t> Said<'t> {
    fn hear(&mut self, tag: &'t str) {
        let threat = threat::Threat::of_tag(tag);
        self.categories.add_known(tag, threat);
        if let Some(found) = threat {
            self.threats.push(found);
        } else if let Some(maturity) = tag.strip_prefix("maturity_") {
            self.maturity = Some(maturity).filter(|word| !word.is_empty());
        } else if let Some(item) = tag.strip_prefix("PCI_DSS_") {
            self.pci_dss.push(item);
        } else if let Some(item) = tag.strip_prefix("NIST_800-53_") {
            self.nist_800_53.push(item);
        } else if tag.eq_ignore_ascii_case("cis") {
            self.cis = true;
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
