//! What one request feeds, committed as a whole.
//!
//! Promise: [`Transaction::commit`] either reserves room in every queue, on disk too, and then changes everything, or
//! changes nothing. What goes to queues on disk is one record of their log, written last. Exporters without a queue are tried between the two, and durable stages write to their storage, because only
//! they can fail after the reservation; if one fails, the queues have nothing, but a sink without a queue or a durable
//! stage that was before it has its copy.

use super::{
    direct::{DirectSender, Failed, Sent},
    ledger::{DestinationAccount, PipelineAccount},
    line::Turn,
    queue::{Reservation, SendingQueue, Shortage},
};
use crate::{
    component::{BoxError, Request, Stage},
    event::{Batch, OtlpRequest},
    telemetry::Counter,
};
use bytes::Bytes;
use lanner_queue::{Admission, AppendError};
use smallvec::SmallVec;
use std::sync::Arc;

/// Everything that is to happen when the request is taken.
#[derive(Default)]
pub(super) struct Transaction<'g> {
    appends: SmallVec<[Append<'g>; 2]>,
    sends: SmallVec<[Send<'g>; 1]>,
    absorbs: SmallVec<[Absorb<'g>; 1]>,
    counts: SmallVec<[(&'g Counter, u64); 6]>,
    discards: SmallVec<[Reasoned<'g>; 1]>,
    degrades: SmallVec<[Reasoned<'g>; 1]>,
    rejects: SmallVec<[(&'g DestinationAccount, &'static str, usize); 1]>,
}

struct Append<'g> {
    queue: &'g Arc<SendingQueue>,
    request: OtlpRequest,
    account: &'g Arc<DestinationAccount>,
}

struct Send<'g> {
    sender: &'g DirectSender,
    request: Request,
    account: &'g DestinationAccount,
    /// Filled by the attempt; an exporter that has its copy is not tried again while others are retried.
    sent: Option<Sent>,
}

struct Absorb<'g> {
    stage: &'g dyn Stage,
    batch: Batch,
    account: &'g DestinationAccount,
    /// Whether the stage has it: a durable one is not given it again while others are retried.
    absorbed: bool,
}

/// Items of a processor under a reason.
struct Reasoned<'g> {
    account: &'g PipelineAccount,
    processor: &'g str,
    reason: &'static str,
    items: usize,
}

type Reservations<'g> = SmallVec<[Reservation<'g>; 2]>;

/// Why a commit did not happen; it may be tried again.
pub(super) enum Hindrance<'g> {
    /// A queue or the memory budget is full.
    Full(Shortage<'g>),
    /// An exporter without a queue could not deliver now.
    Failed(Failed),
    /// A stage has no room.
    FullStage { name: String },
    /// The disk, or a queue's share of it, has no room; `holds` when senders shall wait.
    FullDisk { name: String, holds: bool, bytes: u64 },
    /// The storage of a durable stage or of a queue on disk could not be written.
    Unstored { name: String, error: BoxError },
    /// A request that never fits into the queue, and what to do about it.
    TooLarge(String),
}

impl<'g> Append<'g> {
    /// What is told when room is missing, and the end of the turn in which it was.
    #[cold]
    fn hindered(&self, shortage: Shortage<'g>, turn: Option<Turn<'_>>) -> Hindrance<'g> {
        if let Some(why) = self.queue.never_has_room(&self.request) {
            return Hindrance::TooLarge(why);
        }
        if let Some(turn) = turn {
            turn.was_vain(shortage.line());
        }
        Hindrance::Full(shortage)
    }
}

impl<'g> Transaction<'g> {
    pub fn count(&mut self, counter: &'g Counter, items: usize) {
        self.counts.push((counter, items as u64));
    }

    pub fn append(&mut self, queue: &'g Arc<SendingQueue>, request: OtlpRequest, account: &'g Arc<DestinationAccount>) {
        self.appends.push(Append { queue, request, account });
    }

    pub fn send(&mut self, sender: &'g DirectSender, request: OtlpRequest, account: &'g DestinationAccount) {
        self.sends.push(Send { sender, request: Request::new(request), account, sent: None });
    }

    pub fn absorb(&mut self, stage: &'g dyn Stage, batch: Batch, account: &'g DestinationAccount) {
        self.absorbs.push(Absorb { stage, batch, account, absorbed: false });
    }

    pub fn discard(&mut self, account: &'g PipelineAccount, processor: &'g str, reason: &'static str, items: usize) {
        self.discards.push(Reasoned { account, processor, reason, items });
    }

    pub fn degrade(&mut self, account: &'g PipelineAccount, processor: &'g str, reason: &'static str, items: usize) {
        self.degrades.push(Reasoned { account, processor, reason, items });
    }

    /// Items that the destination will never have, as is known before anything is tried.
    pub fn reject(&mut self, account: &'g DestinationAccount, reason: &'static str, items: usize) {
        self.rejects.push((account, reason, items));
    }

