//! lanner-engine: what components are written against, and what runs them.
//!
//! Layers, each using only those before it: `event` (data), `telemetry`, `config`, `component` (the traits),
//! `semantics` (how events are named), `stage` (state that survives), `net` (servers and TLS), `delivery`, `graph`;
//! `testing` is for authors of components. `docs/architecture.md` follows an alert through all of it.

pub mod component;
pub mod config;
pub mod delivery;
pub mod event;
pub mod exposition;
pub mod graph;
pub mod net;
pub mod semantics;
pub mod stage;
pub mod telemetry;
pub mod testing;

/// What a component author imports: `use lanner_engine::prelude::*`.
pub mod prelude {
    pub use crate::{
        component::{
            BoxError, BuildCx, BuiltTransform, Component, ComponentId, Consumer, Drain, Emitter, Exporter,
            ExporterPlan, Extension, ExtensionPlan, Factory, Kind, Outcome, Receiver, ReceiverPlan, Refused, Registry,
            Request, Route, Router, Routes, Stability, Stage, StagePlan, Storage, Transform, TransformPlan,
        },
        config::{DeliveryDefaults, PlanCx},
        event::{Attributes, Batch, Key, LogRecord, Logs, Priority, Resource, Scope, Signal, Signals, Text, Value},
    };
    pub use async_trait::async_trait;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
}
