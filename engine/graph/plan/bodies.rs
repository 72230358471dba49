//! The bodies of components: each planned by its type; then the addresses they and the service want are compared.

use super::{ConnectorNode, ExporterNode, ExtensionNode, PipelineNode, Plan, Planner, ReceiverNode, RouterNode};
use crate::{
    component::{ComponentId, Kind, PipelineId, Planned},
    config::{
        self, Claims, ComponentEntry, Diagnostic, Listening, PlanCx, Reference, SchemaDoc, codes, route_pipelines,
    },
    delivery::budget::AdmissionConfig,
    telemetry::TelemetryPlan,
};
use std::collections::{HashMap, HashSet};

impl<'a> Planner<'a> {
    /// Plans every component, used or not: a mistake in an unused one is a mistake, too. `None` when something is
    /// missing, which is then among the findings.
    pub(super) fn bodies(&mut self) -> Option<Plan> {
        let used = self.used();
        let (mut schemas, mut listens, mut storages) = (HashMap::new(), Vec::new(), Vec::new());
        let service = self.service(&mut listens);
        let mut plans: HashMap<(Kind, &ComponentId), Planned> = HashMap::new();
        let mut routed = HashMap::new();
        for entry in &self.document.components {
            let key = (entry.kind, &entry.id);
            let mut claims = Claims::default();
            let mut findings = std::mem::take(self.findings);
            let before = findings.len();
            let planned = self.body(entry, &mut schemas, &mut findings, &mut claims);
            let sound = !config::has_errors(&findings[before..]);
            *self.findings = findings;
            if entry.kind == Kind::Connector {
                let routes_all = sound && matches!(planned, Some(Planned::Router(_)));
                self.routes(&entry.id, &claims.routes, routes_all);
                routed.insert(&entry.id, route_pipelines(&claims.routes));
            }
            storages.append(&mut claims.storages);
            if used.contains(&key) {
                listens.append(&mut claims.listens);
                plans.extend(planned.map(|planned| (key, planned)));
            }
        }
        self.clashes(&listens);
        self.storages(&storages);
        self.assemble(plans, &mut routed, &mut schemas, service?)
    }

    fn body(
        &self,
        entry: &'a ComponentEntry,
        schemas: &mut HashMap<(Kind, &'static str), SchemaDoc>,
        findings: &mut Vec<Diagnostic>,
        claims: &mut Claims,
    ) -> Option<Planned> {
        let factory = self.factory(entry.kind, &entry.id)?;
        let schema = schemas.entry((factory.kind, factory.type_name)).or_insert_with(|| SchemaDoc::of(factory.schema));
        let place = (&entry.id, &entry.at, &entry.body);
        (factory.plan)(&entry.body, &mut PlanCx::new(factory, schema, place, findings, claims))
    }

    /// Two listeners on one port.
    fn clashes(&mut self, listens: &[Listening]) {
        for (index, second) in listens.iter().enumerate() {
            let Some(first) = listens[..index].iter().find(|first| first.address.clashes_with(&second.address)) else {
                continue;
            };
            let port = second.address.0.port();
            let message = format!("{} wants port {port}, which {} listens on", second.who, first.who);
            let finding = Diagnostic::error(codes::PORT_CLASH, message, second.origin.clone(), &second.path);
            let finding = finding.related(first.origin.clone(), format!("{} listens here", first.who));
            self.findings.push(finding.help("give one of them another endpoint"));
        }
    }

    /// Puts the plan together. A processor has one instance per pipeline: the first takes the plan that is there,
    /// the others are planned again, and their findings are the same ones.
    fn assemble(
        &self,
        mut plans: HashMap<(Kind, &'a ComponentId), Planned>,
        routed: &mut HashMap<&'a ComponentId, Vec<PipelineId>>,
        schemas: &mut HashMap<(Kind, &'static str), SchemaDoc>,
        (telemetry, admission): (TelemetryPlan, AdmissionConfig),
    ) -> Option<Plan> {
        let mut plan = Plan {
            receivers: Vec::new(),
            connectors: Vec::new(),
            routers: Vec::new(),
            exporters: Vec::new(),
            extensions: Vec::new(),
            pipelines: Vec::new(),
            telemetry,
            admission,
        };
        for pipeline in &self.document.pipelines {
            let mut processors = Vec::with_capacity(pipeline.processors.len());
            for reference in &pipeline.processors {
                let planned = match plans.remove(&(Kind::Processor, &reference.id)) {
                    Some(planned) => planned,
                    None => {
                        let entry = self.known.get(&(Kind::Processor, &reference.id))?;
                        self.body(entry, schemas, &mut Vec::new(), &mut Claims::default())?
                    }
                };
                processors.push((reference.id.clone(), planned));
            }
            let [receivers, exporters] =
                [&pipeline.receivers, &pipeline.exporters].map(|list| once(list).cloned().collect());
            let id: PipelineId = pipeline.id.clone();
            plan.pipelines.push(PipelineNode { id, receivers, processors, exporters });
        }
        for id in once(&self.document.extensions) {
            let Planned::Extension(extension) = plans.remove(&(Kind::Extension, id))? else { return None };
            let entry = self.known.get(&(Kind::Extension, id))?;
            let is_storage = self.factory(Kind::Extension, id)?.storage;
            let (id, body) = (id.clone(), entry.body.clone());
            plan.extensions.push(ExtensionNode { id, body, is_storage, plan: extension });
        }
        for entry in &self.document.components {
            let id = entry.id.clone();
            match plans.remove(&(entry.kind, &entry.id)) {
                Some(Planned::Receiver(receiver)) => {
                    let signals = self.signals(Kind::Receiver, &id);
                    plan.receivers.push(ReceiverNode { id, signals, plan: receiver });
                }
                Some(Planned::Stage(stage)) if entry.kind == Kind::Connector => {
                    let (consumes, produces) = (self.signals(Kind::Exporter, &id), self.signals(Kind::Receiver, &id));
                    plan.connectors.push(ConnectorNode { id, consumes, produces, plan: stage });
                }
                Some(Planned::Router(router)) => {
                    let pipelines = routed.remove(&entry.id).unwrap_or_default();
                    plan.routers.push(RouterNode { id, router, pipelines });
                }
                Some(Planned::Exporter { plan: exporter, delivery }) => {
                    let signals = self.signals(Kind::Exporter, &id);
                    plan.exporters.push(ExporterNode { id, signals, plan: exporter, delivery });
                }
                _ => {}
            }
        }
        Some(plan)
    }
}

/// The ids of a list, each once.
fn once(list: &[Reference]) -> impl Iterator<Item = &ComponentId> {
    let mut known = HashSet::new();
    list.iter().map(|reference| &reference.id).filter(move |id| known.insert(*id))
}