    /// Room on disk for everything that goes there, and whose it is.
    fn admit_on_disk(&self) -> Result<Option<(&'g str, Admission)>, Hindrance<'g>> {
        let mut disks = self.appends.iter().filter_map(|append| Some((append, append.queue.disk()?))).peekable();
        let Some((first, log)) = disks.peek().map(|(first, disk)| (*first, disk.log().clone())) else {
            return Ok(None);
        };
        let queue: &'g SendingQueue = first.queue;
        let name = queue.name();
        let mut record = lanner_queue::Append::new();
        // Queues that one pipeline feeds get the same bytes, which the log then writes once.
        let mut last: Option<(&Append<'_>, Bytes)> = None;
        for (append, disk) in disks {
            let entry = match last.take() {
                Some((same, entry))
                    if same.account.pipeline() == append.account.pipeline() && same.request == append.request =>
                {
                    entry
                }
                _ => disk.entry(append.account.pipeline(), None, &append.request),
            };
            record = disk.put(record, entry.clone());
            last = Some((append, entry));
        }
        match log.admit(record) {
            Ok(admission) => Ok(Some((name, admission))),
            Err((AppendError::Full(full), _)) => {
                let name = format!("the sending queue of {} on disk", full.queue);
                Err(Hindrance::FullDisk { name, holds: full.holds, bytes: full.bytes })
            }
            Err((error @ AppendError::TooLarge(_), _)) => Err(Hindrance::TooLarge(error.to_string())),
            Err((error, _)) => Err(Hindrance::Unstored { name: name.to_owned(), error: error.into() }),
        }
    }

    /// The same, where the log is full in the place of the oldest of queues that give way.
    async fn shed_and_admit(
        &self,
        mut hindrance: Hindrance<'g>,
    ) -> Result<Option<(&'g str, Admission)>, Hindrance<'g>> {
        let shedding = self.appends.iter().find_map(|append| Some(append.queue.disk()?.shedding()));
        loop {
            let (Some(shedding), Hindrance::FullDisk { bytes, .. }) = (shedding, &hindrance) else {
                return Err(hindrance);
            };
            if !shedding.make_room(*bytes).await {
                return Err(hindrance);
            }
            match self.admit_on_disk() {
                Ok(admitted) => return Ok(admitted),
                Err(again) => hindrance = again,
            }
        }
    }

    /// Whether a commit waits for a sink or a disk.
    pub fn takes_time(&self) -> bool {
        !self.sends.is_empty()
            || self.appends.iter().any(|append| append.queue.is_on_disk())
            || self.absorbs.iter().any(|absorb| absorb.stage.is_durable())
    }

    /// Commits what takes no time, or leaves everything as it was.
    pub fn commit_at_once(&mut self) -> Result<(), Hindrance<'g>> {
        let reservations = self.reserve(None)?;
        self.finish(reservations);
        Ok(())
    }

    /// Commits, or leaves everything as it was; in this turn, if room was waited for.
    ///
    /// Cancel-safe where no queue is on disk: everything behind the last await happens at once. The write to the disk is
    /// the last await, so where there is one this must be finished even when the caller goes away (`intake` sees to it).
    pub async fn commit(&mut self, turn: Option<Turn<'_>>) -> Result<(), Hindrance<'g>> {
        let reservations = self.reserve(turn)?;
        let on_disk = match self.admit_on_disk() {
            Ok(admitted) => admitted,
            Err(hindrance) => Box::pin(self.shed_and_admit(hindrance)).await?,
        };
        if !self.sends.is_empty() || !self.absorbs.is_empty() {
            Box::pin(self.send_and_absorb()).await?;
        }
        if let Some((name, admission)) = on_disk {
            let unstored = |error: AppendError| Hindrance::Unstored { name: name.to_owned(), error: error.into() };
            admission.write().await.map_err(unstored)?;
        }
        self.finish(reservations);
        Ok(())
    }

    /// What can fail behind the reservations and is not the disk of the queues.
    async fn send_and_absorb(&mut self) -> Result<(), Hindrance<'g>> {
        for send in self.sends.iter_mut().filter(|send| send.sent.is_none()) {
            send.sent = Some(send.sender.attempt(&send.request).await.map_err(Hindrance::Failed)?);
        }
        for absorb in self.absorbs.iter_mut().filter(|absorb| absorb.stage.is_durable()) {
            if !std::mem::replace(&mut absorb.absorbed, true) {
                absorb.stage.absorb(absorb.batch.clone());
            }
            let unstored = |error| Hindrance::Unstored { name: absorb.account.name().to_owned(), error };
            absorb.stage.persist().await.map_err(unstored)?;
        }
        Ok(())
    }

    /// Room in every queue and stage. With it a turn is over.
    fn reserve(&self, turn: Option<Turn<'_>>) -> Result<Reservations<'g>, Hindrance<'g>> {
        let mut reservations = Reservations::new();
        for absorb in &self.absorbs {
            if !absorb.absorbed && absorb.stage.is_full() {
                return Err(Hindrance::FullStage { name: absorb.account.name().to_owned() });
            }
        }
        for append in &self.appends {
            match append.queue.reserve(&append.request) {
                Ok(reserved) => reservations.push(reserved),
                Err(shortage) => return Err(append.hindered(shortage, turn)),
            }
        }
        Ok(reservations)
    }

    /// Everything that cannot fail, at once.
    fn finish(&mut self, reservations: Reservations<'g>) {
        for (append, reservation) in self.appends.drain(..).zip(reservations) {
            reservation.push(append.request, append.account);
        }
        for send in self.sends.drain(..) {
            if let Some(sent) = send.sent {
                sent.settle(send.account, send.request.items());
            }
        }
        for (counter, items) in self.counts.drain(..) {
            counter.add(items);
        }
        for discard in self.discards.drain(..) {
            discard.account.discard(discard.processor, discard.reason, discard.items as u64);
        }
        for degrade in self.degrades.drain(..) {
            degrade.account.degrade(degrade.processor, degrade.reason, degrade.items as u64);
        }
        for (account, reason, items) in self.rejects.drain(..) {
            account.reject(reason, items as u64);
        }
        for absorb in self.absorbs.drain(..) {
            absorb.account.delivered.add(absorb.batch.len() as u64);
            if !absorb.absorbed {
                absorb.stage.absorb(absorb.batch);
            }
        }
    }
}
