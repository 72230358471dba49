//! Loading files one after the other.

use super::{
    build,
    collect::{Collected, Known},
    decode::{About, Findings},
    diagnostic::{Code, Diagnostic, Severity},
    item, limits,
    node::NodeValue,
    sources::{Files, Spot},
    version::Version,
    yaml,
};
use crate::{audit, priority::Priority, ruleset::Ruleset, schema::Schema, syscall};
use std::{collections::HashSet, sync::Arc};

/// What rules can count on, and what is done to all of them.
#[derive(Clone)]
pub struct Options {
    /// The sources of events, by name.
    pub sources: Vec<(String, Arc<dyn Schema + Send + Sync>)>,
    /// What `required_engine_version` is compared with.
    pub engine: Version,
    /// What `required_plugin_versions` is compared with.
    pub plugins: Vec<(String, Version)>,
    /// Rules that are less severe are loaded, but never on.
    pub minimum_priority: Priority,
    /// What is appended to output templates.
    pub append_output: Vec<AppendOutput>,
}

/// Text that is appended to the templates of some rules. What is `None` or empty fits every rule.
#[derive(Debug, Clone, Default)]
pub struct AppendOutput {
    /// The text.
    pub format: String,
    /// Only rules of this source.
    pub source: Option<String>,
    /// Only rules that have all of these tags.
    pub tags: Vec<String>,
    /// Only the rule of this name.
    pub rule: Option<String>,
}

/// The engine whose language this is.
const ENGINE: Version = Version::new(0, 63, 0);

/// The plugins whose fields are here. The audit plugins of the clouds have the same fields as the one they are made of.
const PLUGINS: [(&str, Version); 6] = [
    ("k8saudit", Version::new(0, 18, 0)),
    ("k8saudit-aks", Version::new(0, 6, 0)),
    ("k8saudit-eks", Version::new(0, 12, 0)),
    ("k8saudit-gke", Version::new(0, 9, 0)),
    ("k8saudit-ovh", Version::new(0, 6, 0)),
    ("json", Version::new(0, 7, 4)),
];

impl Default for Options {
    /// System calls and Kubernetes audit events, rules of all priorities.
    fn default() -> Self {
        Self {
            sources: vec![
                ("syscall".to_owned(), Arc::new(syscall::schema())),
                (audit::SOURCE.to_owned(), Arc::new(audit::schema())),
            ],
            engine: ENGINE,
            plugins: PLUGINS.iter().map(|(name, version)| ((*name).to_owned(), *version)).collect(),
            minimum_priority: Priority::Debug,
            append_output: Vec::new(),
        }
    }
}

impl Options {
    pub(super) fn schema(&self, source: &str) -> Option<&dyn Schema> {
        let known = self.sources.iter().find(|(name, _)| name == source);
        known.map(|(_, schema)| schema.as_ref() as &dyn Schema)
    }
}

/// What loading a file has found.
#[derive(Debug, Clone)]
pub struct Report {
    /// Everything that is wrong or unusual, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the file was taken. If not, nothing of it was.
    pub accepted: bool,
}

impl Report {
    /// What kept the file from being taken.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// What is unusual.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|finding| finding.severity == Severity::Warning)
    }
}

/// Loads rule files in order.
///
/// ```
/// let mut loader = lanner_rules::file::Loader::new(Default::default());
/// let report = loader.load("mine.yaml", "- rule: Pod created
///   desc: A pod was created
///   condition: ka.verb = create and ka.target.resource = pods
///   output: A pod was created (user=%ka.user.name)
///   priority: INFO
///   source: k8s_audit
/// ");
/// assert!(report.accepted, "{:?}", report.diagnostics);
/// assert_eq!(loader.finish().enabled_count(), 1);
/// ```
pub struct Loader {
    options: Options,
    files: Files,
    collected: Collected,
    ruleset: Ruleset,
    /// What was reported for earlier files is not reported again.
    reported: HashSet<Diagnostic>,
}

