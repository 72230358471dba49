//! `RouterTest`: a connector that routes, from YAML to what each pipeline gets of some records.
//!
//! Promises: the YAML goes through the same checks as a user's, but for those that need the pipelines; the records are
//! split as the engine does it.

use crate::{
    component::{Component, Factory, Planned, Router},
    config::{Diagnostic, plan_body},
    delivery::routing::split,
    event::{Batch, LogGroup, LogRecord, Logs, Signal},
};
use std::{collections::BTreeMap, sync::Arc};

/// A planned router.
pub struct RouterTest {
    router: Arc<dyn Router>,
    pipelines: Vec<(String, Signal)>,
}

/// Where some records went.
#[derive(Debug)]
pub struct Routed {
    /// What each pipeline got, by its id; pipelines that got nothing are not there.
    pub batches: BTreeMap<String, Batch>,
    /// How many items went nowhere.
    pub unrouted: usize,
}

impl RouterTest {
    /// Plans the connector `C` with the body `yaml`.
    ///
    /// # Panics
    /// The config has an error; the message is what a user would see.
    pub fn of<C: Component<Plan: Router>>(yaml: &str) -> Self {
        let trial = plan_body(&Factory::router::<C>(), yaml);
        match trial.planned {
            Some(Planned::Router(router)) => {
                let pipelines = trial.routes.iter().map(|id| (id.to_string(), id.signal)).collect();
                Self { router, pipelines }
            }
            _ => panic!("the config does not pass:\n{}", trial.rendered()),
        }
    }

    /// What is reported about the body `yaml`: errors and warnings.
    pub fn findings<C: Component<Plan: Router>>(yaml: &str) -> Vec<Diagnostic> {
        plan_body(&Factory::router::<C>(), yaml).findings
    }

    /// Routes the records, as one batch.
    pub fn run(&self, records: impl IntoIterator<Item = impl Into<LogRecord>>) -> Routed {
        let records = records.into_iter().map(Into::into).collect();
        let group = LogGroup { records, ..LogGroup::default() };
        self.run_batch(Batch::logs(Logs { groups: vec![group] }))
    }

    /// Routes a batch as it is, for resources that matter and for untouched OTLP.
    pub fn run_batch(&self, batch: Batch) -> Routed {
        let signals: Vec<Signal> = self.pipelines.iter().map(|(_, signal)| *signal).collect();
        let split = split(&*self.router, batch, &signals);
        let parts = self.pipelines.iter().zip(split.parts);
        let batches = parts.filter_map(|((id, _), part)| Some((id.clone(), part?))).collect();
        Routed { batches, unrouted: split.unrouted }
    }
}

impl Routed {
    /// The records that the pipeline `id` got, in order.
    pub fn records(&self, id: &str) -> Vec<LogRecord> {
        self.batches.get(id).into_iter().flat_map(Batch::records).cloned().collect()
    }
}
