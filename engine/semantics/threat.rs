//! MITRE ATT&CK: from the tags of a rule to tactics and techniques.
//!
//! Promises: only tags count, a tactic is never guessed from a technique; a well-formed id that is not listed is
//! kept without a name; a sub-technique names its parent as technique. The names are those of ATT&CK Enterprise
//! (v14 to v18); every id is one that Falco's rules, or the overlay for audit rules, use.

/// The value of `threat.framework`.
pub const FRAMEWORK: &str = "MITRE ATT&CK";

/// Id, name, and the tag Falco writes for it behind `mitre_`.
pub static TACTICS: &[(&str, &str, &str)] = &[
    ("TA0001", "Initial Access", "initial_access"),
    ("TA0002", "Execution", "execution"),
    ("TA0003", "Persistence", "persistence"),
    ("TA0004", "Privilege Escalation", "privilege_escalation"),
    ("TA0005", "Defense Evasion", "defense_evasion"),
    ("TA0006", "Credential Access", "credential_access"),
    ("TA0007", "Discovery", "discovery"),
    ("TA0008", "Lateral Movement", "lateral_movement"),
    ("TA0009", "Collection", "collection"),
    ("TA0010", "Exfiltration", "exfiltration"),
    ("TA0011", "Command and Control", "command_and_control"),
    ("TA0040", "Impact", "impact"),
    ("TA0042", "Resource Development", "resource_development"),
    ("TA0043", "Reconnaissance", "reconnaissance"),
];

/// Id and name, sorted by id. A sub-technique has its own name, without the parent's.
pub static TECHNIQUES: &[(&str, &str)] = &[
    ("T1005", "Data from Local System"),
    ("T1020", "Automated Exfiltration"),
    ("T1021", "Remote Services"),
    ("T1021.004", "SSH"),
    ("T1046", "Network Service Discovery"),
    ("T1053", "Scheduled Task/Job"),
    ("T1053.003", "Cron"),
    ("T1055", "Process Injection"),
    ("T1055.008", "Ptrace System Calls"),
    ("T1059", "Command and Scripting Interpreter"),
    ("T1059.004", "Unix Shell"),
    ("T1070", "Indicator Removal"),
    ("T1072", "Software Deployment Tools"),
    ("T1078", "Valid Accounts"),
    ("T1083", "File and Directory Discovery"),
    ("T1098", "Account Manipulation"),
    ("T1098.004", "SSH Authorized Keys"),
    ("T1098.006", "Additional Container Cluster Roles"),
    ("T1132", "Data Encoding"),
    ("T1190", "Exploit Public-Facing Application"),
    ("T1195", "Supply Chain Compromise"),
    ("T1195.002", "Compromise Software Supply Chain"),
    ("T1204", "User Execution"),
    ("T1205", "Traffic Signaling"),
    ("T1205.001", "Port Knocking"),
    ("T1212", "Exploitation for Credential Access"),
    ("T1222", "File and Directory Permissions Modification"),
    ("T1222.002", "Linux and Mac File and Directory Permissions Modification"),
    ("T1485", "Data Destruction"),
    ("T1490", "Inhibit System Recovery"),
    ("T1496", "Resource Hijacking"),
    ("T1498", "Network Denial of Service"),
    ("T1505", "Server Software Component"),
    ("T1505.003", "Web Shell"),
    ("T1543", "Create or Modify System Process"),
    ("T1546", "Event Triggered Execution"),
    ("T1546.004", "Unix Shell Configuration Modification"),
    ("T1548", "Abuse Elevation Control Mechanism"),
    ("T1548.001", "Setuid and Setgid"),
    ("T1548.003", "Sudo and Sudo Caching"),
    ("T1552", "Unsecured Credentials"),
    ("T1552.001", "Credentials In Files"),
    ("T1552.005", "Cloud Instance Metadata API"),
    ("T1552.007", "Container API"),
    ("T1555", "Credentials from Password Stores"),
    ("T1556", "Modify Authentication Process"),
    ("T1557", "Adversary-in-the-Middle"),
    ("T1557.002", "ARP Cache Poisoning"),
    ("T1562", "Impair Defenses"),
    ("T1564", "Hide Artifacts"),
    ("T1564.001", "Hidden Files and Directories"),
    ("T1565", "Data Manipulation"),
    ("T1567", "Exfiltration Over Web Service"),
    ("T1572", "Protocol Tunneling"),
    ("T1609", "Container Administration Command"),
    ("T1610", "Deploy Container"),
    ("T1611", "Escape to Host"),
    ("T1620", "Reflective Code Loading"),
    ("T1622", "Debugger Evasion"),
];

