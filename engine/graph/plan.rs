//! stub
use crate::{
    component::*,
    config::{DeliveryConfig, Node},
};
pub struct Plan {
    pub receivers: Vec<ReceiverNode>,
    pub connectors: Vec<ConnectorNode>,
    pub exporters: Vec<ExporterNode>,
    pub extensions: Vec<ExtensionNode>,
    pub pipelines: Vec<PipelineNode>,
    pub telemetry: Node,
    pub admission: Node,
}
pub struct ReceiverNode {
    pub id: ComponentId,
    pub plan: Box<dyn ReceiverPlan>,
}
pub struct ConnectorNode {
    pub id: ComponentId,
    pub plan: Box<dyn StagePlan>,
}
pub struct ExporterNode {
    pub id: ComponentId,
    pub plan: Box<dyn ExporterPlan>,
    pub delivery: DeliveryConfig,
}
pub struct ExtensionNode {
    pub id: ComponentId,
    pub plan: Box<dyn ExtensionPlan>,
}
pub struct PipelineNode {
    pub id: PipelineId,
    pub receivers: Vec<ComponentId>,
    pub processors: Vec<(ComponentId, Planned)>,
    pub exporters: Vec<ComponentId>,
}
