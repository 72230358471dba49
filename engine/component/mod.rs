//! Components: the traits they implement, what the engine hands them, the factory that describes a type, and the
//! registry that lists the types of a program.

mod build;
mod consumer;
mod drain;
mod emitter;
mod factory;
mod id;
mod outcome;
mod progress;
mod registry;
mod request;
mod routes;
mod storage;
#[cfg(test)]
mod tests;
mod traits;

pub use build::BuildCx;
pub use consumer::{Admission, Consumer, Intake, Room, Taking};
pub use drain::Drain;
pub(crate) use emitter::Counts;
pub use emitter::Emitter;
pub use factory::{Factory, Planned};
pub use id::{ComponentId, InvalidId, InvalidPipelineId, Kind, PipelineId};
pub use outcome::{Outcome, Refused};
pub(crate) use progress::Standing;
pub use progress::{Progress, Settled};
pub use registry::{OPTIONAL, Optional, Registry};
pub use request::Request;
pub use routes::{Route, Routes};
pub use storage::{Change, Storage, StorageProvider, Storages};
pub use traits::{
    BoxError, BuiltTransform, Component, Exporter, ExporterPlan, Extension, ExtensionPlan, Receiver, ReceiverPlan,
    Router, Stability, Stage, StagePlan, Transform, TransformPlan,
};
