//! Receivers that answer requests: somebody waits for what became of an event.
//!
//! A [`PushSubject`] says what its sender sends and sees; each function here is one row of the status table, or one thing
//! that senders do to a receiver. All use the real receiver on a real port.
//!
//! Held to by every row: a request is kept whole, or refused and counted once under its reason; what is refused is nowhere;
//! room in the memory budget is given back; the receiver serves the next sender.

mod bench;
mod cancel;
mod drain;
mod limits;
mod pack;
mod slow;
mod status;
mod wire;

pub use cancel::{broken_body, broken_head, receiver_dropped, sender_gone};
pub use drain::{
    drain_is_bounded, drain_refuses_new, draining_finishes_what_is_in_flight, idle_connections_do_not_hold,
};
pub use limits::{connections_are_capped, decompression_is_capped, nesting_is_bounded, size_is_capped};
pub use slow::{slow_body, slow_head};
pub use status::{
    accepted, busy, draining, invalid, no_room, not_answered_before_it_is_taken, room_in_time, some_invalid,
};
pub use wire::{garbage, several_on_one_connection};

use super::Place;
use crate::component::Factory;
use std::time::Duration;

/// The body limit that the configuration of a subject sets.
pub const BODY_LIMIT: usize = 1 << 20;
/// The number of connections that it allows.
pub const CONNECTIONS: usize = 8;

/// How long a request may wait when a row wants it refused.
const SHORT: Duration = Duration::from_millis(200);
/// How long when a row wants it to wait.
const LONG: Duration = Duration::from_secs(20);

/// A receiver under test, and what its senders see.
pub struct PushSubject {
    /// Head of its column in the table, for example `falco_http`.
    pub title: &'static str,
    pub factory: Factory,
    /// Its configuration, with the place's port and patience, [`BODY_LIMIT`] and [`CONNECTIONS`].
    pub config: fn(&Place) -> String,
    pub protocol: Protocol,
    /// Path of the request; the method is POST.
    pub path: &'static str,
    pub content_type: &'static str,
    /// Names of encodings that bodies may have.
    pub encodings: &'static [&'static str],
    pub format: Format,
    /// One valid item.
    pub one: Case,
    /// Several valid items in one request.
    pub several: Case,
    /// Valid and invalid items in one request.
    pub some_invalid: Case,
    /// Nothing usable.
    pub invalid: Case,
    /// Nested 10,000 deep.
    pub too_deep: Case,
    /// Whether a request waits for room as long as its patience, or is refused at once.
    pub waits: bool,
    /// A queue behind the receiver is full for longer than the patience.
    pub busy: Expect,
    /// The memory budget is used up for longer than the patience.
    pub no_room: Expect,
    /// The engine is stopping.
    pub draining: Expect,
    /// More than [`BODY_LIMIT`], as sent or unpacked.
    pub too_large: Expect,
    /// The body stops coming.
    pub too_slow: Expect,
    /// The sender leaves while the pipeline has its request; it sees nothing.
    pub sender_gone: Expect,
    /// The sender leaves inside its body; it sees nothing.
    pub broken_body: Expect,
}

/// How the sender speaks, without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// With prior knowledge.
    Http2,
    /// HTTP/2; the kit adds the prefix of the message.
    Grpc,
}

/// What bodies are written in, to make one of a certain size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Blanks may follow.
    Json,
    /// Unknown fields may follow.
    Protobuf,
}

/// A body and what becomes of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub body: Vec<u8>,
    pub expect: Expect,
}

impl Case {
    pub fn new(body: impl Into<Vec<u8>>, expect: Expect) -> Self {
        Self { body: body.into(), expect }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// As [`super::Answer::seen`] writes it.
    pub sees: &'static str,
    /// Items that reach the pipeline.
    pub kept: usize,
    /// The reason in `lanner_receiver_lost_requests`; empty for a request that was taken.
    pub lost: &'static str,
    /// Items that the receiver counts in the engine's ledger as failed.
    pub failed: u64,
}

impl Expect {
    /// Taken: `kept` items reach the pipeline.
    pub const fn taken(sees: &'static str, kept: usize) -> Self {
        Self { sees, kept, lost: "", failed: 0 }
    }

    /// Refused and counted as `lost`; `failed` items are counted in the engine's ledger.
    pub const fn refused(sees: &'static str, lost: &'static str, failed: u64) -> Self {
        Self { sees, kept: 0, lost, failed }
    }
}
