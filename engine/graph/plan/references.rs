//! Types, sections and references: does everything that is named exist, and only once?
//!
//! The words are the Collector's, because users search for them.

use super::{Planner, list};
use crate::{
    component::{ComponentId, Kind, PipelineId},
    config::{Diagnostic, PipelineEntry, Reference, StorageUse, codes, suggest},
};
use std::collections::HashMap;

impl Planner<'_> {
    /// Unknown and old types.
    pub(super) fn types(&mut self) {
        for entry in &self.document.components {
            let (section, name) = (entry.kind.section(), entry.id.type_name());
            let path = format!("{section}::{}", entry.id);
            match self.registry.find(entry.kind, name) {
                Some(factory) if factory.type_name != name => {
                    let message = format!("`{name}` is an older name of the {} `{}`", entry.kind, factory.type_name);
                    let finding = Diagnostic::warning(codes::OLD_TYPE, message, entry.at.clone(), path);
                    self.findings.push(
                        finding.help(format!("write `{}`", entry.id.as_str().replacen(name, factory.type_name, 1))),
                    );
                }
                Some(_) => {}
                None => {
                    let types: Vec<&str> = self.registry.of_kind(entry.kind).map(|factory| factory.type_name).collect();
                    let message = format!(
                        "'{section}' unknown type: \"{name}\" for id: \"{}\" (valid values: [{}])",
                        entry.id,
                        types.join(" ")
                    );
                    let elsewhere = Kind::ALL.into_iter().find(|kind| self.registry.find(*kind, name).is_some());
                    let mut finding = Diagnostic::error(codes::UNKNOWN_TYPE, message, entry.at.clone(), path);
                    let absent =
                        self.registry.absent().find(|absent| absent.kind == entry.kind && absent.type_name == name);
                    if let Some(absent) = absent {
                        finding = finding.help(absent.remedy());
                    } else if let Some(near) = suggest::nearest(name, types) {
                        finding = finding.help(format!("did you mean `{near}`?"));
                    } else if let Some(kind) = elsewhere {
                        finding =
                            finding.help(format!("`{name}` is a type of {kind}; write it under `{}`", kind.section()));
                    }
                    self.findings.push(finding);
                }
            }
        }
    }

    /// Sections and pipelines that must not be empty.
    pub(super) fn sections(&mut self) {
        if !self.document.complete {
            return;
        }
        let at = &self.document.service_at;
        for kind in [Kind::Receiver, Kind::Exporter] {
            if self.document.of_kind(kind).next().is_none() {
                let message = format!("no {kind} configuration specified in config");
                let finding = Diagnostic::error(codes::NO_SECTION, message, at.clone(), kind.section());
                self.findings.push(finding.help(format!("add at least one {kind} under `{}`", kind.section())));
            }
        }
        if self.document.pipelines.is_empty() {
            let message = "service::pipelines: service must have at least one pipeline";
            let finding = Diagnostic::error(codes::NO_PIPELINE, message, at.clone(), "service::pipelines");
            self.findings.push(finding.help("add for example `logs:` with `receivers: [...]` and `exporters: [...]`"));
        }
        for pipeline in &self.document.pipelines {
            for kind in [Kind::Receiver, Kind::Exporter] {
                if list(pipeline, kind).is_empty() {
                    let path = format!("service::pipelines::{}", pipeline.id);
                    let message = format!("{path}: must have at least one {kind}");
                    let finding = Diagnostic::error(codes::EMPTY_PIPELINE, message, pipeline.at.clone(), path);
                    self.findings.push(finding.help(format!("add `{}: [...]`", kind.section())));
                }
            }
        }
    }

    /// The lists of pipelines and of `service::extensions`.
    pub(super) fn lists(&mut self) {
        for pipeline in &self.document.pipelines {
            for kind in [Kind::Receiver, Kind::Processor, Kind::Exporter] {
                let place = format!("service::pipelines::{}", pipeline.id);
                self.repeated(list(pipeline, kind), kind, &place);
                for reference in list(pipeline, kind) {
                    match self.role(kind, &reference.id) {
                        Some(Kind::Connector) => {}
                        Some(kind) => self.signal(kind, reference, pipeline),
                        None => self.undefined(kind, reference, &place),
                    }
                }
            }
        }
        self.repeated(&self.document.extensions, Kind::Extension, "service::extensions");
        for reference in &self.document.extensions {
            if !self.has(Kind::Extension, &reference.id) {
                self.undefined(Kind::Extension, reference, "service::extensions");
            }
        }
    }

    /// The extensions that components keep state in.
    pub(super) fn storages(&mut self, uses: &[StorageUse]) {
        let mut queues = uses.iter().filter(|used| used.of_queue);
        if let Some(first) = queues.next() {
            for other in queues.filter(|other| other.extension.id != first.extension.id) {
                let message = format!(
                    "{} and {} keep their queues in different storages, \"{}\" and \"{}\"",
                    first.place, other.place, first.extension.id, other.extension.id
                );
                let finding =
                    Diagnostic::error(codes::CONFLICT, message, other.extension.at.clone(), &other.extension.path);
                let finding = finding.related(first.extension.at.clone(), "the other storage is named here");
                self.findings
                    .push(finding.help("name the same one: a request is written to all of its queues at once"));
            }
        }
        for StorageUse { extension, place, .. } in uses {
            let id = &extension.id;
            let (at, path) = (extension.at.clone(), &extension.path);
            if !self.has(Kind::Extension, id) {
                self.undefined(Kind::Extension, extension, place);
            } else if self.factory(Kind::Extension, id).is_some_and(|factory| !factory.storage) {
                let storages: Vec<&str> =
                    self.registry.of_kind(Kind::Extension).filter(|f| f.storage).map(|f| f.type_name).collect();
                let message = format!("{place}: extension \"{id}\" keeps no state of other components");
                let help = format!("name an extension of the type {}", suggest::list(storages));
                self.findings.push(Diagnostic::error(codes::NOT_STORAGE, message, at, path).help(help));
            } else if !self.document.extensions.iter().any(|listed| listed.id == *id) {
                let message = format!("{place}: extension \"{id}\" is not listed in service::extensions");
                let help = format!("add `extensions: [{id}]` under `service`");
                self.findings.push(Diagnostic::error(codes::UNLISTED, message, at, path).help(help));
            }
        }
    }

    fn repeated(&mut self, list: &[Reference], kind: Kind, place: &str) {
        let mut places: HashMap<&ComponentId, &Reference> = HashMap::new();
        for reference in list {
            let Some(first) = places.get(&reference.id) else {
                places.insert(&reference.id, reference);
                continue;
            };
            let message = format!("{place}: references {kind} \"{}\" multiple times", reference.id);
            let (at, path) = (reference.at.clone(), &reference.path);
            let finding = match kind {
                Kind::Processor => Diagnostic::error(codes::PROCESSOR_TWICE, message, at, path)
                    .help(format!("remove one, or configure a second one under `{}/second`", reference.id.type_name())),
                _ => Diagnostic::warning(codes::LISTED_TWICE, message, at, path).help("it is used once; remove one"),
            };
            self.findings.push(finding.related(first.at.clone(), "first listed here"));
        }
    }

    fn undefined(&mut self, kind: Kind, reference: &Reference, place: &str) {
        // An incomplete document may define anything in the part that was not read.
        if !self.document.complete {
            return;
        }
        let id = &reference.id;
        let message = format!("{place}: references {kind} \"{id}\" which is not configured");
        let other = Kind::ALL.into_iter().find(|other| *other != kind && self.has(*other, id));
        let mut candidates: Vec<&str> = self.document.of_kind(kind).map(|entry| entry.id.as_str()).collect();
        if matches!(kind, Kind::Receiver | Kind::Exporter) {
            candidates.extend(self.document.of_kind(Kind::Connector).map(|entry| entry.id.as_str()));
        }
        let help = match (other, suggest::nearest(id.as_str(), candidates.iter().copied())) {
            (Some(other), _) => format!("`{id}` is configured as {}", article(other)),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) if candidates.is_empty() => format!("add it under `{}`", kind.section()),
            (None, None) => format!("add it under `{}`; configured: {}", kind.section(), suggest::list(candidates)),
        };
        let mut finding =
            Diagnostic::error(codes::UNDEFINED, message, reference.at.clone(), &reference.path).help(help);
        if let Some(entry) = other.and_then(|other| self.known.get(&(other, id))) {
            finding = finding.related(entry.at.clone(), "configured here");
        }
        self.findings.push(finding);
    }

    fn signal(&mut self, kind: Kind, reference: &Reference, pipeline: &PipelineEntry) {
        let Some(factory) = self.factory(kind, &reference.id) else { return };
        if !factory.signals.contains(pipeline.id.signal) {
            self.unsupported(kind, reference, &pipeline.id, factory.signals);
        }
    }

    pub(super) fn unsupported(
        &mut self,
        kind: Kind,
        reference: &Reference,
        pipeline: &PipelineId,
        supported: crate::event::Signals,
    ) {
        let (id, signal) = (&reference.id, pipeline.signal);
        let message =
            format!("failed to create \"{id}\" {kind} for data type \"{signal}\": telemetry type is not supported");
        let supported: Vec<&str> = supported.iter().map(crate::event::Signal::as_str).collect();
        let help = format!("it supports {}; move it to such a pipeline", suggest::list(supported));
        let finding = Diagnostic::error(codes::SIGNAL, message, reference.at.clone(), &reference.path);
        self.findings.push(finding.help(help));
    }

    /// Components nobody uses.
    pub(super) fn unused(&mut self) {
        if !self.document.complete {
            return;
        }
        let used = self.used();
        for entry in &self.document.components {
            if used.contains(&(entry.kind, &entry.id)) || self.document.mentioned.contains(&entry.id) {
                continue;
            }
            let (kind, id) = (entry.kind, &entry.id);
            let path = format!("{}::{id}", kind.section());
            let finding = match kind {
                Kind::Extension => {
                    let message = format!("extension \"{id}\" is configured but not listed in service::extensions");
                    Diagnostic::warning(codes::UNLISTED, message, entry.at.clone(), path)
                        .help(format!("add `extensions: [{id}]` under `service`, or remove it"))
                }
                _ => {
                    let message = format!("{kind} \"{id}\" is configured but not used in any pipeline");
                    Diagnostic::warning(codes::UNUSED, message, entry.at.clone(), path)
                        .help("list it in a pipeline, or remove it")
                }
            };
            self.findings.push(finding);
        }
    }
}

fn article(kind: Kind) -> String {
    match kind {
        Kind::Exporter | Kind::Extension => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}
