//! Routes: a connector that chooses pipelines names them, and they list it among their receivers.

use super::Planner;
use crate::{
    component::{ComponentId, Kind},
    config::{Diagnostic, PipelineEntry, RouteUse, codes, suggest},
    event::{Signal, Signals},
};

impl Planner<'_> {
    /// Checks the routes of a connector against the pipelines. What is missing among them is looked for only when these
    /// are known to be `all` of a connector that routes.
    pub(super) fn routes(&mut self, id: &ComponentId, routes: &[RouteUse], all: bool) {
        let (before, behind) = (self.uses(Kind::Exporter, id), self.uses(Kind::Receiver, id));
        let mut known = true;
        for used in routes {
            let Some(pipeline) = self.document.pipelines.iter().find(|pipeline| pipeline.id == used.pipeline) else {
                self.unknown_pipeline(id, used);
                known = false;
                continue;
            };
            // That nobody lists the connector is said once, where it is used, and not for every route.
            if !behind.is_empty() && !behind.iter().any(|(listing, _)| listing.id == pipeline.id) {
                self.unlisted_route(id, used, pipeline);
            }
            let fed = self.signals(Kind::Exporter, id);
            if !before.is_empty() && !fed.contains(pipeline.id.signal) {
                self.unfed_route(id, used, fed);
            }
        }
        if !all || !known {
            return;
        }
        for (pipeline, reference) in &behind {
            if !routes.iter().any(|used| used.pipeline == pipeline.id) {
                let message =
                    format!("pipeline \"{}\" gets nothing of connector \"{id}\": no route leads to it", pipeline.id);
                let finding = Diagnostic::warning(codes::ROUTE, message, reference.at.clone(), &reference.path);
                self.findings.push(finding.help("name the pipeline in the connector, or take the connector out of it"));
            }
        }
        for (pipeline, reference) in &before {
            let signal = pipeline.id.signal;
            if !routes.iter().any(|used| used.pipeline.signal == signal) {
                let message = format!("connector \"{id}\" has no route for {signal}");
                let finding = Diagnostic::error(codes::ROUTE, message, reference.at.clone(), &reference.path);
                self.findings.push(finding.help(format!("name a {signal} pipeline in the connector")));
            }
        }
    }

    fn unknown_pipeline(&mut self, id: &ComponentId, used: &RouteUse) {
        // An incomplete document may define anything in the part that was not read.
        if !self.document.complete {
            return;
        }
        let message = format!("connectors::{id}: references pipeline \"{}\" which is not configured", used.pipeline);
        let known: Vec<&str> = self.document.pipelines.iter().map(|pipeline| pipeline.id.as_str()).collect();
        let help = match suggest::nearest(used.pipeline.as_str(), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add it under `service::pipelines` with `receivers: [{id}]`"),
        };
        self.findings.push(Diagnostic::error(codes::UNDEFINED, message, used.at.clone(), &used.path).help(help));
    }

    fn unlisted_route(&mut self, id: &ComponentId, used: &RouteUse, pipeline: &PipelineEntry) {
        let message = format!("connectors::{id}: pipeline \"{}\" does not list \"{id}\" as a receiver", pipeline.id);
        let finding = Diagnostic::error(codes::ROUTE, message, used.at.clone(), &used.path);
        let finding = finding.related(pipeline.at.clone(), "the pipeline is here");
        self.findings.push(finding.help(format!("add `{id}` to its `receivers`")));
    }

    fn unfed_route(&mut self, id: &ComponentId, used: &RouteUse, fed: Signals) {
        let signal = used.pipeline.signal;
        let fed = fed.iter().map(Signal::as_str).collect::<Vec<_>>().join(" and ");
        let message =
            format!("connectors::{id}: no {signal} reach pipeline \"{}\": the connector takes {fed}", used.pipeline);
        let finding = Diagnostic::error(codes::ROUTE, message, used.at.clone(), &used.path);
        let help = format!("name a pipeline of what it takes, or list `{id}` under `exporters` of a {signal} pipeline");
        self.findings.push(finding.help(help));
    }
}
