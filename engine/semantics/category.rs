//! Categories of an alert.
//!
//! Promises: the order of [`Category::ALL`] decides which is first, in both sets; every alert has at least one; tags decide,
//! and only an alert without tags is judged by its fields.

use super::threat::Threat;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A category, in the order in which the first match wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Category {
    ControlPlane,
    PrivilegeEscalation,
    CredentialAccess,
    Persistence,
    DefenseEvasion,
    Impact,
    Network,
    FileSystem,
    Execution,
    Other,
}

impl Category {
    /// All of them, first match first.
    pub const ALL: [Self; 10] = [
        Self::ControlPlane,
        Self::PrivilegeEscalation,
        Self::CredentialAccess,
        Self::Persistence,
        Self::DefenseEvasion,
        Self::Impact,
        Self::Network,
        Self::FileSystem,
        Self::Execution,
        Self::Other,
    ];

    /// The word as `security_rule.category` holds it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ControlPlane => "ControlPlane",
            Self::PrivilegeEscalation => "PrivilegeEscalation",
            Self::CredentialAccess => "CredentialAccess",
            Self::Persistence => "Persistence",
            Self::DefenseEvasion => "DefenseEvasion",
            Self::Impact => "Impact",
            Self::Network => "Network",
            Self::FileSystem => "FileSystem",
            Self::Execution => "Execution",
            Self::Other => "Other",
        }
    }

    /// The category of a word that [`as_str`](Self::as_str) gave.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == word)
    }

    /// Whether it is one of the base set.
    pub const fn is_base(self) -> bool {
        matches!(self, Self::PrivilegeEscalation | Self::Network | Self::FileSystem | Self::Execution | Self::Other)
    }
}

/// Which categories there are to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CategorySet {
    /// Execution, Network, FileSystem, PrivilegeEscalation, Other.
    #[default]
    Base,
    /// Also ControlPlane, CredentialAccess, Persistence, DefenseEvasion, Impact.
    Extended,
}

/// Sources whose events are about the control plane of a cluster or cloud: Kubernetes audit and Falco's cloud audit plugins.
const CONTROL_PLANES: [&str; 5] = ["k8s_audit", "aws_cloudtrail", "gcp_auditlog", "okta", "github"];

/// What categories something has, in both sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Categories(u16);

impl Categories {
    /// Adds one.
    pub fn add(&mut self, category: Category) {
        self.0 |= 1 << category as u16;
    }

    /// Adds what the source of an event says.
    pub fn add_source(&mut self, source: &str) {
        if CONTROL_PLANES.contains(&source) {
            self.add(Category::ControlPlane);
        }
    }

    /// Adds what a tag, or an overlaid ATT&CK id, says.
    pub fn add_tag(&mut self, tag: &str) {
        self.add_known(tag, Threat::of_tag(tag));
    }

    /// Like `add_tag`, for a tag whose threat is known.
    pub(super) fn add_known(&mut self, tag: &str, threat: Option<Threat<'_>>) {
        match (tag, threat) {
            ("network", _) => self.add(Category::Network),
            ("filesystem", _) => self.add(Category::FileSystem),
            ("process" | "shell", _) => self.add(Category::Execution),
            (_, Some(Threat::Tactic(id))) => self.add_tactic(id),
            (_, Some(Threat::Technique(id) | Threat::Subtechnique(id))) => self.add_technique(id),
            (_, None) => {}
        }
    }

    fn add_tactic(&mut self, id: &str) {
        self.add(match id {
            "TA0004" => Category::PrivilegeEscalation,
            "TA0006" => Category::CredentialAccess,
            "TA0003" => Category::Persistence,
            "TA0005" => Category::DefenseEvasion,
            "TA0040" => Category::Impact,
            "TA0008" | "TA0010" | "TA0011" => Category::Network,
            "TA0002" => Category::Execution,
            _ => return,
        });
    }

