//! Which controls of a framework an alert touches: those of the rule's tags, and those this table holds against its
//! techniques.
//!
//! Promises: the table is small and a judgement: it helps to sort alerts by control, and is no result of an audit. Only
//! frameworks that were asked for are written. A sub-technique counts as its technique.

use super::{overrides::Verdict, texts};
use lanner_engine::{prelude::*, semantics::keys};
use std::{collections::BTreeMap, sync::LazyLock};

/// A framework of controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Framework {
    /// Requirements of PCI DSS 4.0.
    PciDss,
    /// Controls of NIST SP 800-53, revision 5.
    #[serde(rename = "nist_800_53")]
    Nist80053,
    /// Safeguards of the CIS Controls 8.
    CisControls,
}

/// Controls by framework, as an override names them.
pub type Controls = BTreeMap<Framework, Vec<String>>;

impl Framework {
    const ALL: [Self; 3] = [Self::PciDss, Self::Nist80053, Self::CisControls];

    const fn key(self) -> &'static LazyLock<Key> {
        match self {
            Self::PciDss => &keys::COMPLIANCE_PCI_DSS,
            Self::Nist80053 => &keys::COMPLIANCE_NIST_800_53,
            Self::CisControls => &keys::COMPLIANCE_CIS_CONTROLS,
        }
    }

    /// The attribute that the mapping makes of tags.
    fn of_tags(self) -> Option<&'static Key> {
        match self {
            Self::PciDss => Some(&keys::PCI_DSS),
            Self::Nist80053 => Some(&keys::NIST_800_53),
            Self::CisControls => None,
        }
    }

    fn of_technique(self, id: &str) -> &'static [&'static str] {
        let id = id.split_once('.').map_or(id, |(technique, _)| technique);
        let row = TABLE.binary_search_by(|(known, _)| (*known).cmp(id)).ok().and_then(|index| TABLE.get(index));
        row.map_or(&[], |(_, lists)| lists[self as usize])
    }
}

