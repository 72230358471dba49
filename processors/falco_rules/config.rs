//! What a user writes, and what is checked of it.

use super::{
    adjust::{AppendOutput, Switch},
    alerts::AlertSchema,
    files::Place,
    ruleset::{RuleSources, Settings},
};
use lanner_engine::{config::Duration, prelude::*};
use lanner_rules::{
    audit::{self, Parity},
    builtin,
    file::Options,
    priority,
    ruleset::Choice,
};
use std::sync::Arc;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Lanner's own rules, loaded before `rules_files`, so that files can change their lists, macros and rules.
    pub builtin: Vec<Builtin>,
    /// Falco rule files in the order in which they are loaded. A folder stands for its `.yaml` and `.yml` files; the last
    /// part of a path may have wildcards: `/etc/falco/rules.d/*.yaml`. Such files are loaded in the order of their names.
    pub rules_files: Vec<String>,
    /// Sources whose rules are tried on Falco's alerts of that source, as second-level rules: `syscall`, or that of a
    /// plugin. `builtin: [syscall]` implies `syscall`. Rules of other sources, but for `k8s_audit`, are only checked.
    pub alert_sources: Vec<String>,
    /// How many rules an event can match.
    pub rule_matching: RuleMatching,
    /// Least urgent priority of rules that are used.
    pub min_priority: Option<Priority>,
    /// Rules to switch on or off, one step after the other, as in `falco.yaml`: `disable: {tag: network}`.
    pub rules: Vec<Switch>,
    /// Text that is appended to the output of rules, as in `falco.yaml`.
    pub append_output: Vec<AppendOutput>,
    /// Pass on the audit event that matched behind its alert, with the severity of the rule.
    pub keep_matched: bool,
    /// Pass on audit events that match no rule.
    pub keep_unmatched: bool,
    /// Write `[REDACTED]` for what Secrets, ConfigMaps and tokens hold, in outputs and in output fields. Conditions see
    /// the values.
    pub mask_payloads: bool,
    /// Whether mistakes of Falco's audit plugin are corrected.
    pub parity: ParityChoice,
    /// How often rule files are looked at; changed ones are loaded. `0` never looks again.
    pub reload_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            builtin: Vec::new(),
            rules_files: Vec::new(),
            alert_sources: Vec::new(),
            rule_matching: RuleMatching::First,
            min_priority: None,
            rules: Vec::new(),
            append_output: Vec::new(),
            keep_matched: false,
            keep_unmatched: false,
            mask_payloads: true,
            parity: ParityChoice::Corrected,
            reload_interval: Duration::from_secs(10),
        }
    }
}

/// Rules that come with Lanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Builtin {
    /// Kubernetes audit events.
    K8sAudit,
    /// Falco alerts about system calls, judged once more.
    Syscall,
}

/// How many rules an event can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleMatching {
    /// The first one of its source, as Falco does.
    First,
    /// Every one; each makes an alert.
    All,
}

/// Whether mistakes of Falco's audit plugin are corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParityChoice {
    /// They are.
    Corrected,
    /// They are kept, for comparing with Falco.
    Upstream,
}

#[derive(Debug, thiserror::Error)]
#[error("there are no rules; write `builtin: [k8s_audit]`, or name files under `rules_files`")]
struct NoRules;

#[derive(Debug, thiserror::Error)]
#[error("`{0}` stands here twice; write it once")]
struct Twice(&'static str);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no source of alerts; write for example `syscall` (rules of `k8s_audit` are tried on audit events)")]
struct NoAlertSource(String);

#[derive(Debug, thiserror::Error)]
#[error("`reload_interval` is {0}; write at least `100ms`, or `0` to never look again")]
struct TooOften(Duration);

/// Looking at files more often than this only costs.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// The source of system calls.
const SYSCALL: &str = "syscall";

/// A checked config.
pub struct Plan {
    pub(super) sources: RuleSources,
    pub(super) settings: Settings,
    pub(super) behaviour: Behaviour,
    pub(super) reload_interval: std::time::Duration,
}

/// What happens to events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behaviour {
    pub matching: RuleMatching,
    pub keep_matched: bool,
    pub keep_unmatched: bool,
    pub mask_payloads: bool,
}