impl Loader {
    /// A loader without files.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            files: Files::default(),
            collected: Collected::default(),
            ruleset: Ruleset::default(),
            reported: HashSet::new(),
        }
    }

    /// Loads the next file. `name` is only for messages.
    pub fn load(&mut self, name: &str, text: &str) -> Report {
        let mut findings = Findings::default();
        let content = |spot| About::new("rules content", None, spot);
        let is_too_large = text.len() > limits::FILE_BYTES || self.files.bytes() + text.len() > limits::TOTAL_BYTES;
        let file = self.files.add(name, if is_too_large { "" } else { text });
        let start = Spot::new(file, 0, 0);
        if is_too_large {
            let message = format!(
                "the file has {} bytes; at most {} are read, and {} of all files together",
                text.len(),
                limits::FILE_BYTES,
                limits::TOTAL_BYTES
            );
            findings.add(Severity::Error, Code::TooLarge, &content(start), start, message, &self.files);
            return self.report(findings);
        }
        let documents = match yaml::parse(text, file) {
            Ok(documents) => documents,
            Err(unreadable) => {
                let code = if unreadable.too_large { Code::TooLarge } else { Code::YamlParse };
                let about = content(unreadable.spot);
                findings.add(Severity::Error, code, &about, unreadable.spot, unreadable.message, &self.files);
                return self.report(findings);
            }
        };
        for key in &documents.duplicates {
            let message =
                format!("the key '{}' stands here twice; the first counts", crate::language::shown(&key.text));
            findings.add(Severity::Warning, Code::Surprise, &content(key.spot), key.spot, message, &self.files);
        }
        let mut collected = self.collected.clone();
        let options = &self.options;
        let known = Known { engine: options.engine, schema: &|source| options.schema(source) };
        for root in documents.roots.iter().filter(|root| !root.is_null()) {
            let NodeValue::List(items) = &root.value else {
                let message = match root.value {
                    NodeValue::Map(_) => "Rules content is not yaml array of objects; begin every item with `- `",
                    _ => "Rules content is not yaml",
                };
                let about = content(root.spot);
                findings.add(Severity::Error, Code::YamlValidate, &about, root.spot, message.to_owned(), &self.files);
                continue;
            };
            for node in items.iter().filter(|item| !item.is_null()) {
                let mut reader = super::decode::Reader { files: &self.files, findings: &mut findings };
                if let Some(item) = item::read(node, &mut reader) {
                    collected.take(item, &known, &self.files, &mut findings);
                }
            }
        }
        // What does not fit together is not compiled: the errors would be about the consequences.
        if findings.has_errors {
            return self.report(findings);
        }
        let ruleset = build::build(&collected, &self.options, &self.files, &mut findings);
        if !findings.has_errors {
            self.collected = collected;
            self.ruleset = ruleset;
        }
        self.report(findings)
    }

    fn report(&mut self, mut findings: Findings) -> Report {
        findings.list.sort_by_key(|(_, spot)| *spot);
        let diagnostics: Vec<_> = findings.list.into_iter().map(|(finding, _)| finding).collect();
        let accepted = !findings.has_errors;
        let diagnostics: Vec<_> =
            diagnostics.into_iter().filter(|finding| !accepted || !self.reported.contains(finding)).collect();
        if accepted {
            self.reported.extend(diagnostics.iter().cloned());
        }
        Report { diagnostics, accepted }
    }

    /// The rules of all files that were taken.
    pub fn rules(&self) -> &Ruleset {
        &self.ruleset
    }

    /// The rules of all files that were taken.
    pub fn finish(self) -> Ruleset {
        self.ruleset
    }
}

/// Loads one file with the default options.
pub fn load(text: &str) -> (Ruleset, Report) {
    let mut loader = Loader::new(Options::default());
    let report = loader.load("rules.yaml", text);
    (loader.finish(), report)
}
