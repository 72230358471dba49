//! Connectors: an exporter of one pipeline and a receiver of another, with signals that fit.

use super::{Planner, list};
use crate::{
    component::{ComponentId, Kind},
    config::{Diagnostic, PipelineEntry, Reference, codes},
};

impl<'a> Planner<'a> {
    pub(super) fn connectors(&mut self) {
        let document = self.document;
        for entry in document.of_kind(Kind::Connector) {
            let id = &entry.id;
            for kind in [Kind::Receiver, Kind::Exporter] {
                if let Some(other) = self.known.get(&(kind, id)) {
                    let path = format!("connectors::{id}");
                    let message = format!("{path}: ambiguous ID: Found both \"{id}\" {kind} and \"{id}\" connector.");
                    let finding = Diagnostic::error(codes::AMBIGUOUS, message, entry.at.clone(), path);
                    let finding = finding.related(other.at.clone(), format!("the {kind} is here"));
                    self.findings.push(finding.help(format!("rename one of them, for example to `{id}/connector`")));
                }
            }
            let (before, behind) = (self.uses(Kind::Exporter, id), self.uses(Kind::Receiver, id));
            if let Some(factory) = self.factory(Kind::Connector, id) {
                for (uses, signals) in [(&before, factory.signals), (&behind, factory.produces)] {
                    for (pipeline, reference) in uses {
                        if !signals.contains(pipeline.id.signal) {
                            self.unsupported(Kind::Connector, reference, &pipeline.id, signals);
                        }
                    }
                }
            }
            match (&before[..], &behind[..]) {
                ([(_, first), ..], []) => self.dangling(first, &before, "exporter", "receiver"),
                ([], [(_, first), ..]) => self.dangling(first, &behind, "receiver", "exporter"),
                _ => {}
            }
        }
    }

    /// The pipelines that have the connector in the list of `kind`, and where.
    pub(super) fn uses(&self, kind: Kind, id: &ComponentId) -> Vec<(&'a PipelineEntry, &'a Reference)> {
        // An id that is ambiguous stands for the receiver or exporter.
        if self.role(kind, id) != Some(Kind::Connector) {
            return Vec::new();
        }
        let pipelines = self.document.pipelines.iter();
        pipelines
            .filter_map(|pipeline| Some((pipeline, list(pipeline, kind).iter().find(|used| used.id == *id)?)))
            .collect()
    }

    fn dangling(&mut self, first: &Reference, uses: &[(&PipelineEntry, &Reference)], side: &str, other: &str) {
        // The other side may be in the part that was not read.
        if !self.document.complete {
            return;
        }
        let pipelines: Vec<&str> = uses.iter().map(|(pipeline, _)| pipeline.id.as_str()).collect();
        let message = format!(
            "connector \"{}\" used as {side} in [{}] pipeline but not used in any supported {other} pipeline",
            first.id,
            pipelines.join(" ")
        );
        let finding = Diagnostic::error(codes::CONNECTOR, message, first.at.clone(), &first.path);
        self.findings.push(finding.help(format!("list it under `{other}s` of another pipeline, too")));
    }
}
