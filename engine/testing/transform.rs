//! `TransformTest`: a stateless processor, from YAML to what is left of some records.
//!
//! Promises: the YAML goes through the same checks as a user's; nothing of the engine runs around the processor, so
//! what comes out is its own doing.

use crate::{
    component::{
        BoxError, BuildCx, BuiltTransform, Component, Counts, Emitter, Factory, Planned, Transform, TransformPlan,
    },
    config::{Diagnostic, plan_body},
    event::{Batch, LogGroup, LogRecord, Logs, otlp::DecodeError},
};
use smallvec::SmallVec;
use std::sync::Arc;

/// A planned processor.
pub struct TransformTest(Arc<dyn Transform>);

/// What a processor made of some records.
#[derive(Debug)]
pub struct Transformed {
    batches: Vec<Batch>,
    discarded: Vec<(&'static str, usize)>,
    degraded: Vec<(&'static str, usize)>,
    created: usize,
    unreadable: Option<DecodeError>,
}

impl TransformTest {
    /// Plans the processor `C` with the body `yaml`.
    ///
    /// # Panics
    /// The config has an error; the message is what a user would see.
    pub fn of<C: Component<Plan: Transform>>(yaml: &str) -> Self {
        let trial = plan_body(&Factory::transform::<C>(), yaml);
        match trial.planned {
            Some(Planned::Transform(transform)) => Self(transform),
            _ => panic!("the config does not pass:\n{}", trial.rendered()),
        }
    }

    /// A processor that was built some other way.
    pub fn new(transform: Arc<dyn Transform>) -> Self {
        Self(transform)
    }

    /// Plans and builds the processor `C` with the body `yaml`.
    ///
    /// # Errors
    /// What building it says.
    ///
    /// # Panics
    /// The config has an error; the message is what a user would see.
    pub async fn built<C: Component<Plan: TransformPlan>>(
        yaml: &str,
        cx: &BuildCx,
    ) -> Result<Arc<dyn BuiltTransform>, BoxError> {
        let trial = plan_body(&Factory::built_transform::<C>(), yaml);
        match trial.planned {
            Some(Planned::TransformPlan(plan)) => Ok(plan.build(cx).await?.into()),
            _ => panic!("the config does not pass:\n{}", trial.rendered()),
        }
    }

    /// What is reported about the body `yaml`: errors and warnings.
    pub fn findings<C: Component<Plan: Transform>>(yaml: &str) -> Vec<Diagnostic> {
        plan_body(&Factory::transform::<C>(), yaml).findings
    }

    /// See [`Transform::reads_encoded`].
    pub fn reads_encoded(&self) -> bool {
        self.0.reads_encoded()
    }

    /// Runs the records through, as one batch.
    pub fn run(&self, records: impl IntoIterator<Item = impl Into<LogRecord>>) -> Transformed {
        let records = records.into_iter().map(Into::into).collect();
        let group = LogGroup { records, ..LogGroup::default() };
        self.run_batch(Batch::logs(Logs { groups: vec![group] }))
    }

    /// Runs a batch through as it is, for processors to which resources matter or that look at untouched OTLP.
    pub fn run_batch(&self, batch: Batch) -> Transformed {
        let mut emitted = SmallVec::new();
        let (mut discarded, mut degraded, mut created, mut unreadable) = (Counts::new(), Counts::new(), 0, None);
        let mut out = Emitter {
            emitted: &mut emitted,
            discarded: &mut discarded,
            degraded: &mut degraded,
            created: &mut created,
            unreadable: &mut unreadable,
        };
        self.0.apply(batch, &mut out);
        let (discarded, degraded) = (discarded.into_vec(), degraded.into_vec());
        Transformed { batches: emitted.into_vec(), discarded, degraded, created, unreadable }
    }
}

impl Transformed {
    /// What was emitted.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// The decoded records that were emitted, in order.
    pub fn records(&self) -> Vec<LogRecord> {
        self.batches.iter().flat_map(Batch::records).cloned().collect()
    }

    /// How many were left out on purpose, by reason.
    pub fn discarded(&self) -> Vec<(&'static str, usize)> {
        self.discarded.clone()
    }

    /// Why the request is refused, if it is.
    pub fn unreadable(&self) -> Option<&DecodeError> {
        self.unreadable.as_ref()
    }

    /// How many of the emitted ones were made by the processor.
    pub fn created(&self) -> usize {
        self.created
    }

    /// How many were passed on although something about them was odd, by reason.
    pub fn degraded(&self) -> Vec<(&'static str, usize)> {
        self.degraded.clone()
    }
}