impl Behaviour {
    /// How many rules a record can match.
    pub fn most(&self) -> usize {
        match self.matching {
            RuleMatching::First => 1,
            RuleMatching::All => usize::MAX,
        }
    }
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut valid = true;
        if self.builtin.is_empty() && self.rules_files.is_empty() {
            cx.error("", NoRules);
            valid = false;
        }
        let mut own: Vec<&'static builtin::Ruleset> = Vec::new();
        for (index, name) in self.builtin.iter().enumerate() {
            let ruleset = name.ruleset();
            if own.iter().any(|known| known.name == ruleset.name) {
                cx.error(&format!("builtin[{index}]"), Twice(ruleset.name));
                valid = false;
            }
            own.push(ruleset);
        }
        let mut places = Vec::new();
        for (index, text) in self.rules_files.iter().enumerate() {
            match text.parse::<Place>() {
                Ok(place) => places.push(place),
                Err(error) => {
                    cx.error(&format!("rules_files[{index}]"), error);
                    valid = false;
                }
            }
        }
        let mut alert_sources = self.alert_sources;
        for (index, source) in alert_sources.iter().enumerate() {
            if source.trim().is_empty() || source == audit::SOURCE {
                cx.error(&format!("alert_sources[{index}]"), NoAlertSource(source.clone()));
                valid = false;
            }
        }
        if self.builtin.contains(&Builtin::Syscall) {
            alert_sources.push(SYSCALL.to_owned());
        }
        alert_sources.sort();
        alert_sources.dedup();
        let choices: Vec<Choice> = self.rules.iter().enumerate().filter_map(|(n, step)| step.choice(n, cx)).collect();
        valid &= choices.len() == self.rules.len();
        let appended = self.append_output.into_iter().enumerate();
        let appended: Vec<_> = appended.map(|(index, append)| append.into_option(index, cx)).collect();
        valid &= appended.iter().all(Option::is_some);
        if self.reload_interval.0 != std::time::Duration::ZERO && self.reload_interval < LEAST_INTERVAL {
            cx.error("reload_interval", TooOften(self.reload_interval));
            valid = false;
        }
        let mut options = Options {
            minimum_priority: self.min_priority.map_or(priority::Priority::Debug, rules_priority),
            append_output: appended.into_iter().flatten().collect(),
            ..Options::default()
        };
        options.sources.retain(|(name, _)| !alert_sources.contains(name));
        options.sources.extend(alert_sources.iter().map(|name| (name.clone(), Arc::new(AlertSchema) as Arc<_>)));
        valid.then(|| Plan {
            sources: RuleSources { builtin: own, places },
            settings: Settings { options, choices, parity: self.parity.into(), alert_sources },
            behaviour: Behaviour {
                matching: self.rule_matching,
                keep_matched: self.keep_matched,
                keep_unmatched: self.keep_unmatched,
                mask_payloads: self.mask_payloads,
            },
            reload_interval: self.reload_interval.0,
        })
    }
}

impl Builtin {
    fn ruleset(self) -> &'static builtin::Ruleset {
        match self {
            Self::K8sAudit => &builtin::K8S_AUDIT,
            Self::Syscall => &builtin::SYSCALL_ALERTS,
        }
    }
}

impl From<ParityChoice> for Parity {
    fn from(written: ParityChoice) -> Self {
        match written {
            ParityChoice::Corrected => Self::Corrected,
            ParityChoice::Upstream => Self::Upstream,
        }
    }
}

fn rules_priority(written: Priority) -> priority::Priority {
    // Both know the same eight words.
    priority::Priority::parse(written.lower()).unwrap_or(priority::Priority::Debug)
}
