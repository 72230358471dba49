//! `Said`: what the tags of an alert say: maturity, ATT&CK tactics and techniques, compliance, categories.
//!
//! Promises: each id is listed once, in the order in which it was heard; what the overlay adds counts only where the tags
//! have no ATT&CK id.

use super::{
    category::Categories,
    keys,
    threat::{self, Threat},
};
use crate::event::{Key, Scalar};
use smallvec::SmallVec;

/// What the tags of an alert say.
#[derive(Debug, Default)]
pub struct Said<'t> {
    pub threats: SmallVec<[Threat<'t>; 4]>,
    pub categories: Categories,
    /// What is behind `maturity_`.
    pub maturity: Option<&'t str>,
    /// Requirements of PCI DSS, behind `PCI_DSS_`.
    pub pci_dss: SmallVec<[&'t str; 2]>,
    /// Controls of NIST 800-53, behind `NIST_800-53_`.
    pub nist_800_53: SmallVec<[&'t str; 2]>,
    /// Whether one of them is `cis`.
    pub cis: bool,
    /// Who said the ATT&CK ids, unless it was the tags: the value of `lanner.threat.origin`.
    pub origin: Option<&'static str>,
}

impl<'t> Said<'t> {
    /// What these tags say.
    pub fn of(tags: impl IntoIterator<Item = &'t str>) -> Self {
        let mut said = Self::default();
        tags.into_iter().for_each(|tag| said.hear(tag));
        said
    }

    /// Adds what a tag, or an ATT&CK id, says.
    pub fn hear(&mut self, tag: &'t str) {
        let threat = Threat::of_tag(tag);
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

    /// Adds Lanner's own judgement of the audit rules that come without ATT&CK ids.
    pub fn overlay(&mut self, source: &str, rule: Option<&str>) {
        if self.threats.is_empty()
            && source == "k8s_audit"
            && let Some((tactic, technique)) = rule.and_then(threat::overlay)
        {
            self.hear(tactic);
            self.hear(technique);
            self.origin = Some("overlay");
        }
    }

    /// Hands out the attributes of the ATT&CK ids; none without ids.
    pub fn threat_attributes(&self, mut add: impl FnMut(&Key, Told<'_>)) {
        if self.threats.is_empty() {
            return;
        }
        let mut lists: [SmallVec<[Scalar<'t>; 4]>; 6] = Default::default();
        let mut push = |at: usize, text: Scalar<'t>| {
            if !lists[at].contains(&text) {
                lists[at].push(text);
            }
        };
        for found in &self.threats {
            match *found {
                Threat::Tactic(id) => {
                    push(0, Scalar::Text(id.into()));
                    if let Some(name) = threat::tactic_name(id) {
                        push(1, Scalar::Word(name));
                    }
                }
                Threat::Technique(id) | Threat::Subtechnique(id) => {
                    let parent = id.split_once('.').map_or(id, |(parent, _)| parent);
                    for (id, at) in [(parent, 2), (id, 4)] {
                        if at == 4 && id.len() == parent.len() {
                            break;
                        }
                        match threat::technique(id) {
                            Some((id, name)) => {
                                push(at, Scalar::Word(id));
                                push(at + 1, Scalar::Word(name));
                            }
                            None => push(at, Scalar::Text(id.into())),
                        }
                    }
                }
            }
        }
        add(&keys::THREAT_FRAMEWORK, Told::Word(threat::FRAMEWORK));
        for (key, list) in keys::THREAT_LISTS.into_iter().zip(&lists) {
            if !list.is_empty() {
                add(key, Told::List(list));
            }
        }
        if let Some(origin) = self.origin {
            add(&keys::THREAT_ORIGIN, Told::Word(origin));
        }
    }
}

/// The value of an attribute about ATT&CK.
pub enum Told<'t> {
    Word(&'static str),
    /// Texts.
    List(&'t [Scalar<'t>]),
}
