//! The graph: planned and checked from a document, drawn, built and run.

mod build;
mod disk;
mod draw;
mod extensions;
mod kept;
mod order;
mod plan;
mod rehearsal;
mod running;
mod service;
#[cfg(test)]
mod tests;
mod tier;
mod wiring;

pub use build::{BuildError, Surroundings};
pub use draw::{Format, draw};
pub use plan::{
    Blueprint, ConnectorNode, ExporterNode, ExtensionNode, PipelineNode, Plan, ReceiverNode, RouterNode, plan,
};
pub use service::{Service, SwapError};
pub use tier::RunError;
