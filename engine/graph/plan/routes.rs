//! Routes: a connector that chooses pipelines names them, and they list it among their receivers.

use super::{Planner, signals_of};
use crate::{
    component::{ComponentId, Kind, PipelineId},
    config::{Diagnostic, PipelineEntry, RouteUse, codes, suggest},
};

impl<'a> Planner<'a> {
    /// Checks the routes of a connector against the pipelines. `planned`: the routes are all there are.
    pub(super) fn routes(&mut self, id: &ComponentId, routes: &[RouteUse], planned: bool) {
        let (before, behind) = (self.uses(Kind::Exporter, id), self.uses(Kind::Receiver, id));
        for used in routes {
            match self.document.pipelines.iter().find(|pipeline| pipeline.id == used.pipeline) {
                None => self.unknown_pipeline(id, used),
                // That nobody lists the connector is said once, where it is used, and not for every route.
                Some(_) if behind.is_empty() => {}
                Some(pipeline) if !behind.iter().any(|(listing, _)| listing.id == pipeline.id) => {
                    self.unlisted_route(id, used, pipeline);
                }
                Some(pipeline) => {
                    let fed = before.iter().any(|(feeding, _)| feeding.id.signal == pipeline.id.signal);
                    if !fed && !before.is_empty() {
                        self.unfed_route(id, used, &before[0].0.id);
                    }
                }
            }
        }
        if !planned {
            return;
        }
        for (pipeline, reference) in &behind {
            if !routes.iter().any(|used| used.pipeline == pipeline.id) {
                let id = &pipeline.id;
                let message =
                    format!("pipeline \"{id}\" gets nothing of connector \"{}\": no route leads to it", reference.id);
                let finding = Diagnostic::warning(codes::ROUTE, message, reference.at.clone(), &reference.path);
                self.findings.push(finding.help("name the pipeline in the connector, or take the connector out of it"));
            }
        }
        for (pipeline, reference) in &before {
            let signals = signals_of(pipeline);
            if !routes.iter().any(|used| signals.contains(used.pipeline.signal)) {
                let signal = pipeline.id.signal;
                let message = format!("connector \"{}\" has no route for {signal}", reference.id);
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

    fn unfed_route(&mut self, id: &ComponentId, used: &RouteUse, feeding: &PipelineId) {
        let (signal, fed) = (used.pipeline.signal, feeding.signal);
        let message =
            format!("connectors::{id}: no {signal} reach pipeline \"{}\": the connector takes {fed}", used.pipeline);
        let finding = Diagnostic::error(codes::ROUTE, message, used.at.clone(), &used.path);
        self.findings.push(
            finding.help(format!("name a {fed} pipeline, or list `{id}` under `exporters` of a {signal} pipeline")),
        );
    }
}