/// What a tag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threat<'t> {
    /// `TAnnnn`.
    Tactic(&'t str),
    /// `Tnnnn`.
    Technique(&'t str),
    /// `Tnnnn.nnn`.
    Subtechnique(&'t str),
}

impl<'t> Threat<'t> {
    /// The tactic or technique of a tag: `mitre_execution`, `TA0002`, `T1059`, `T1059.004`, also with words behind a
    /// hyphen (`T1562-impair-defenses`). None for any other tag.
    pub fn of_tag(tag: &'t str) -> Option<Self> {
        if let Some(word) = tag.strip_prefix("mitre_") {
            return TACTICS.iter().find(|(.., tactic)| *tactic == word).map(|(id, ..)| Self::Tactic(id));
        }
        if !tag.starts_with('T') {
            return None;
        }
        let id = tag.split_once('-').map_or(tag, |(id, _)| id);
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match id.strip_prefix('T')?.as_bytes() {
            [b'A', ..] if id.len() == 6 && digits(&id[2..]) => Some(Self::Tactic(id)),
            [_, _, _, _] if digits(&id[1..]) => Some(Self::Technique(id)),
            [_, _, _, _, b'.', _, _, _] if digits(&id[1..5]) && digits(&id[6..]) => Some(Self::Subtechnique(id)),
            _ => None,
        }
    }
}

/// The name of a tactic.
pub fn tactic_name(id: &str) -> Option<&'static str> {
    TACTICS.iter().find(|(known, ..)| *known == id).map(|(_, name, _)| *name)
}

/// The name of a technique or sub-technique, with the id as static text.
pub fn technique(id: &str) -> Option<(&'static str, &'static str)> {
    let index = TECHNIQUES.binary_search_by(|(known, _)| (*known).cmp(id)).ok()?;
    TECHNIQUES.get(index).copied()
}

/// Tactic and technique of the audit rules that Falco ships without ATT&CK tags: Lanner's own judgement.
pub fn overlay(rule: &str) -> Option<(&'static str, &'static str)> {
    Some(match rule {
        "Attach/Exec Pod" | "EphemeralContainers Created" | "port-forward" => ("TA0002", "T1609"),
        "Create Privileged Pod"
        | "Create Sensitive Mount Pod"
        | "Create HostNetwork Pod"
        | "Create HostPid Pod"
        | "Create HostIPC Pod" => ("TA0004", "T1611"),
        "Create Disallowed Pod" | "Pod Created in Kube Namespace" => ("TA0002", "T1610"),
        "K8s Secret Get Successfully" | "K8s Secret Get Unsuccessfully Tried" => ("TA0006", "T1552.007"),
        "System ClusterRole Modified/Deleted"
        | "Attach to cluster-admin Role"
        | "ClusterRole With Wildcard Created"
        | "ClusterRole With Write Privileges Created"
        | "ClusterRole With Pod Exec Created"
        | "K8s Role Created"
        | "K8s Role Deleted"
        | "K8s ClusterRole Created"
        | "K8s ClusterRole Deleted"
        | "K8s RoleBinding Created"
        | "K8s RoleBinding Deleted"
        | "K8s ClusterRoleBinding Created"
        | "K8s ClusterRoleBinding Deleted"
        | "K8s Role/Clusterrole Created"
        | "K8s Role/Clusterrole Deleted"
        | "K8s Role/Clusterrolebinding Created"
        | "K8s Role/Clusterrolebinding Deleted" => ("TA0003", "T1098.006"),
        "Anonymous Request Allowed" | "Disallowed K8s User" => ("TA0001", "T1078"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the table as it is.
    /// Guarantee: sorted, unique, well-formed, every sub-technique with its parent; else look-ups would miss.
    #[test]
    fn the_table_is_sorted_and_whole() {
        assert!(TECHNIQUES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(TACTICS.is_sorted_by(|a, b| a.0 < b.0));
        for (id, name) in TECHNIQUES {
            assert!(matches!(Threat::of_tag(id), Some(Threat::Technique(_) | Threat::Subtechnique(_))), "{id}");
            assert!(!name.contains(':'), "{name} repeats its parent");
            if let Some((parent, _)) = id.split_once('.') {
                assert!(technique(parent).is_some(), "{parent}");
            }
        }
        for (id, name, tag) in TACTICS {
            assert_eq!(Threat::of_tag(&format!("mitre_{tag}")), Some(Threat::Tactic(id)));
            assert_eq!(tag.replace('_', " "), name.to_lowercase());
        }
    }

    /// Scenario: tags of Falco's rules and of third parties.
    /// Guarantee: only well-formed ids count; words behind a hyphen do not matter; nothing else is taken for an id.
    #[test]
    fn only_well_formed_ids_count() {
        assert_eq!(Threat::of_tag("T1562-impair-defenses"), Some(Threat::Technique("T1562")));
        assert_eq!(Threat::of_tag("TA0005-defense-evasion"), Some(Threat::Tactic("TA0005")));
        assert_eq!(Threat::of_tag("T9999.001"), Some(Threat::Subtechnique("T9999.001")));
        for tag in [
            "",
            "T",
            "T10",
            "T10590",
            "T1059.04",
            "T1059.0004",
            "TA005",
            "TAé005",
            "mitre_",
            "mitre_x",
            "Té59",
            "network",
        ] {
            assert_eq!(Threat::of_tag(tag), None, "{tag}");
        }
        assert_eq!(tactic_name("TA9999"), None);
        assert_eq!(technique("T9999"), None);
    }
}
