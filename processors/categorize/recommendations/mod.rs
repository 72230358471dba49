//! What to do about an alert.
//!
//! Promises: the first hit of rule, technique, category counts, and at each of them the configuration's entries before
//! Lanner's; the texts are static. A sub-technique is asked for before its technique.

mod builtin;
mod techniques;

use super::{rule, texts};
use crate::globs;
use lanner_engine::{
    config::read_file,
    prelude::*,
    semantics::{category::Category, keys, threat::Threat},
};
use std::{collections::HashMap, path::PathBuf};

/// Longest text, in bytes.
const MAX_TEXT: usize = 4096;
/// Most entries of a configuration or file.
const MAX_ENTRIES: usize = 10_000;

/// Where recommendations come from.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecommendationsConfig {
    /// Recommend anything at all. What an override says counts in any case.
    pub enabled: bool,
    /// Use Lanner's own table where the entries have nothing to say.
    pub builtin: bool,
    /// Entries that count before Lanner's.
    pub entries: Vec<EntryConfig>,
    /// A YAML file with `entries` like those above, which count after them; read at start and on reload. At most 1 MiB.
    pub file: Option<PathBuf>,
}

impl Default for RecommendationsConfig {
    fn default() -> Self {
        Self { enabled: true, builtin: true, entries: Vec::new(), file: None }
    }
}

/// What the file holds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct FileConfig {
    entries: Vec<EntryConfig>,
}

/// A recommendation for a rule, a technique or a category.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EntryConfig {
    /// Its name in `lanner.recommendation.id`, for example `runbook-42`.
    pub id: String,
    /// A rule, by name or with wildcards.
    pub rule: Option<String>,
    /// An ATT&CK technique or sub-technique.
    pub technique: Option<String>,
    /// A category.
    pub category: Option<String>,
    /// What to do. It is shown as it is, without values of the event.
    pub text: String,
}