/// Technique; controls of PCI DSS 4.0, NIST SP 800-53 r5, CIS Controls 8. Sorted by technique.
pub(super) static TABLE: &[(&str, [&[&str]; 3])] = &[
    ("T1005", [&["7.2.1"], &["AC-6", "SC-28"], &["3.3", "3.14"]]),
    ("T1020", [&["1.3.2"], &["SC-7", "SI-4"], &["3.13", "13.6"]]),
    ("T1021", [&["8.3.1"], &["AC-17", "IA-2"], &["6.8", "13.5"]]),
    ("T1046", [&["11.5.1"], &["SC-7", "SI-4"], &["13.3", "13.4"]]),
    ("T1053", [&["7.2.2"], &["AC-6", "SI-4"], &["4.1", "5.4"]]),
    ("T1055", [&["5.2.2"], &["SI-3", "SI-4"], &["10.5", "10.7"]]),
    ("T1059", [&["5.2.2", "11.5.1"], &["CM-7", "SI-4"], &["2.7", "8.8"]]),
    ("T1070", [&["10.3.2", "10.3.4"], &["AU-9", "SI-7"], &["8.9"]]),
    ("T1072", [&["2.2.4"], &["CM-7", "CM-11"], &["2.5"]]),
    ("T1078", [&["8.2.1", "8.3.1"], &["AC-2", "IA-2"], &["5.3", "6.8"]]),
    ("T1083", [&["11.5.1"], &["AC-6", "SI-4"], &["3.3"]]),
    ("T1098", [&["7.2.4", "10.2.1.5"], &["AC-2", "AC-6"], &["6.8"]]),
    ("T1132", [&["11.5.1"], &["SC-7", "SI-4"], &["13.3"]]),
    ("T1190", [&["6.3.3", "6.4.2"], &["RA-5", "SI-2"], &["7.4"]]),
    ("T1195", [&["6.3.2"], &["SI-7", "SR-11"], &["16.4"]]),
    ("T1204", [&["5.2.2"], &["CM-7", "SI-3"], &["2.5", "10.1"]]),
    ("T1205", [&["1.3.1"], &["SC-7"], &["13.4"]]),
    ("T1212", [&["6.3.3"], &["SI-2"], &["7.4"]]),
    ("T1222", [&["7.2.2"], &["AC-3", "AC-6"], &["3.3"]]),
    ("T1485", [&["12.10.1"], &["AC-6", "CP-9"], &["11.2"]]),
    ("T1490", [&["12.10.1"], &["CP-9", "CP-10"], &["11.4"]]),
    ("T1496", [&["5.2.2", "11.5.1"], &["CM-7", "SI-4"], &["10.7", "13.2"]]),
    ("T1498", [&["12.10.1"], &["SC-5"], &["13.3"]]),
    ("T1505", [&["11.5.2"], &["CM-5", "SI-7"], &["2.5"]]),
    ("T1543", [&["11.5.2"], &["AC-6", "SI-7"], &["2.5", "5.4"]]),
    ("T1546", [&["11.5.2"], &["AC-6", "SI-7"], &["4.1"]]),
    ("T1548", [&["7.2.2"], &["AC-6"], &["5.4"]]),
    ("T1552", [&["8.3.2", "8.6.2"], &["IA-5", "SC-28"], &["3.3", "3.11"]]),
    ("T1555", [&["8.3.2"], &["IA-5"], &["3.11"]]),
    ("T1556", [&["8.3.1", "11.5.2"], &["IA-2", "SI-7"], &["6.5"]]),
    ("T1557", [&["4.2.1"], &["SC-8", "SC-23"], &["3.10"]]),
    ("T1562", [&["10.7.2"], &["AU-9", "SI-4"], &["8.2"]]),
    ("T1564", [&["11.5.2"], &["SI-3", "SI-7"], &["10.7"]]),
    ("T1565", [&["11.5.2"], &["SI-7"], &["3.3"]]),
    ("T1567", [&["1.3.2"], &["AC-4", "SC-7"], &["3.13"]]),
    ("T1572", [&["1.3.2"], &["SC-7", "SI-4"], &["13.4"]]),
    ("T1609", [&["7.2.2", "10.2.1.2"], &["AC-6", "CM-7"], &["5.4", "8.8"]]),
    ("T1610", [&["6.5.1"], &["AC-6", "CM-7"], &["2.5", "4.1"]]),
    ("T1611", [&["2.2.1", "7.2.2"], &["AC-6", "SC-39"], &["4.1", "5.4"]]),
    ("T1620", [&["5.2.2"], &["SI-3", "SI-4"], &["10.5", "10.7"]]),
    ("T1622", [&["11.5.1"], &["SI-4"], &["13.2"]]),
];

pub(super) fn settle(record: &mut LogRecord, verdict: &Verdict<'_>, asked: &[Framework]) {
    for framework in Framework::ALL {
        let forced = verdict.compliance.and_then(|controls| controls.get(&framework));
        let controls: Vec<Text> = match forced {
            Some(forced) => forced.iter().map(|control| Text::from(control.as_str())).collect(),
            None if asked.contains(&framework) => found(record, framework),
            None => continue,
        };
        if controls.is_empty() {
            record.attrs.remove(framework.key());
        } else {
            record.attrs.set(Key::clone(framework.key()), controls.into_iter().collect::<Value>());
        }
    }
}

/// The controls of tags and techniques, each once.
fn found(record: &LogRecord, framework: Framework) -> Vec<Text> {
    let mut controls: Vec<Text> = Vec::new();
    let mut add = |control: Text| {
        if !controls.contains(&control) {
            controls.push(control);
        }
    };
    if let Some(key) = framework.of_tags() {
        texts(&record.attrs, key).for_each(|control| add(Text::from(control)));
    }
    for id in texts(&record.attrs, &keys::THREAT_TECHNIQUE_ID) {
        framework.of_technique(id).iter().for_each(|control| add(Text::from_static(control)));
    }
    controls
}
