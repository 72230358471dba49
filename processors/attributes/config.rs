//! What a user writes, and what is checked of it.

use super::{
    Plan,
    action::{Action, Names, Source, Type, When},
};
use crate::{digest, globs};
use lanner_conditions::{ConditionConfig, Field, FieldConfig, TemplateConfig};
use lanner_engine::{
    config::{Pattern, Secret},
    prelude::*,
    semantics::keys,
};

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which records the actions are for, in Falco's language, such as `k8s.ns.name = prod`; all of them by default.
    pub condition: Option<ConditionConfig>,
    /// What is done to the attributes of records, in this order.
    pub actions: Vec<ActionConfig>,
    /// What is done to the attributes of their resources, after that, with the same keys.
    pub resource: Vec<ActionConfig>,
    /// Key of the digests that `action: hash` writes. With it nobody else can find the value by trying.
    pub hash_key: Secret,
    /// The Collector's; not supported, and an error that says what to write as `condition`.
    pub include: Option<Foreign>,
    /// As `include`.
    pub exclude: Option<Foreign>,
}

/// Whatever stands under a key of the Collector that has no meaning here.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(from = "serde::de::IgnoredAny", into = "()")]
#[schemars(with = "serde_json::Value", inline)]
pub struct Foreign;

impl From<serde::de::IgnoredAny> for Foreign {
    fn from(_: serde::de::IgnoredAny) -> Self {
        Self
    }
}

impl From<Foreign> for () {
    fn from(_: Foreign) -> Self {}
}

/// An action on attributes.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActionConfig {
    /// The attribute. `*` stands for anything in `delete`, `hash` and `convert`, and at the end in `rename`.
    pub key: String,
    /// What is done.
    pub action: ActionKind,
    /// `insert`, `update`, `upsert`: this value; text, a number, `true` or `false`.
    pub value: Option<Constant>,
    /// `insert`, `update`, `upsert`: the value of this attribute or field, with its type. Falco's names and OpenTelemetry's.
    pub from_attribute: Option<String>,
    /// `insert`, `update`, `upsert`: a text with fields in it, as Falco's outputs: `%proc.name@%k8s.pod.name`. With a missing
    /// field nothing is written, unless it begins with `*`, which writes `<NA>`.
    pub template: Option<TemplateConfig>,
    /// The Collector's; not supported, and an error.
    pub from_context: Option<Foreign>,
    /// `rename`: the new name.
    pub to: Option<String>,
    /// `extract`: regular expression with named groups, which name the attributes. `delete`, `hash`: attributes whose name
    /// matches, in place of `key`.
    pub pattern: Option<Pattern>,
    /// `convert`: the type.
    pub converted_type: Option<Type>,
}

/// What an action does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Writes unless it is there.
    Insert,
    /// Writes if it is there.
    Update,
    /// Writes in any case.
    #[default]
    Upsert,
    /// Takes it out.
    Delete,
    /// Gives it another name, in the place of what has that name.
    Rename,
    /// Puts 16 hex digits of a BLAKE3 digest in its place.
    Hash,
    /// Writes attributes from the named groups of `pattern`.
    Extract,
    /// Gives it another type; what cannot be converted stays and is counted.
    Convert,
}

/// A constant, with the type it is written with.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Constant {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
}