/// An entry that cannot be used.
#[derive(Debug, thiserror::Error)]
enum InvalidEntry {
    #[error("an entry is for one thing; write one of `rule`, `technique` and `category`")]
    NotForOne,
    #[error("`{0}` is empty; an entry has an `id` and a `text`")]
    Empty(&'static str),
    #[error("the text is longer than {MAX_TEXT} bytes; link to the rest")]
    TooLong,
    #[error(transparent)]
    Glob(#[from] globs::InvalidName),
    #[error("`{0}` is no technique; write for example `T1059` or `T1059.004`")]
    NoTechnique(String),
    #[error("`{0}` is no category; write for example `Execution`")]
    NoCategory(String),
}

#[derive(Debug, thiserror::Error)]
#[error("more than {MAX_ENTRIES} entries; use wildcards, or entries for techniques")]
struct TooMany;

#[derive(Debug, thiserror::Error)]
#[error("{file}: entry {number}: {problem}")]
struct InvalidFileEntry {
    file: String,
    /// From 1.
    number: usize,
    problem: InvalidEntry,
}

/// What to do.
#[derive(Debug)]
pub(super) struct Recommendation {
    pub id: Text,
    pub text: Text,
}

impl Recommendation {
    pub fn new(id: &str, text: &str) -> Self {
        Self { id: id.into(), text: text.into() }
    }
}

/// The recommendations, ready to be chosen from.
#[derive(Default)]
pub(super) struct Recommendations {
    all: Vec<Recommendation>,
    /// Positions in `all`; the first that fits counts.
    rules: Vec<(globs::Name, usize)>,
    techniques: HashMap<String, usize>,
    categories: HashMap<String, usize>,
}

/// Checked, but for the file.
pub(super) struct Source {
    chosen: Option<Recommendations>,
    file: Option<PathBuf>,
    builtin: bool,
}

impl RecommendationsConfig {
    pub(super) fn check(self, path: &str, cx: &mut PlanCx<'_>) -> Option<Source> {
        let (mut chosen, mut sound) = (Recommendations::default(), true);
        if self.entries.len() > MAX_ENTRIES {
            cx.error(&format!("{path}.entries"), TooMany);
            return None;
        }
        for (index, entry) in self.entries.into_iter().enumerate() {
            if let Err(problem) = chosen.add(entry) {
                cx.error(&format!("{path}.entries[{index}]"), problem);
                sound = false;
            }
        }
        let chosen = self.enabled.then_some(chosen);
        sound.then_some(Source { chosen, file: self.file, builtin: self.builtin })
    }
}

impl Source {
    /// Reads the file and adds Lanner's table.
    ///
    /// # Errors
    /// The file cannot be read or is wrong.
    pub(super) async fn build(self) -> Result<Option<Recommendations>, BoxError> {
        let Some(mut chosen) = self.chosen else { return Ok(None) };
        if let Some(path) = &self.file {
            let entries = read_file::<FileConfig>(path).await?.entries;
            if entries.len() > MAX_ENTRIES {
                return Err(TooMany.into());
            }
            for (entry, number) in entries.into_iter().zip(1..) {
                let invalid = |problem| InvalidFileEntry { file: path.display().to_string(), number, problem };
                chosen.add(entry).map_err(invalid)?;
            }
        }
        if self.builtin {
            chosen.add_builtin();
        }
        Ok(Some(chosen))
    }
}

impl Recommendations {
    fn add(&mut self, entry: EntryConfig) -> Result<(), InvalidEntry> {
        for (name, value) in [("id", &entry.id), ("text", &entry.text)] {
            if value.is_empty() {
                return Err(InvalidEntry::Empty(name));
            }
        }
        if entry.text.len() > MAX_TEXT {
            return Err(InvalidEntry::TooLong);
        }
        let at = self.all.len();
        match (entry.rule, entry.technique, entry.category) {
            (Some(rule), None, None) => self.rules.push((globs::Name::parse(&rule)?, at)),
            (None, Some(id), None) => match Threat::of_tag(&id) {
                // The first entry for something counts.
                Some(Threat::Technique(known) | Threat::Subtechnique(known)) if known == id => {
                    self.techniques.entry(id).or_insert(at);
                }
                _ => return Err(InvalidEntry::NoTechnique(id)),
            },
            (None, None, Some(word)) => match Category::of_word(&word) {
                Some(_) => drop(self.categories.entry(word).or_insert(at)),
                None => return Err(InvalidEntry::NoCategory(word)),
            },
            _ => return Err(InvalidEntry::NotForOne),
        }
        self.all.push(Recommendation::new(&entry.id, &entry.text));
        Ok(())
    }

    fn add_builtin(&mut self) {
        let [rules, techniques, categories] = builtin::tables();
        for advice in rules {
            let at = self.all.len();
            self.all.push(Recommendation::new(&advice.id(), &advice.text()));
            let names = advice.about.iter().filter_map(|name| globs::Name::parse(name).ok());
            self.rules.extend(names.map(|name| (name, at)));
        }
        for (table, named) in [(techniques, &mut self.techniques), (categories, &mut self.categories)] {
            for advice in table {
                let at = self.all.len();
                self.all.push(Recommendation::new(&advice.id(), &advice.text()));
                for name in advice.about {
                    named.entry((*name).to_owned()).or_insert(at);
                }
            }
        }
    }

    /// The recommendation for a record: by rule, sub-technique, technique, category.
    pub(super) fn choose(&self, record: &LogRecord) -> Option<&Recommendation> {
        let (name, attrs) = (rule(record), &record.attrs);
        let by_rule = || self.rules.iter().find(|(known, _)| known.is_match(name)).map(|(_, at)| *at);
        let by_technique = |key: &Key| texts(attrs, key).find_map(|id| self.techniques.get(id)).copied();
        let by_category = || self.categories.get(attrs.get_str(&keys::CATEGORY)?).copied();
        let at = by_rule()
            .or_else(|| by_technique(&keys::THREAT_SUBTECHNIQUE_ID))
            .or_else(|| by_technique(&keys::THREAT_TECHNIQUE_ID))
            .or_else(by_category)?;
        self.all.get(at)
    }
}
