//! `Intake`: one request, from the pieces of its body to batches in the pipeline.

use super::{
    Shared, answer,
    collisions::Sighting,
    pieces,
    split::{Piece, Splitter, Taker},
};
use crate::requests::{Answer, HELD, Lost};
use http::{Request, StatusCode};
use hyper::body::{Body as _, Incoming};
use lanner_engine::{
    component::Admission,
    event::otlp::GroupWriter,
    net::{BodyError, BodyStream},
    prelude::*,
    semantics::{
        Reasons,
        audit::{Encoded, Mapped, Origin, reasons},
        keys,
    },
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Bytes of items after which a batch goes on. 400 events of usual size are one batch.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes that are looked at before other requests get their turn.
const SLICE: usize = 64 << 10;
/// An exporter that blocks may not look at the hold; this is how much longer it is waited for.
const SAFETY: Duration = Duration::from_millis(25);

/// What waits to be handed over: the one or the other.
#[derive(Default)]
struct Pending {
    records: Logs,
    request: Option<GroupWriter>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.request.is_none()
    }

    fn take(&mut self) -> Batch {
        match self.request.take() {
            Some(request) => Batch::otlp(request.finish()),
            None => Batch::logs(std::mem::take(&mut self.records)),
        }
    }
}

/// A request in progress.
pub(super) struct Intake<'r> {
    shared: &'r Shared,
    out: &'r Consumer,
    origin: Origin,
    /// What is left of the hold.
    hold: Duration,
    room: Vec<Admission>,
    room_size: usize,
    /// Whether items become OTLP without records; the same for the whole request, also over a reload.
    encodes: bool,
    pending: Pending,
    pending_bytes: usize,
    /// About so many bytes of a request are made of the body at once, as far as its head tells.
    expected: usize,
    /// Of the pending records.
    sightings: Vec<Sighting>,
    degraded: Reasons,
    unusable: Reasons,
    /// Whether anything of the body was JSON.
    json: bool,
    /// Records made so far.
    records: usize,
}

impl<'r> Intake<'r> {
    pub fn new(shared: &'r Shared, out: &'r Consumer, cluster: Option<&str>) -> Self {
        Self {
            shared,
            out,
            origin: shared.mapper.origin(cluster),
            hold: shared.hold,
            room: Vec::new(),
            room_size: 0,
            encodes: shared.mapper.encodes() && !out.reads_records(),
            pending: Pending::default(),
            pending_bytes: 0,
            expected: 0,
            sightings: Vec::new(),
            degraded: Reasons::default(),
            unusable: Reasons::default(),
            json: false,
            records: 0,
        }
    }

    /// Reads the body to its end and answers.
    pub async fn receive(mut self, request: Request<Incoming>) -> Result<Answer, Lost> {
        let (head, body) = request.into_parts();
        let announced = body.size_hint().exact().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        self.expected = announced.min(BATCH_BYTES);
        let mut body = BodyStream::new(&head.headers, body, &self.shared.body).map_err(of_body)?;
        let mut splitter = Splitter::new(self.shared.max_event);
        let mut empty = true;
        while let Some(piece) = body.next().await.map_err(of_body)? {
            empty = false;
            for slice in piece.chunks(SLICE) {
                self.make_room(piece.len() + slice.len() + splitter.held() + self.pending_bytes).await?;
                splitter.feed(slice, &mut self);
                if self.pending_bytes >= BATCH_BYTES {
                    self.hand_over().await?;
                }
                tokio::task::yield_now().await;
            }
        }
        if !splitter.finish(&mut self) {
            self.degraded.add(reasons::CUT_SHORT);
        }
        self.hand_over().await?;
        if empty {
            let answer = answer::refused(StatusCode::BAD_REQUEST, &"the body is empty");
            return Err(Lost::unseen("empty_body", answer));
        }
        if self.records > 0 && !self.json {
            return Ok(answer::refused(
                StatusCode::BAD_REQUEST,
                &"the body is no JSON; it was kept as plain log records",
            ));
        }
        Ok(answer::accepted())
    }

    /// The request that is being written.
    fn request(&mut self) -> GroupWriter {
        self.pending.request.take().unwrap_or_else(|| {
            // Some attributes say what two keys of the event say together.
            GroupWriter::new(self.origin.resource(), &self.shared.encoded_scope, self.expected / 4 * 5)
        })
    }

