//! The graph: planned and checked from a document, drawn, built and run.

mod draw;
mod order;
mod plan;
mod run;
#[cfg(test)]
mod tests;

pub use draw::{Format, draw};
pub use plan::{ConnectorNode, ExporterNode, ExtensionNode, PipelineNode, Plan, ReceiverNode, RouterNode, plan};
pub use run::{BuildError, Graph, RunError, Surroundings};
