//! The plan of a whole configuration: every reference resolved, every component planned, nothing built.
//!
//! Promises: pure (no I/O, no clock, no spawn); reports every problem, and no check keeps another from running
//! unless its input is missing; the same document gives the same findings. A plan exists only without errors, so
//! whoever builds it need not ask again whether a reference leads somewhere or a signal fits.

mod bodies;
mod circles;
mod connectors;
mod references;
mod routes;
mod service;

use crate::{
    component::{
        ComponentId, ExporterPlan, ExtensionPlan, Factory, Kind, PipelineId, Planned, ReceiverPlan, Registry, Router,
        StagePlan,
    },
    config::{self, ComponentEntry, DeliveryConfig, Diagnostic, Document, Node, PipelineEntry, codes},
    delivery::budget::AdmissionConfig,
    event::Signals,
    telemetry::TelemetryPlan,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A configuration that was found to be without errors. Holds used components only.
#[derive(Default)]
pub struct Plan {
    pub receivers: Vec<ReceiverNode>,
    /// Those with state.
    pub connectors: Vec<ConnectorNode>,
    /// Connectors that route.
    pub routers: Vec<RouterNode>,
    pub exporters: Vec<ExporterNode>,
    /// In the order of `service::extensions`.
    pub extensions: Vec<ExtensionNode>,
    pub pipelines: Vec<PipelineNode>,
    /// `service::telemetry`.
    pub telemetry: TelemetryPlan,
    /// `service::admission`.
    pub admission: AdmissionConfig,
}

/// A receiver, shared by all pipelines that list it.
pub struct ReceiverNode {
    pub id: ComponentId,
    /// The signals of those pipelines.
    pub signals: Signals,
    pub plan: Box<dyn ReceiverPlan>,
}

/// A connector, shared by all pipelines that list it.
pub struct ConnectorNode {
    pub id: ComponentId,
    /// The signals of the pipelines in front of it.
    pub consumes: Signals,
    /// The signals of the pipelines behind it.
    pub produces: Signals,
    pub plan: Box<dyn StagePlan>,
}

/// A connector that routes, shared by all pipelines that list it.
pub struct RouterNode {
    pub id: ComponentId,
    pub router: Arc<dyn Router>,
    /// The pipelines behind it, in the order of its routes.
    pub pipelines: Vec<PipelineId>,
}

/// An exporter, shared by all pipelines that list it.
pub struct ExporterNode {
    pub id: ComponentId,
    /// The signals of those pipelines.
    pub signals: Signals,
    pub plan: Box<dyn ExporterPlan>,
    pub delivery: DeliveryConfig,
}

/// An extension that `service::extensions` lists.
pub struct ExtensionNode {
    pub id: ComponentId,
    /// As written, so that a reload can tell whether it has changed.
    pub body: Node,
    /// Whether other components may name it as their storage.
    pub is_storage: bool,
    pub plan: Box<dyn ExtensionPlan>,
}

/// A pipeline. Each list holds an id once.
pub struct PipelineNode {
    pub id: PipelineId,
    /// Receivers and connectors.
    pub receivers: Vec<ComponentId>,
    /// In order; each is this pipeline's own instance.
    pub processors: Vec<(ComponentId, Planned)>,
    /// Exporters and connectors.
    pub exporters: Vec<ComponentId>,
}

/// Checks a document and plans it. `None` when there is an error among the findings, those of loading included.
pub fn plan(document: &Document, registry: &Registry, findings: &mut Vec<Diagnostic>) -> Option<Plan> {
    let mut planner = Planner::new(document, registry, findings);
    planner.types();
    planner.sections();
    planner.lists();
    planner.connectors();
    planner.circles();
    planner.unused();
    let plan = planner.bodies();
    without_consequences(findings);
    document.filled_in.hide(findings);
    config::sort(findings);
    plan.filter(|_| !config::has_errors(findings))
}

/// A checked configuration, from which as many equal plans can be had as are needed: each is used up by one build.
#[derive(Clone)]
pub struct Blueprint(Arc<dyn Fn() -> Plan + Send + Sync>);

impl Blueprint {
    /// Plans a document. `None` when there is an error among the findings.
    pub fn new(document: Document, registry: &Registry, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        plan(&document, registry, findings)?;
        let registry = registry.clone();
        // Planning is pure: what was planned once without errors always is.
        Some(Self(Arc::new(move || plan(&document, &registry, &mut Vec::new()).unwrap_or_default())))
    }

    /// Nothing but one extension with its defaults, for a process that has no valid configuration yet. `None` when the
    /// program has no such type.
    pub fn of_extension(registry: &Registry, type_name: &str) -> Option<Self> {
        let factory = *registry.find(Kind::Extension, type_name)?;
        let id: ComponentId = type_name.parse().ok()?;
        Some(Self(Arc::new(move || {
            let Some(Planned::Extension(plan)) = config::plan_body(&factory, "{}").planned else {
                return Plan::default();
            };
            let node = ExtensionNode { id: id.clone(), body: Node::default(), is_storage: factory.storage, plan };
            Plan { extensions: vec![node], ..Plan::default() }
        })))
    }

    /// A plan.
    pub fn plan(&self) -> Plan {
        (self.0)()
    }
}

/// Takes away what a component says about a value that is missing only because its reference could not be read.
fn without_consequences(findings: &mut Vec<Diagnostic>) {
    let unread = |finding: &&Diagnostic| [codes::BAD_REFERENCE, codes::UNREADABLE_REFERENCE].contains(&finding.code);
    let paths: HashSet<String> = findings.iter().filter(unread).map(|finding| finding.path.clone()).collect();
    findings.retain(|finding| {
        !([codes::REFUSED, codes::MISSING_KEY].contains(&finding.code) && paths.contains(&finding.path))
    });
}

/// What the phases share.
struct Planner<'a> {
    document: &'a Document,
    registry: &'a Registry,
    findings: &'a mut Vec<Diagnostic>,
    /// Components by kind and id.
    known: HashMap<(Kind, &'a ComponentId), &'a ComponentEntry>,
}

impl<'a> Planner<'a> {
    fn new(document: &'a Document, registry: &'a Registry, findings: &'a mut Vec<Diagnostic>) -> Self {
        let known = document.components.iter().map(|entry| ((entry.kind, &entry.id), entry)).collect();
        Self { document, registry, findings, known }
    }

    fn has(&self, kind: Kind, id: &ComponentId) -> bool {
        self.known.contains_key(&(kind, id))
    }

    fn factory(&self, kind: Kind, id: &ComponentId) -> Option<&'a Factory> {
        self.registry.find(kind, id.type_name())
    }

    /// What an id in a pipeline's list stands for: connectors stand among receivers and exporters.
    fn role(&self, kind: Kind, id: &ComponentId) -> Option<Kind> {
        let both = [kind, Kind::Connector];
        let kinds = if kind == Kind::Processor { &both[..1] } else { &both[..] };
        kinds.iter().copied().find(|kind| self.has(*kind, id))
    }

    /// The signals of the pipelines in which `id` stands in the list of `kind`.
    fn signals(&self, kind: Kind, id: &ComponentId) -> Signals {
        let using =
            self.document.pipelines.iter().filter(|pipeline| list(pipeline, kind).iter().any(|used| used.id == *id));
        using.fold(Signals::NONE, |signals, pipeline| signals.and(signals_of(pipeline)))
    }

    /// The components that pipelines and `service::extensions` name.
    fn used(&self) -> HashSet<(Kind, &'a ComponentId)> {
        let mut used = HashSet::new();
        for pipeline in &self.document.pipelines {
            for kind in [Kind::Receiver, Kind::Processor, Kind::Exporter] {
                for reference in list(pipeline, kind) {
                    used.extend(self.role(kind, &reference.id).map(|kind| (kind, &reference.id)));
                }
            }
        }
        used.extend(self.document.extensions.iter().map(|reference| (Kind::Extension, &reference.id)));
        used
    }
}

/// The list of a pipeline that holds components of `kind`.
fn list(pipeline: &PipelineEntry, kind: Kind) -> &[config::Reference] {
    match kind {
        Kind::Receiver => &pipeline.receivers,
        Kind::Processor => &pipeline.processors,
        Kind::Exporter => &pipeline.exporters,
        Kind::Connector | Kind::Extension => &[],
    }
}

fn signals_of(pipeline: &PipelineEntry) -> Signals {
    use crate::event::Signal;
    match pipeline.id.signal {
        Signal::Logs => Signals::LOGS,
        Signal::Metrics => Signals::METRICS,
        Signal::Traces => Signals::TRACES,
    }
}
