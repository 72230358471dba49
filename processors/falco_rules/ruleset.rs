//! From rule files to rules that can be evaluated: once at the start, and again whenever the files changed.
//!
//! Promises: rules replace others only as a whole and only if every file is right; files that were found wrong are not
//! compiled again until they change; the order is that of the configuration, Lanner's own rules first.

use super::{
    compiled::Compiled,
    files::{self, Found, Place, Unreadable},
    metrics::Metrics,
};
use lanner_rules::{
    audit::{self, Parity},
    builtin,
    file::{Code, Diagnostic, Loader, Options},
    ruleset::{Choice, Ruleset},
    schema::nearest,
};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Where the rules come from.
#[derive(Clone, Debug)]
pub struct RuleSources {
    pub builtin: Vec<&'static builtin::Ruleset>,
    pub places: Vec<Place>,
}

/// What is done to all rules.
pub struct Settings {
    pub options: Options,
    pub choices: Vec<Choice>,
    pub parity: Parity,
    /// Sources whose rules are for alerts.
    pub alert_sources: Vec<String>,
}

/// Why rules cannot be used. Shown to the user as it is.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("no rule file is there; check the paths under `rules_files`")]
    NoFiles,
    #[error("{0}")]
    Rejected(Rejected),
}

/// The findings about a file that is wrong.
#[derive(Debug)]
pub struct Rejected(pub Vec<Diagnostic>);

/// Every finding, with its place and the line in question.
impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rules cannot be loaded")?;
        self.0.iter().try_for_each(|finding| write!(f, "\n{finding}"))
    }
}

impl Unusable {
    /// In one line: the first finding with its place, and how many more there are.
    pub fn brief(&self) -> String {
        match self {
            Self::Rejected(Rejected(findings)) => {
                let Some(first) = findings.first() else { return self.to_string() };
                let (line, column) = (first.place.line, first.place.column);
                let more = match findings.len() - 1 {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                format!("{}:{line}:{column}: {}{more}", first.file, first.message)
            }
            other => other.to_string(),
        }
    }
}

/// What the files were when they were looked at.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// None if they must be read again, whatever their stamps say.
    files: Option<Vec<Found>>,
    digest: Option<[u8; 32]>,
    /// What is wrong with what they say.
    pub fault: Option<String>,
}

/// What a look at the files has found.
pub enum Look {
    /// What they say is what they said.
    Same(Seen),
    /// Other rules.
    Loaded(Seen, Compiled),
    /// Nothing that can be used.
    Unusable(Seen, Unusable),
}

/// Loads rules, and remembers nothing: what was seen is given back. Blocks, on the disk and on compiling.
pub struct RuleLoader {
    pub sources: RuleSources,
    pub settings: Settings,
    pub metrics: Arc<Metrics>,
}

impl RuleLoader {
    /// Looks at the files, and loads them if they are not what they were.
    pub fn look(&self, seen: Seen) -> Look {
        let found = match files::find(&self.sources.places) {
            Ok(found) => found,
            Err(error) => return Look::Unusable(Seen { files: None, ..seen }, error.into()),
        };
        if seen.files.as_ref() == Some(&found) {
            return Look::Same(seen);
        }
        let mut texts = Vec::new();
        for Found { path, .. } in &found {
            match files::read(path) {
                Ok(text) => texts.push((path.display().to_string(), text)),
                Err(error) => return Look::Unusable(Seen { files: None, ..seen }, error.into()),
            }
        }
        let digest = digest(&texts);
        let found = files::are_settled(&found).then_some(found);
        if seen.digest == Some(digest) {
            return Look::Same(Seen { files: found, ..seen });
        }
        let now = Seen { files: found, digest: Some(digest), fault: None };
        match self.compile(&texts) {
            Ok(compiled) => Look::Loaded(now, compiled),
            Err(error) => Look::Unusable(Seen { fault: Some(error.brief()), ..now }, error),
        }
    }

    fn compile(&self, texts: &[(String, String)]) -> Result<Compiled, Unusable> {
        if texts.is_empty() && self.sources.builtin.is_empty() {
            return Err(Unusable::NoFiles);
        }
        let mut loader = Loader::new(self.settings.options.clone());
        let own = self.sources.builtin.iter().map(|ruleset| (ruleset.file, ruleset.text));
        for (name, text) in own.chain(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))) {
            let report = loader.load(name, text);
            if !report.accepted {
                // Findings about the files behind would be about the consequences.
                return Err(Unusable::Rejected(Rejected(report.errors().cloned().collect())));
            }
            // The first is about system calls, on which no rule is tried here; the second is told of below.
            let is_void = |code| matches!(code, Code::NoEventType | Code::UnknownSource);
            for warning in report.diagnostics.iter().filter(|warning| !is_void(warning.code)) {
                tracing::warn!(processor = self.metrics.processor(), "{warning}");
            }
        }
        let mut ruleset = loader.finish();
        ruleset.select(&self.settings.choices);
        self.warn_of_idle(&ruleset);
        Ok(Compiled::new(ruleset, self.settings.parity, &self.settings.alert_sources, &self.metrics))
    }

    /// Tells of rules for events that never come here.
    fn warn_of_idle(&self, ruleset: &Ruleset) {
        let mut idle: BTreeMap<&str, usize> = BTreeMap::new();
        let is_fed =
            |source: &str| source == audit::SOURCE || self.settings.alert_sources.iter().any(|fed| fed == source);
        for rule in ruleset.rules().iter().filter(|rule| !is_fed(&rule.source)) {
            *idle.entry(&rule.source).or_default() += 1;
        }
        for (source, rules) in idle {
            let remedy = match nearest(source, [audit::SOURCE]) {
                Some(meant) => format!("did you mean `source: {meant}`?"),
                None => format!("write `alert_sources: [{source}]` to try them on Falco's alerts of that source"),
            };
            tracing::warn!(
                processor = self.metrics.processor(),
                source,
                rules,
                "These rules are not used, since events of their source do not come here; {remedy}"
            );
        }
    }
}

/// The digest of names and texts.
fn digest(texts: &[(String, String)]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in texts.iter().flat_map(|(name, text)| [name, text]) {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}