    /// A sub-technique counts as its technique.
    fn add_technique(&mut self, id: &str) {
        self.add(match id.split_once('.').map_or(id, |(technique, _)| technique) {
            "T1611" | "T1548" | "T1055" => Category::PrivilegeEscalation,
            "T1552" | "T1555" | "T1556" => Category::CredentialAccess,
            _ => return,
        });
    }

    /// Each of them in `set`, first match first; `Other` alone when there is none.
    pub fn iter(self, set: CategorySet) -> impl Iterator<Item = Category> {
        let has = move |category: Category| {
            self.0 & 1 << category as u16 != 0 && (set == CategorySet::Extended || category.is_base())
        };
        let other = !Category::ALL.into_iter().any(has);
        Category::ALL.into_iter().filter(move |category| has(*category) || (other && *category == Category::Other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::data;

    fn of(tags: &[&str]) -> Vec<&'static str> {
        let mut categories = Categories::default();
        tags.iter().for_each(|tag| categories.add_tag(tag));
        categories.iter(CategorySet::Base).map(Category::as_str).collect()
    }

    /// Scenario: tags as Falco's rules carry them.
    /// Guarantee: all categories that match, in the order in which the first wins; `Other` only alone.
    #[test]
    fn the_first_match_comes_first() {
        assert_eq!(
            of(&["shell", "network", "mitre_execution", "T1611"]),
            ["PrivilegeEscalation", "Network", "Execution"]
        );
        assert_eq!(of(&["filesystem", "mitre_credential_access", "T1555"]), ["FileSystem"]);
        assert_eq!(of(&["mitre_lateral_movement"]), ["Network"]);
        assert_eq!(of(&["T1548.001"]), ["PrivilegeEscalation"]);
        assert_eq!(of(&["container", "T1059"]), ["Other"]);
        assert_eq!(of(&[]), ["Other"]);
    }

    /// Scenario: what makes no category of the base set, in the extended one.
    /// Guarantee: the extended words, in their order; the source counts; `Other` only alone.
    #[test]
    fn the_extended_set_knows_more() {
        let mut categories = Categories::default();
        assert_eq!(categories.iter(CategorySet::Extended).collect::<Vec<_>>(), [Category::Other]);
        ["mitre_impact", "T1552.007", "network", "TA0003"].iter().for_each(|tag| categories.add_tag(tag));
        categories.add_source("k8s_audit");
        categories.add_source("syscall");
        let words: Vec<_> = categories.iter(CategorySet::Extended).map(Category::as_str).collect();
        assert_eq!(words, ["ControlPlane", "CredentialAccess", "Persistence", "Impact", "Network"]);
        assert_eq!(categories.iter(CategorySet::Base).collect::<Vec<_>>(), [Category::Network]);
        assert!(Category::ALL.iter().all(|category| Category::of_word(category.as_str()) == Some(*category)));
    }

    /// Scenario: the tags of the rules that Falco ships.
    /// Guarantee: so many rules have each first category, in both sets.
    #[test]
    fn shipped_rules_have_the_known_categories() {
        let Some(text) = data::path("mitre.json").and_then(|path| std::fs::read_to_string(path).ok()) else { return };
        let rules: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let rules = rules["rules"].as_array().expect("a list").iter();
        let shipped: Vec<_> = rules
            .filter(|rule| rule["file"].as_str().is_some_and(|file| file.starts_with("rules/rules/")))
            .map(|rule| {
                let mut categories = Categories::default();
                let tags = rule["tags"].as_array().expect("a list").iter().filter_map(|tag| tag.as_str());
                tags.for_each(|tag| categories.add_tag(tag));
                categories
            })
            .collect();
        let count = |set: CategorySet, category: Category| {
            shipped.iter().filter(|categories| categories.iter(set).next() == Some(category)).count()
        };
        assert_eq!(shipped.len(), 93);
        let base = Category::ALL.map(|category| count(CategorySet::Base, category));
        assert_eq!(base, [0, 14, 0, 0, 0, 0, 25, 27, 24, 3]);
        let extended = Category::ALL.map(|category| count(CategorySet::Extended, category));
        assert_eq!(extended, [0, 14, 10, 16, 7, 4, 21, 7, 14, 0]);
    }
}
