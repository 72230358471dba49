//! The graph: planned and checked from a document, drawn, built and run.

mod plan;
mod run;

pub use plan::{ConnectorNode, ExporterNode, ExtensionNode, PipelineNode, Plan, ReceiverNode};
pub use run::{BuildError, Graph, RunError, Surroundings};
