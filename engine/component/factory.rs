//! `Factory`: a component type as data, so that a list of them is a registry.
//!
//! Everything is a function pointer, so a crate's `const ALL: &[Factory]` is explicit, greppable and free.

use super::{
    Component, ExporterPlan, ExtensionPlan, Kind, ReceiverPlan, Router, Stability, StagePlan, Transform, TransformPlan,
};
use crate::{
    config::{DeliveryConfig, DeliveryDefaults, Node, PlanCx},
    event::Signals,
};
use schemars::{Schema, SchemaGenerator};
use std::sync::Arc;

/// A component type.
#[derive(Clone, Copy)]
pub struct Factory {
    pub kind: Kind,
    pub type_name: &'static str,
    pub aliases: &'static [&'static str],
    pub stability: Stability,
    pub signals: Signals,
    /// Signals a connector makes.
    pub produces: Signals,
    /// Whether components may name the extension as their storage.
    pub storage: bool,
    pub readme: &'static str,
    /// JSON Schema of the component's own keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// The default config, as `print-config` and the schema show it.
    pub defaults: fn() -> serde_json::Value,
    /// Parses and plans the body of one component.
    pub plan: fn(&Node, &mut PlanCx<'_>) -> Option<Planned>,
    /// What the engine does in front of an exporter unless the config says otherwise; `None` for other kinds.
    pub delivery: Option<DeliveryDefaults>,
}

/// A component after its plan phase.
pub enum Planned {
    Receiver(Box<dyn ReceiverPlan>),
    Transform(Arc<dyn Transform>),
    /// A stateless processor that must be built first.
    TransformPlan(Box<dyn TransformPlan>),
    /// A stateful processor or a connector.
    Stage(Box<dyn StagePlan>),
    /// A connector that has no state and chooses where records go on.
    Router(Arc<dyn Router>),
    Exporter {
        plan: Box<dyn ExporterPlan>,
        delivery: DeliveryConfig,
    },
    Extension(Box<dyn ExtensionPlan>),
}

impl Factory {
    const fn of<C: Component>(kind: Kind, plan: fn(&Node, &mut PlanCx<'_>) -> Option<Planned>) -> Self {
        Self {
            kind,
            type_name: C::TYPE,
            aliases: C::ALIASES,
            stability: C::STABILITY,
            signals: C::SIGNALS,
            produces: C::PRODUCES,
            storage: C::STORAGE,
            readme: C::README,
            schema: |generator| generator.subschema_for::<C::Config>(),
            defaults: || serde_json::to_value(C::Config::default()).unwrap_or_default(),
            plan,
            delivery: None,
        }
    }

    /// A receiver type.
    pub const fn receiver<C: Component>() -> Self
    where
        C::Plan: ReceiverPlan,
    {
        Self::of::<C>(Kind::Receiver, |body, cx| {
            let plan = C::plan(cx.decode::<C::Config>(body)?, cx)?;
            Some(Planned::Receiver(Box::new(plan)))
        })
    }

    /// A stateless processor type: its plan is its transform.
    pub const fn transform<C: Component>() -> Self
    where
        C::Plan: Transform,
    {
        Self::of::<C>(Kind::Processor, |body, cx| {
            let plan = C::plan(cx.decode::<C::Config>(body)?, cx)?;
            Some(Planned::Transform(Arc::new(plan)))
        })
    }

    /// A stateless processor type that must be built.
    pub const fn built_transform<C: Component>() -> Self
    where
        C::Plan: TransformPlan,
    {
        Self::of::<C>(Kind::Processor, |body, cx| {
            let plan = C::plan(cx.decode::<C::Config>(body)?, cx)?;
            Some(Planned::TransformPlan(Box::new(plan)))
        })
    }

    /// A stateful processor type.
    pub const fn stage<C: Component>() -> Self
    where
        C::Plan: StagePlan,
    {
        Self::of::<C>(Kind::Processor, |body, cx| {
            let plan = C::plan(cx.decode::<C::Config>(body)?, cx)?;
            Some(Planned::Stage(Box::new(plan)))
        })
    }

    /// A connector type.
    pub const fn connector<C: Component>() -> Self
    where
        C::Plan: StagePlan,
    {
        Self::of::<C>(Kind::Connector, |body, cx| {
            let plan = C::plan(cx.decode::<C::Config>(body)?, cx)?;
            Some(Planned::Stage(Box::new(plan)))
        })
    }

    /// A connector type that routes: its plan is its router.
    pub const fn router<C: Component>() -> Self
    where
        C::Plan: Router,
    {
        Self::of::<C>(Kind::Connector, |body, cx| {
            let plan = C::plan(cx.decode::<C::Config>(body)?, cx)?;
            Some(Planned::Router(Arc::new(plan)))
        })
    }

    /// An exporter type. `sending_queue`, `retry_on_failure` and `timeout` are the engine's keys: they are taken
    /// out of the body before the component sees it.
    pub const fn exporter<C: Component>(defaults: DeliveryDefaults) -> Self
    where
        C::Plan: ExporterPlan,
    {
        let mut factory = Self::of::<C>(Kind::Exporter, |body, cx| {
            let (own, delivery) = cx.split_delivery(body);
            // Both are looked at, so that every problem of the body is reported in one run.
            let plan = cx.decode::<C::Config>(&own).and_then(|config| C::plan(config, cx));
            Some(Planned::Exporter { plan: Box::new(plan?), delivery: delivery? })
        });
        factory.delivery = Some(defaults);
        factory
    }

    /// An extension type.
    pub const fn extension<C: Component>() -> Self
    where
        C::Plan: ExtensionPlan,
    {
        Self::of::<C>(Kind::Extension, |body, cx| {
            let plan = C::plan(cx.decode::<C::Config>(body)?, cx)?;
            Some(Planned::Extension(Box::new(plan)))
        })
    }
}