impl From<Constant> for Value {
    fn from(constant: Constant) -> Self {
        match constant {
            Constant::Bool(flag) => Self::Bool(flag),
            Constant::Int(number) => Self::Int(number),
            Constant::Double(number) => Self::Double(number),
            Constant::Text(text) => Self::text(text),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is no action, so nothing changes; write `actions`, or take the processor out")]
struct NoActions;

#[derive(Debug, thiserror::Error)]
#[error(
    "which records are meant is said by `condition`; write for example `condition: k8s.ns.name in (prod, staging)`"
)]
struct NoInclude;

#[derive(Debug, thiserror::Error)]
#[error("which records are not meant is said by `condition`; write for example `condition: not (rule = Noise)`")]
struct NoExclude;

#[derive(Debug, thiserror::Error)]
#[error("what a request says beside its records is not kept; take the value from an attribute with `from_attribute`")]
struct NoContext;

#[derive(Debug, thiserror::Error)]
#[error("there is no `key`; name the attribute")]
struct NoKey;

#[derive(Debug, thiserror::Error)]
#[error("`log.record.uid` identifies the event and stays; write another attribute")]
struct Identity;

#[derive(Debug, thiserror::Error)]
#[error("the action needs a value from one place; write one of `value`, `from_attribute` and `template`")]
struct NotOneSource;

#[derive(Debug, thiserror::Error)]
#[error("the action needs `{0}`; write it, or choose another `action`")]
struct Missing(&'static str);

#[derive(Debug, thiserror::Error)]
#[error("`{key}` means nothing to `action: {action}`; take it out, or choose another `action`")]
struct Useless {
    key: &'static str,
    action: &'static str,
}

#[derive(Debug, thiserror::Error)]
#[error("the pattern has no named group, so it gives nothing; name one, for example `(?P<user.name>\\S+)`")]
struct NoGroups;

#[derive(Debug, thiserror::Error)]
#[error("a wildcard in `rename` stands at the end of both names; write for example `key: http.*` and `to: web.*`")]
struct BadRename;

#[derive(Debug, thiserror::Error)]
#[error("values with few possibilities, such as user names, can be found by trying; set `hash_key`")]
struct NoHashKey;

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        if self.actions.is_empty() && self.resource.is_empty() {
            cx.warning("", NoActions);
        }
        let hashes = |actions: &[ActionConfig]| actions.iter().any(|action| action.action == ActionKind::Hash);
        if self.hash_key.expose().is_empty() && (hashes(&self.actions) || hashes(&self.resource)) {
            cx.warning("", NoHashKey);
        }
        let mut sound = true;
        if self.include.is_some() {
            cx.error("include", NoInclude);
            sound = false;
        }
        if self.exclude.is_some() {
            cx.error("exclude", NoExclude);
            sound = false;
        }
        let condition = match self.condition {
            Some(condition) => condition.compile("condition", cx).map(Some),
            None => Some(None),
        };
        let hash_key = digest::key(&self.hash_key);
        let mut all = |list: &str, actions: Vec<ActionConfig>| -> Option<Vec<Action>> {
            let checked = (0..).zip(actions).map(|(index, one)| one.check(&format!("{list}[{index}]"), hash_key, cx));
            // All of them are looked at before the first wrong one counts.
            checked.collect::<Vec<_>>().into_iter().collect()
        };
        let (actions, resource) = (all("actions", self.actions), all("resource", self.resource));
        Some(Plan::new(condition?, actions?, resource?)).filter(|_| sound)
    }
}

impl ActionConfig {
    fn check(self, path: &str, hash_key: [u8; 32], cx: &mut PlanCx<'_>) -> Option<Action> {
        let by_pattern = matches!(self.action, ActionKind::Delete | ActionKind::Hash) && self.pattern.is_some();
        if self.from_context.is_some() {
            cx.error(&format!("{path}.from_context"), NoContext);
            return None;
        }
        if self.key.is_empty() && !by_pattern {
            cx.error(path, NoKey);
            return None;
        }
        if self.key == keys::UID.as_str() && !matches!(self.action, ActionKind::Extract) {
            cx.error(&format!("{path}.key"), Identity);
            return None;
        }
        let sound = self.has_nothing_useless(path, cx);
        let key = Key::intern(&self.key);
        let action = match self.action {
            ActionKind::Insert => Some(Action::Write { key, when: When::Absent, source: self.source(path, cx)? }),
            ActionKind::Update => Some(Action::Write { key, when: When::Present, source: self.source(path, cx)? }),
            ActionKind::Upsert => Some(Action::Write { key, when: When::Always, source: self.source(path, cx)? }),
            ActionKind::Delete => Some(Action::Delete(self.names(path, cx)?)),
            ActionKind::Hash => Some(Action::Hash { names: self.names(path, cx)?, key: hash_key }),
            ActionKind::Rename => self.rename(path, cx),
            ActionKind::Extract => self.extract(path, cx),
            ActionKind::Convert => {
                let names = self.names(path, cx)?;
                let to = needed(self.converted_type, "converted_type", path, cx)?;
                Some(Action::Convert { names, to })
            }
        };
        action.filter(|_| sound)
    }

