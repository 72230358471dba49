//! Categories of an alert: Execution, Network, FileSystem, PrivilegeEscalation, Other.
//!
//! Promises: the order of [`Category::ALL`] decides which is first; every alert has at least one; tags decide, and
//! only an alert without tags is judged by its fields.

use super::threat::Threat;

/// A category, in the order in which the first match wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    PrivilegeEscalation,
    Network,
    FileSystem,
    Execution,
    Other,
}

impl Category {
    /// All of them, first match first.
    pub const ALL: [Self; 5] =
        [Self::PrivilegeEscalation, Self::Network, Self::FileSystem, Self::Execution, Self::Other];

    /// The word as `security_rule.category` holds it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrivilegeEscalation => "PrivilegeEscalation",
            Self::Network => "Network",
            Self::FileSystem => "FileSystem",
            Self::Execution => "Execution",
            Self::Other => "Other",
        }
    }
}

/// A set of categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Categories(u8);

impl Categories {
    /// Adds one.
    pub fn add(&mut self, category: Category) {
        self.0 |= 1 << category as u8;
    }

    /// Adds what a tag, or an overlaid ATT&CK id, says.
    pub fn add_tag(&mut self, tag: &str) {
        self.add_known(tag, Threat::of_tag(tag));
    }

    /// Like `add_tag`, for a tag whose threat is known.
    pub(super) fn add_known(&mut self, tag: &str, threat: Option<Threat<'_>>) {
        match tag {
            "network" => self.add(Category::Network),
            "filesystem" => self.add(Category::FileSystem),
            "process" | "shell" => self.add(Category::Execution),
            _ => match threat {
                Some(Threat::Tactic("TA0004") | Threat::Technique("T1611" | "T1548" | "T1055")) => {
                    self.add(Category::PrivilegeEscalation);
                }
                Some(Threat::Subtechnique(id)) if id.starts_with("T1548.") || id.starts_with("T1055.") => {
                    self.add(Category::PrivilegeEscalation);
                }
                Some(Threat::Tactic("TA0011" | "TA0010" | "TA0008")) => self.add(Category::Network),
                Some(Threat::Tactic("TA0002")) => self.add(Category::Execution),
                _ => {}
            },
        }
    }

    /// Each of them, first match first; `Other` alone when there is none.
    pub fn iter(self) -> impl Iterator<Item = Category> {
        let set = if self.0 == 0 { 1 << Category::Other as u8 } else { self.0 };
        Category::ALL.into_iter().filter(move |category| set & (1 << *category as u8) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tags: &[&str]) -> Vec<&'static str> {
        let mut categories = Categories::default();
        tags.iter().for_each(|tag| categories.add_tag(tag));
        categories.iter().map(Category::as_str).collect()
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
}
