//! From what has been collected to rules that can be evaluated.

use super::{
    collect::{Collected, RuleInfo},
    decode::{About, Findings, Reader},
    diagnostic::{Code, Severity},
    event_types::EventTypes,
    exception_text, limits,
    lists::{Lists, TooMuch},
    loader::{AppendOutput, Options},
    macros::Trees,
    sources::Files,
    written::Written,
};
use crate::{
    compile::{CompileErrorKind, Compiler, WarningKind},
    evaluate::NodeId,
    language::{Expr, Limits, Span, parse_with},
    output::Template,
    ruleset::{CompiledRule, Rule, Ruleset, SourceRules},
};
use std::{collections::BTreeMap, sync::Arc};

/// The source for whose rules event types are looked at.
const SYSCALL: &str = "syscall";
/// How deep a condition may be that is shown with everything put in.
const SHOWN_DEPTH: u32 = 500;

/// Compiles everything that has been collected.
pub(super) fn build(collected: &Collected, options: &Options, files: &Files, findings: &mut Findings) -> Ruleset {
    let mut build = Build {
        collected,
        options,
        files,
        findings,
        lists: Lists::new(collected),
        macros: Trees::default(),
        texts: Vec::new(),
        event_types: EventTypes::new(),
        shown: limits::ALL_SHOWN,
    };
    build.check_plugins();
    build.check_list_names();
    build.read_macros();
    let ruleset = build.rules();
    build.unused();
    ruleset
}

pub(super) struct Build<'b> {
    pub(super) collected: &'b Collected,
    options: &'b Options,
    files: &'b Files,
    findings: &'b mut Findings,
    pub(super) lists: Lists,
    pub(super) macros: Trees,
    /// Every text that was read, by the number in [`Span::text`], and what it belongs to.
    texts: Vec<(Written, About)>,
    event_types: EventTypes,
    /// Bytes of conditions that may still be kept to be shown.
    shown: usize,
}

/// Something is wrong, and is among the findings.
pub(super) struct Failed;

/// What became of a rule.
enum Outcome {
    Compiled(NodeId, Template, Arc<str>),
    Skipped,
}

impl<'b> Build<'b> {
    pub(super) fn report(&mut self, severity: Severity, code: Code, about: &About, span: Span, message: String) {
        let spot = match self.texts.get(span.text as usize) {
            Some((text, _)) => text.spot(span.start as usize, span.end as usize, self.files),
            None => about.spot,
        };
        self.findings.add(severity, code, about, spot, message, self.files);
    }

    pub(super) fn about(&mut self, severity: Severity, code: Code, about: &About, message: String) {
        self.findings.add(severity, code, about, about.spot, message, self.files);
    }

    fn check_plugins(&mut self) {
        for requirement in &self.collected.plugins {
            let satisfied = requirement.alternatives.iter().any(|(name, required)| {
                let known = self.options.plugins.iter().find(|(known, _)| known == name);
                known.is_some_and(|(_, version)| version.satisfies(*required))
            });
            if !satisfied {
                let shown = crate::language::shown;
                let wanted =
                    requirement.alternatives.iter().map(|(name, version)| format!("{} {version}", shown(name)));
                let message = format!(
                    "the rules need the plugin {}, which is not there; take rules of an older version",
                    wanted.collect::<Vec<_>>().join(" or ")
                );
                self.about(Severity::Error, Code::Validate, &requirement.about, message);
            }
        }
    }

    /// Puts lists into a condition and reads it.
    pub(super) fn read(&mut self, condition: &Written, about: &About) -> Result<Expr, Failed> {
        let expanded = match self.lists.expand(condition) {
            Ok(expanded) => expanded,
            Err(TooMuch) => {
                let message = format!(
                    "with its lists the condition has more than {} bytes, or all of them more than {}",
                    limits::CONDITION,
                    limits::CONDITIONS
                );
                self.about(Severity::Error, Code::TooLarge, about, message);
                return Err(Failed);
            }
        };
        let id = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let parsed = parse_with(&expanded.written.text, Limits { text: id, ..Limits::RULES });
        self.texts.push((expanded.written, about.clone()));
        if expanded.in_quotes {
            let message =
                "a list's name stands in a quoted string and is replaced there too; rename the list".to_owned();
            self.about(Severity::Warning, Code::Surprise, about, message);
        }
        match parsed {
            Ok(tree) => {
                self.check_values(&tree, about);
                Ok(tree)
            }
            Err(error) => {
                self.report(Severity::Error, Code::CompileCondition, about, error.span, error.kind.to_string());
                Err(Failed)
            }
        }
    }