    /// Whether every key that is written means something to the action.
    fn has_nothing_useless(&self, path: &str, cx: &mut PlanCx<'_>) -> bool {
        use ActionKind::*;
        let writes = matches!(self.action, Insert | Update | Upsert);
        let uses = [
            ("value", self.value.is_some(), writes),
            ("from_attribute", self.from_attribute.is_some(), writes),
            ("template", self.template.is_some(), writes),
            ("to", self.to.is_some(), self.action == Rename),
            ("pattern", self.pattern.is_some(), matches!(self.action, Extract | Delete | Hash)),
            ("converted_type", self.converted_type.is_some(), self.action == Convert),
        ];
        let useless = uses.into_iter().filter(|(_, is_there, is_used)| *is_there && !is_used);
        let useless: Vec<_> = useless.map(|(key, ..)| key).collect();
        for key in &useless {
            cx.error(&format!("{path}.{key}"), Useless { key, action: self.action.word() });
        }
        useless.is_empty()
    }

    fn source(&self, path: &str, cx: &mut PlanCx<'_>) -> Option<Source> {
        match (&self.value, &self.from_attribute, &self.template) {
            (Some(value), None, None) => Some(Source::Constant(value.clone().into())),
            (None, Some(name), None) => {
                // The language has few names without a dot; any other one is an attribute, as in the Collector.
                let is_plain = !name.is_empty() && !name.contains(['.', '[', '(']) && Field::parse(name).is_err();
                let name = if is_plain { format!("attr[{name}]") } else { name.clone() };
                FieldConfig(name).compile(&format!("{path}.from_attribute"), cx).map(Source::Field)
            }
            (None, None, Some(template)) => template.compile(&format!("{path}.template"), cx).map(Source::Template),
            _ => {
                cx.error(path, NotOneSource);
                None
            }
        }
    }

    fn names(&self, path: &str, cx: &mut PlanCx<'_>) -> Option<Names> {
        match &self.pattern {
            Some(pattern) => Some(Names::Pattern(pattern.clone())),
            None if self.key.contains('*') => {
                globs::Name::check(&self.key, &format!("{path}.key"), cx).map(Names::Glob)
            }
            None => Some(Names::One(Key::intern(&self.key))),
        }
    }

    fn rename(&self, path: &str, cx: &mut PlanCx<'_>) -> Option<Action> {
        let to = needed(self.to.as_deref().filter(|to| !to.is_empty()), "to", path, cx)?;
        if to == keys::UID.as_str() {
            cx.error(&format!("{path}.to"), Identity);
            return None;
        }
        match (self.key.strip_suffix('*'), to.strip_suffix('*')) {
            (Some(from), Some(to)) if !from.contains('*') && !to.contains('*') => {
                Some(Action::RenameAll { from: from.to_owned(), to: to.to_owned() })
            }
            (None, None) if !self.key.contains('*') && !to.contains('*') => {
                Some(Action::Rename { from: Key::intern(&self.key), to: Key::intern(to) })
            }
            _ => {
                cx.error(path, BadRename);
                None
            }
        }
    }

    fn extract(&self, path: &str, cx: &mut PlanCx<'_>) -> Option<Action> {
        let pattern = needed(self.pattern.clone(), "pattern", path, cx)?;
        let groups = pattern.0.capture_names().enumerate();
        let groups: Vec<_> = groups.filter_map(|(number, name)| Some((number, Key::intern(name?)))).collect();
        if groups.is_empty() {
            cx.error(&format!("{path}.pattern"), NoGroups);
            return None;
        }
        if groups.iter().any(|(_, key)| *key == *keys::UID) {
            cx.error(&format!("{path}.pattern"), Identity);
            return None;
        }
        Some(Action::Extract { key: Key::intern(&self.key), pattern, groups })
    }
}

fn needed<T>(value: Option<T>, key: &'static str, path: &str, cx: &mut PlanCx<'_>) -> Option<T> {
    if value.is_none() {
        cx.error(path, Missing(key));
    }
    value
}

impl ActionKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::Hash => "hash",
            Self::Extract => "extract",
            Self::Convert => "convert",
        }
    }
}
