//! Scenarios over real alerts and over the tables.

use super::*;
use crate::categorize::compliance::TABLE;
use lanner_engine::semantics::{FalcoMapper, category::Category, threat};

/// Scenario: every sample alert, as the mapping makes it, judged with the defaults.
/// Guarantee: what the mapping wrote stays, only attributes of Lanner's own are added, and every alert has a recommendation.
#[tokio::test]
async fn the_mappings_judgement_stays() {
    let Some(lines) = crate::testing::lines("dev/falco_alerts.jsonl") else { return };
    let (mapper, judge) = (FalcoMapper::new(&Default::default()), built("{}").await);
    let mut judged = 0;
    for line in lines {
        let Some(mapped) = mapper.map_line(&line.into(), 1).filter(|mapped| !mapped.internal) else { continue };
        let before = mapped.record;
        let after = judge.run([before.clone()]).records().remove(0);
        for (key, value) in before.attrs.iter() {
            assert_eq!(after.attrs.get(key), Some(value), "{key}");
        }
        assert_eq!((&after.body, after.severity_number), (&before.body, before.severity_number));
        for (key, _) in after.attrs.iter().filter(|(key, _)| !before.attrs.contains(key)) {
            assert!(key.as_str().starts_with("lanner."), "{key}");
        }
        assert!(text(&after, "lanner.recommendation").is_some());
        judged += 1;
    }
    assert!(judged > 40, "{judged}");
}

/// Scenario: one alert for each technique that the mapping names, and one for each category.
/// Guarantee: each has a recommendation of its own and, if asked for, controls of every framework.
#[tokio::test]
async fn every_technique_and_category_has_an_answer() {
    let yaml = "compliance: [pci_dss, nist_800_53, cis_controls]\ncategories: extended";
    let judge = built(yaml).await;
    for (id, _) in threat::TECHNIQUES {
        let record = judge.run([alert("r", &[id])]).records().remove(0);
        let advice = text(&record, "lanner.recommendation.id").expect("recommended");
        assert!(advice.starts_with("lanner-1/T"), "{id}: {advice}");
        for framework in ["pci_dss", "nist_800_53", "cis_controls"] {
            assert!(!list(&record, &format!("lanner.compliance.{framework}")).is_empty(), "{id}: {framework}");
        }
    }
    for category in Category::ALL.map(Category::as_str) {
        let yaml = format!("overrides: [{{rule: r, set: {{category: {category}}}}}]");
        let record = super::judge(&yaml, alert("r", &[])).await;
        assert_eq!(text(&record, "lanner.recommendation.id"), Some(format!("lanner-1/{category}").as_str()));
    }
    assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
}

/// Scenario: an alert with controls among its tags.
/// Guarantee: they come first, each control once.
#[tokio::test]
async fn controls_of_tags_count() {
    let mut record = alert("r", &["T1059"]);
    record.attrs.set("falco.compliance.pci_dss", Value::Array(vec!["10.2.5".into(), "5.2.2".into()]));
    let judged = judge("compliance: [pci_dss]", record).await;
    assert_eq!(list(&judged, "lanner.compliance.pci_dss"), ["10.2.5", "5.2.2", "11.5.1"]);
    assert!(list(&judged, "lanner.compliance.nist_800_53").is_empty());
}