    fn rules(&mut self) -> Ruleset {
        let mut ruleset = Ruleset::default();
        let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, info) in self.collected.rules.entries.iter().enumerate() {
            ruleset.rules.push(self.describe(info));
            if !info.is_unknown {
                by_source.entry(&info.definition.source).or_default().push(index);
            }
        }
        for (name, members) in by_source {
            let Some(schema) = self.options.schema(name) else { continue };
            let mut compiler = Compiler::new(schema);
            let (mut compiled, mut enabled) = (Vec::new(), Vec::new());
            for index in members {
                let (Some(info), Some(rule)) = (self.collected.rules.entries.get(index), ruleset.rules.get_mut(index))
                else {
                    continue;
                };
                let Ok(Outcome::Compiled(node, template, condition)) = self.compile(info, rule, &mut compiler) else {
                    continue;
                };
                rule.compiled = true;
                rule.compiled_condition = condition;
                if rule.enabled && rule.priority.is_at_least(self.options.minimum_priority) {
                    enabled.push(compiled.len());
                }
                compiled.push(CompiledRule { rule: index, template, node });
            }
            let minimum = self.options.minimum_priority;
            ruleset.sources.push(SourceRules::new(name, compiler.finish(), compiled, enabled, minimum));
        }
        ruleset.lists = self
            .collected
            .lists
            .entries
            .iter()
            .map(|list| (list.name.clone(), self.lists.items(&list.name).unwrap_or_default().to_vec()))
            .collect();
        ruleset.macros = self
            .collected
            .macros
            .entries
            .iter()
            .map(|known| (known.name.clone(), known.condition.text.clone()))
            .collect();
        ruleset
    }

    fn describe(&self, info: &RuleInfo) -> Rule {
        let definition = &info.definition;
        Rule {
            name: info.name.as_str().into(),
            description: definition.description.text.as_str().into(),
            source: definition.source.as_str().into(),
            priority: definition.priority,
            tags: definition.tags.clone(),
            output: self.output(info).as_str().into(),
            condition: definition.condition.text.as_str().into(),
            compiled_condition: "".into(),
            enabled: definition.enabled,
            capture: definition.capture,
            capture_duration: definition.capture_duration,
            compiled: false,
        }
    }

    /// The template with what the configuration appends.
    fn output(&self, info: &RuleInfo) -> String {
        let mut output = info.definition.output.text.replace(CONTAINER_INFO, "");
        for AppendOutput { format, source, tags, rule } in &self.options.append_output {
            let fits = source.as_ref().is_none_or(|source| *source == info.definition.source)
                && rule.as_ref().is_none_or(|rule| *rule == info.name)
                && tags.iter().all(|tag| info.definition.tags.contains(tag));
            if fits {
                output.push(' ');
                output.push_str(format);
            }
        }
        output
    }

    fn compile(&mut self, info: &RuleInfo, rule: &Rule, compiler: &mut Compiler<'_>) -> Result<Outcome, Failed> {
        let definition = &info.definition;
        let about = &info.about;
        let condition = {
            let mut reader = Reader { files: self.files, findings: self.findings };
            exception_text::expand(&definition.condition, &definition.exceptions, &mut reader).map_err(|_| Failed)?
        };
        let tree = self.read(&condition, about)?;
        self.check_names(&tree, None, about);
        let compiled = compiler.condition(&tree, &self.macros);
        for warning in compiler.take_warnings() {
            let code = match warning.kind {
                WarningKind::NotAvailable { .. } => Code::UnsafeNaCheck,
                WarningKind::Deprecated { .. } => Code::DeprecatedItem,
                _ => Code::ConditionWarning,
            };
            self.report(Severity::Warning, code, about, warning.span, warning.kind.to_string());
        }
        let skips = definition.skip_if_unknown_filter;
        let node = match compiled {
            Ok(node) => node,
            Err(errors) => {
                let is_skipped = skips && errors.iter().all(|error| error.kind.is_unknown_filter());
                for error in errors {
                    // These have been reported, where the macros were looked at.
                    if let CompileErrorKind::UnknownMacro { .. } | CompileErrorKind::MacroLoop { .. } = error.kind {
                        continue;
                    }
                    let (severity, code) = severity(is_skipped, Code::CompileCondition);
                    self.report(severity, code, about, error.span, error.kind.to_string());
                }
                return if is_skipped { Ok(Outcome::Skipped) } else { Err(Failed) };
            }
        };
        if definition.output.text.contains(CONTAINER_INFO) {
            let message = format!("{CONTAINER_INFO} is not supported any more and left out; write the fields instead");
            self.about(Severity::Warning, Code::DeprecatedItem, about, message);
        }
        let id = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let limits = Limits { text: id, ..Limits::default() };
        let template = Template::compile(&format!("*{}", rule.output), limits, compiler);
        self.texts.push((self.output_text(info), about.clone()));
        let template = match template {
            Ok(template) => template,
            Err(errors) => {
                let is_skipped = skips && errors.iter().all(|error| error.kind.is_unknown_filter());
                for error in errors {
                    let (severity, code) = severity(is_skipped, Code::CompileOutput);
                    self.report(severity, code, about, error.span, error.kind.to_string());
                }
                return if is_skipped { Ok(Outcome::Skipped) } else { Err(Failed) };
            }
        };
        compiler.take_warnings();
        if definition.source == SYSCALL && definition.warn_evttypes && self.event_types.is_broad(&tree, &self.macros) {
            let message = "Rule matches too many evt.type values. This has a significant performance penalty. Add \
                           `evt.type in (...)` to the condition, or `warn_evttypes: false` to the rule";
            self.about(Severity::Warning, Code::NoEventType, about, message.to_owned());
        }
        let mut most = limits::SHOWN.min(self.shown);
        let shown = self.macros.expanded(&tree, &mut most, SHOWN_DEPTH);
        let shown = shown.map(|tree| tree.canonical()).unwrap_or_default();
        self.shown = self.shown.saturating_sub(shown.len());
        Ok(Outcome::Compiled(node, template, shown.as_str().into()))
    }

    /// The template as it stands in the file, moved by the `*` before it.
    fn output_text(&self, info: &RuleInfo) -> Written {
        let mut text = Written::default();
        text.push("*", info.about.spot);
        text.push_all(&info.definition.output);
        text
    }
}

/// What Falco had before fields for containers.
const CONTAINER_INFO: &str = "%container.info";

fn severity(is_skipped: bool, code: Code) -> (Severity, Code) {
    if is_skipped { (Severity::Warning, Code::UnknownFilter) } else { (Severity::Error, code) }
}
