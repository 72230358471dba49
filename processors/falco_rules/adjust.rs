//! What a user does to all rules without changing their files, in the shape of `falco.yaml`: switching them on and off, and
//! appending to their outputs.

use lanner_engine::prelude::*;
use lanner_rules::{
    file,
    ruleset::{Choice, Selection},
};

/// A step of switching rules: one of `enable` and `disable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Switch {
    /// Rules to switch on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable: Option<RuleSelection>,
    /// Rules to switch off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable: Option<RuleSelection>,
}

/// Some rules: one of `rule` and `tag`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSelection {
    /// Those whose name is like this; `*` stands for any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Those with this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Text that is appended to the output of some rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppendOutput {
    /// Which rules; those for which every key that is written fits.
    pub r#match: AppendTo,
    /// The text, with fields: `on %ka.cluster.name`.
    pub extra_output: String,
}

/// Which rules a text is appended to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppendTo {
    /// Those of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The one of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Those that have all of these tags.
    pub tags: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("a step has one of `enable` and `disable`; write for example `disable: {{tag: network}}`")]
struct NotOneStep;

#[derive(Debug, thiserror::Error)]
#[error("one of `rule` and `tag` says which rules; write for example `rule: \"Create *\"`")]
struct NotOneSelection;

#[derive(Debug, thiserror::Error)]
#[error("there is nothing to append; write a text, for example `extra_output: cluster=%ka.cluster.name`")]
struct NothingToAppend;

impl Switch {
    /// For the ruleset; the step is the `index`-th.
    pub(super) fn choice(&self, index: usize, cx: &mut PlanCx<'_>) -> Option<Choice> {
        let (key, selection) = match (&self.enable, &self.disable) {
            (Some(selection), None) => ("enable", selection),
            (None, Some(selection)) => ("disable", selection),
            _ => {
                cx.error(&format!("rules[{index}]"), NotOneStep);
                return None;
            }
        };
        let selection = match (&selection.rule, &selection.tag) {
            (Some(pattern), None) => Selection::Name(pattern.clone()),
            (None, Some(tag)) => Selection::Tag(tag.clone()),
            _ => {
                cx.error(&format!("rules[{index}].{key}"), NotOneSelection);
                return None;
            }
        };
        Some(Choice { enable: key == "enable", selection })
    }
}

impl AppendOutput {
    /// For the loader; the step is the `index`-th.
    pub(super) fn into_option(self, index: usize, cx: &mut PlanCx<'_>) -> Option<file::AppendOutput> {
        if self.extra_output.trim().is_empty() {
            cx.error(&format!("append_output[{index}].extra_output"), NothingToAppend);
            return None;
        }
        let AppendTo { source, rule, tags } = self.r#match;
        Some(file::AppendOutput { format: self.extra_output, source, tags, rule })
    }
}
