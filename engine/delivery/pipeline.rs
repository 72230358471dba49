//! A pipeline as it runs: transforms in a row, then a fan-out.
//!
//! Promises: transforms run on the caller's task with no channel between them; untouched OTLP is decoded only in
//! front of a transform that reads records, and encoded again only behind one that may have changed them; what goes to several
//! exporters is encoded once; branches share records copy-on-write.

use super::{
    direct::DirectSender,
    ledger::{DestinationAccount, PipelineAccount, reason},
    queue::SendingQueue,
    routing::Fork,
    transaction::Transaction,
};
use crate::{
    component::{ComponentId, Counts, Emitter, Refused, Stage, Transform},
    event::{Batch, KeySet, OtlpRequest, otlp::DecodeError},
    telemetry::{Counter, Telemetry},
};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// A run of transforms and what they feed. A pipeline with a stateful processor is two of these with the stage
/// between them.
pub struct Pipeline {
    pub account: Arc<PipelineAccount>,
    pub steps: Vec<Step>,
    pub outputs: Vec<Output>,
}

/// One transform of a pipeline.
pub struct Step {
    id: ComponentId,
    transform: Arc<dyn Transform>,
    incoming: Counter,
    outgoing: Counter,
}

/// Where a pipeline ends.
pub enum Output {
    /// An exporter with a queue.
    Queue { queue: Arc<SendingQueue>, account: Arc<DestinationAccount> },
    /// An exporter without one: the acknowledgement waits for the export.
    Direct { sender: Arc<DirectSender>, account: Arc<DestinationAccount> },
    /// A connector, or a stateful processor of the same pipeline.
    Stage { stage: Arc<dyn Stage>, account: Arc<DestinationAccount> },
    /// A connector that routes: the pipelines behind it are walked at once.
    Router(Fork),
}

impl Step {
    /// A transform with its metrics.
    pub fn new(
        id: ComponentId,
        pipeline: &str,
        signal: &str,
        transform: Arc<dyn Transform>,
        telemetry: &Telemetry,
    ) -> Self {
        let labels = [("processor", id.as_str()), ("otel_signal", signal), ("pipeline", pipeline)];
        let incoming =
            telemetry.counter("otelcol_processor_incoming_items", "Items passed to the processor.", "{item}", &labels);
        let outgoing = telemetry.counter(
            "otelcol_processor_outgoing_items",
            "Items emitted from the processor.",
            "{item}",
            &labels,
        );
        Self { id, transform, incoming, outgoing }
    }
}

type Batches = SmallVec<[Batch; 1]>;

impl Pipeline {
    /// Whether what it takes goes to a queue on disk.
    pub(super) fn is_on_disk(&self) -> bool {
        self.outputs.iter().any(|output| match output {
            Output::Queue { queue, .. } => queue.disk().is_some(),
            Output::Router(fork) => fork.is_on_disk(),
            Output::Direct { .. } | Output::Stage { .. } => false,
        })
    }

    /// Whether anybody in it looks at records before a queue has them. Stages and routers may.
    pub(super) fn reads_records(&self) -> bool {
        let output_reads = |output: &Output| matches!(output, Output::Stage { .. } | Output::Router(_));
        self.steps.iter().any(|step| step.transform.reads_records()) || self.outputs.iter().any(output_reads)
    }

    /// What it needs of records, if it is not everything: the attributes that its stages look at, when it has nothing else.
    pub(super) fn reads_only(&self) -> Option<KeySet> {
        let reads = |output: &Output| match output {
            Output::Stage { stage, .. } if self.steps.is_empty() => stage.reads_only(),
            _ => None,
        };
        self.outputs.iter().try_fold(KeySet::default(), |all, output| Some(all.union(&reads(output)?)))
    }