    /// Counts a record: why it is a plain one, what is odd about it.
    fn note(&mut self, bytes: usize, plain: Option<&'static str>, degraded: &Reasons, uid: &str) {
        match plain {
            Some(reason) => {
                self.json |= !matches!(reason, reasons::NOT_JSON | reasons::CUT_SHORT);
                self.unusable.add(reason);
            }
            None => {
                self.json = true;
                self.sightings.extend(self.shared.collisions.sighting(self.origin.cluster(), uid));
            }
        }
        for (reason, count) in degraded.iter() {
            self.degraded.add_many(reason, count);
        }
        self.pending_bytes += bytes + 1024;
        self.records += 1;
    }

    /// Room in the memory budget for `total` bytes. While it is used up, asks again until the hold is over.
    async fn make_room(&mut self, total: usize) -> Result<(), Lost> {
        /// How often it asks.
        const POLL: Duration = Duration::from_millis(20);
        while total > self.room_size {
            // Doubling keeps the calls few.
            let more = (total - self.room_size).max(self.room_size).max(SLICE);
            match self.out.admit(more) {
                Ok(room) => {
                    self.room.push(room);
                    self.room_size += more;
                }
                Err(Refused::Busy { .. }) if !self.hold.is_zero() => {
                    tokio::time::sleep(POLL.min(self.hold)).await;
                    self.hold = self.hold.saturating_sub(POLL);
                }
                Err(refused) => return Err(of_batch(refused).before_the_engine()),
            }
        }
        Ok(())
    }

    /// Hands the pending records over, waiting for what is left of the hold, and counts what was kept.
    async fn hand_over(&mut self) -> Result<(), Lost> {
        if !self.pending.is_empty() {
            // Whether they are taken or not: what comes again is known then, and no collision.
            self.shared.collisions.note(self.origin.cluster(), self.sightings.drain(..));
            let batch = self.pending.take();
            let start = Instant::now();
            let taken = self.out.consume_within(batch, self.hold);
            let result = match tokio::time::timeout(self.hold + SAFETY, taken).await {
                Ok(result) => result.map_err(of_batch),
                // Counted as lost, though a sink may have it: the sender repeats it, and the ids are the same.
                Err(_) => Err(Lost::unseen(HELD, answer::busy())),
            };
            self.hold = self.hold.saturating_sub(start.elapsed());
            self.pending_bytes = 0;
            result?;
        }
        for (reason, count) in std::mem::take(&mut self.degraded).iter() {
            self.shared.degraded.add(reason, count);
        }
        for (reason, count) in std::mem::take(&mut self.unusable).iter() {
            self.shared.unusable.add(reason, count);
        }
        Ok(())
    }
}

fn of_body(error: BodyError) -> Lost {
    match error {
        BodyError::Refused(refused) => of_batch(refused).before_the_engine(),
        // Mostly it is this machine that is too slow to read; an API server tries a 408 again much later than a 429.
        BodyError::Timeout => Lost::unseen(error.reason(), answer::busy()),
        error => Lost::unseen(error.reason(), answer::refused(error.status(), &error)),
    }
}

fn of_batch(refused: Refused) -> Lost {
    let (reason, answer) = match refused {
        Refused::Busy { .. } => (HELD, answer::busy()),
        Refused::Draining => ("draining", answer::draining()),
        Refused::Invalid(why) => ("invalid", answer::refused(StatusCode::BAD_REQUEST, &why)),
    };
    Lost::refused(reason, answer)
}

impl Taker for Intake<'_> {
    fn events(&mut self, text: &str) -> usize {
        if !self.encodes {
            return 0;
        }
        let (shared, origin, mut request) = (self.shared, self.origin.clone(), self.request());
        let note = |bytes, encoded: Encoded| self.note(bytes, encoded.plain, &encoded.degraded, &encoded.uid);
        let done = shared.mapper.encode_events(&origin, text, shared.max_event, now(), &mut request, note);
        self.pending.request = Some(request).filter(|request| !request.is_empty());
        done
    }

    fn piece(&mut self, piece: Piece<'_>) {
        let mapper = &self.shared.mapper;
        if self.encodes {
            let mut request = self.request();
            let (encoded, bytes) = pieces::encode(mapper, &self.origin, &piece, now(), &mut request);
            self.pending.request = Some(request);
            return self.note(bytes, encoded.plain, &encoded.degraded, &encoded.uid);
        }
        let (Mapped { record, plain, degraded }, bytes) = pieces::map(mapper, &self.origin, &piece, now());
        self.note(bytes, plain, &degraded, record.attrs.get_str(&keys::UID).unwrap_or_default());
        self.pending.records.push(Arc::clone(self.origin.resource()), Arc::clone(&self.shared.scope), record);
    }
}

/// Nanoseconds since 1970; 0 when the clock stands before it.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
