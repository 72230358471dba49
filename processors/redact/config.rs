//! What a user writes, and what is checked of it.

use crate::{digest, globs};
use globset::GlobSet;
use lanner_engine::{
    config::{Pattern, Secret},
    prelude::*,
};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Replace secrets that are recognised by their shape, such as `--password=x`, `Bearer x` and `https://user:x@host`,
    /// wherever text is.
    pub secrets: bool,
    /// Attributes to redact as a whole, for example `user.email` or `*.args`; `*` stands for anything.
    pub keys: Vec<String>,
    /// Attributes to leave alone, whatever else is written here.
    pub allowed_keys: Vec<String>,
    /// Regular expressions; what matches is redacted in every text. With a group in parentheses only the group is.
    pub patterns: Vec<Pattern>,
    /// What becomes of what `keys` and `patterns` name. Secrets are masked in any case.
    pub action: Action,
    /// The text that `action: mask` writes.
    pub mask: String,
    /// Key of the digests that `action: hash` writes. With it nobody else can find the value by trying;
    /// without one, equal values have equal digests everywhere.
    pub hash_key: Secret,
}

/// What becomes of what is redacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The mask stands in its place.
    #[default]
    Mask,
    /// 16 hex digits of a BLAKE3 digest stand in its place: equal values stay equal.
    Hash,
    /// An attribute is taken out; a part of a text is cut out.
    Delete,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            secrets: true,
            keys: Vec::new(),
            allowed_keys: Vec::new(),
            patterns: Vec::new(),
            action: Action::Mask,
            mask: "[REDACTED]".into(),
            hash_key: Secret::default(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("nothing is redacted; set `keys`, `patterns` or `secrets: true`, or take the processor out")]
struct Nothing;

#[derive(Debug, thiserror::Error)]
#[error("the expression matches the empty text, so it would match everywhere; write what it must contain")]
struct MatchesEmpty;

#[derive(Debug, thiserror::Error)]
#[error("values with few possibilities, such as user names, can be found by trying; set `hash_key`")]
struct NoHashKey;

/// A checked config.
pub struct Plan {
    pub(super) secrets: bool,
    pub(super) keys: GlobSet,
    pub(super) allowed: GlobSet,
    pub(super) patterns: Vec<Pattern>,
    pub(super) replacement: Replacement,
}

/// What stands in the place of a value.
pub(super) enum Replacement {
    Mask(Text),
    /// With the key of the digest.
    Hash([u8; 32]),
    Delete,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        if !self.secrets && self.keys.is_empty() && self.patterns.is_empty() {
            cx.warning("", Nothing);
        }
        for (index, pattern) in self.patterns.iter().enumerate() {
            if pattern.is_match("") {
                cx.error(&format!("patterns[{index}]"), MatchesEmpty);
            }
        }
        if self.action == Action::Hash && self.hash_key.expose().is_empty() {
            cx.warning("action", NoHashKey);
        }
        let (keys, allowed) = (globs::set("keys", &self.keys, cx), globs::set("allowed_keys", &self.allowed_keys, cx));
        Some(Plan {
            secrets: self.secrets,
            keys: keys?,
            allowed: allowed?,
            patterns: self.patterns,
            replacement: match self.action {
                Action::Mask => Replacement::Mask(self.mask.into()),
                Action::Hash => Replacement::Hash(digest::key(&self.hash_key)),
                Action::Delete => Replacement::Delete,
            },
        })
    }
}