    /// Walks a batch to the outputs and notes there what is to be committed. Nothing is visible before the commit.
    ///
    /// # Errors
    /// [`Refused::Invalid`] when a transform needs records and the bytes are no request.
    pub(super) fn walk<'g>(&'g self, batch: Batch, transaction: &mut Transaction<'g>) -> Result<(), Refused> {
        transaction.count(&self.account.accepted, batch.len());
        let mut batches: Batches = smallvec![batch];
        for step in &self.steps {
            batches = self.step(step, batches, transaction)?;
        }
        if batches.is_empty() {
            return Ok(());
        }
        let mut encoded: Option<OtlpRequest> = None;
        // The last one gets the request or the batches themselves, so that they need not be copied.
        let mut request = |batches: &mut Batches, last: bool| match encoded.take() {
            Some(request) if last => request,
            None if last => encode(std::mem::take(batches)),
            known => encoded.insert(known.unwrap_or_else(|| encode(batches.clone()))).clone(),
        };
        for (index, output) in self.outputs.iter().enumerate() {
            let last = index + 1 == self.outputs.len();
            match output {
                Output::Queue { queue, account } => transaction.append(queue, request(&mut batches, last), account),
                Output::Direct { sender, account } => transaction.send(sender, request(&mut batches, last), account),
                Output::Stage { stage, account } => {
                    for mut batch in batches.iter().cloned() {
                        // A stage may hold records for long, and what it holds is measured by these.
                        batch.forget_bytes();
                        transaction.absorb(&**stage, batch, account);
                    }
                }
                Output::Router(fork) => {
                    let batches = if last { std::mem::take(&mut batches) } else { batches.clone() };
                    for batch in batches {
                        fork.walk(batch, transaction)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn step<'g>(
        &'g self,
        step: &'g Step,
        batches: Batches,
        transaction: &mut Transaction<'g>,
    ) -> Result<Batches, Refused> {
        let mut emitted = Batches::new();
        let (mut discarded, mut degraded, mut unreadable) = (Counts::new(), Counts::new(), None);
        let (mut incoming, mut created, reads_records) = (0, 0, step.transform.reads_records());
        for mut batch in batches {
            incoming += batch.len();
            if reads_records && !step.transform.reads_encoded() {
                batch.decode().map_err(refused)?;
            }
            let mut out = Emitter {
                emitted: &mut emitted,
                discarded: &mut discarded,
                degraded: &mut degraded,
                created: &mut created,
                unreadable: &mut unreadable,
            };
            step.transform.apply(batch, &mut out);
            if let Some(error) = unreadable {
                return Err(refused(error));
            }
        }
        if reads_records && !step.transform.only_selects() {
            emitted.iter_mut().for_each(Batch::forget_bytes);
        }
        let outgoing: usize = emitted.iter().map(Batch::len).sum();
        let named: usize = discarded.iter().map(|(_, items)| items).sum();
        let unaccounted = (incoming + created).saturating_sub(outgoing + named);
        if unaccounted > 0 {
            discarded.push((reason::UNACCOUNTED, unaccounted));
        }
        transaction.count(&step.incoming, incoming);
        if created > 0 {
            transaction.count(&self.account.created, created);
        }
        transaction.count(&step.outgoing, outgoing);
        for (reason, items) in discarded {
            transaction.discard(&self.account, step.id.as_str(), reason, items);
        }
        for (reason, items) in degraded {
            transaction.degrade(&self.account, step.id.as_str(), reason, items);
        }
        Ok(emitted)
    }
}

fn refused(error: DecodeError) -> Refused {
    Refused::Invalid(error.to_string())
}

/// One request of all batches: several are joined by concatenation, as protobuf allows.
fn encode(batches: Batches) -> OtlpRequest {
    let mut requests = batches.into_iter().map(Batch::into_otlp);
    let Some(first) = requests.next() else {
        return OtlpRequest { signal: crate::event::Signal::Logs, bytes: bytes::Bytes::new(), items: 0 };
    };
    requests.fold(first, |whole, next| OtlpRequest {
        signal: whole.signal,
        bytes: [whole.bytes, next.bytes].concat().into(),
        items: whole.items + next.items,
    })
}
