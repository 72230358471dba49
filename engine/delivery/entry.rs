//! What an entry of a queue on disk says, and how queues on disk are called: the one place that reads and writes both.
//!
//! Promises: what is written is read back equal; what is of no known form is nothing, never a guess; a dead letter is an
//! entry like any other with the reason in front of the request, so that it can be moved back into its queue as it is.
//!
//! ```text
//! entry of a queue: version 1 (1) | run (8) | items (4) | length (2) | pipeline | OTLP request
//! dead letter:      version 2 (1) | run (8) | items (4) | length (2) | pipeline
//!                                 | length (2) | reason | length (2) | detail | OTLP request
//! ```
//! Little-endian. The run tells what a process has counted already from what it finds of earlier ones. When an entry was
//! written is kept by the log.

use crate::{
    component::ComponentId,
    event::{OtlpRequest, Signal, cut},
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::{fmt, str::FromStr};

const PLAIN: u8 = 1;
const LETTER: u8 = 2;
const HEADER: usize = 1 + 8 + 4 + 2;
/// Of what a sink said so much is kept.
const LONGEST_DETAIL: usize = 1024;
/// What the name of a queue of dead letters ends with.
const DEAD: &str = "/dead";

/// The name of a queue on disk: `otlp_grpc/tempo:logs`, and `otlp_grpc/tempo:logs/dead` for its dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueName {
    pub exporter: ComponentId,
    pub signal: Signal,
    /// Whether it holds dead letters.
    pub dead: bool,
}

/// An entry, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Which run of a process wrote it.
    pub run: u64,
    /// The pipeline that brought the request.
    pub pipeline: String,
    /// Why the exporter gave it up; there in dead letters, and stays when they are moved back.
    pub rejection: Option<Rejection>,
    pub request: OtlpRequest,
}

/// Why a request is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// A constant of [`reason`](super::ledger::reason).
    pub reason: String,
    /// What the sink or the exporter said, at most 1 KiB of it.
    pub detail: String,
}

impl QueueName {
    /// The queue of an exporter and a signal.
    pub fn of(exporter: &ComponentId, signal: Signal) -> Self {
        Self { exporter: exporter.clone(), signal, dead: false }
    }

    /// Its dead letters.
    pub fn dead_letters(&self) -> Self {
        Self { dead: true, ..self.clone() }
    }

    /// The queue that dead letters came from.
    pub fn living(&self) -> Self {
        Self { dead: false, ..self.clone() }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}", self.exporter, self.signal, if self.dead { DEAD } else { "" })
    }
}

/// A text that is no name of a queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of a queue; write `exporter:signal`, for example `otlp_grpc:logs` or `otlp_grpc:logs/dead`")]
pub struct NoQueueName(String);

impl FromStr for QueueName {
    type Err = NoQueueName;

    fn from_str(text: &str) -> Result<Self, NoQueueName> {
        let living = text.strip_suffix(DEAD);
        let no = || NoQueueName(text.to_owned());
        let (exporter, signal) = living.unwrap_or(text).rsplit_once(':').ok_or_else(no)?;
        let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal).ok_or_else(no)?;
        Ok(Self { exporter: exporter.parse().map_err(|_| no())?, signal, dead: living.is_some() })
    }
}

/// What stands in front of the request, where it stands.
pub(super) struct Head<'e> {
    pub run: u64,
    pub items: usize,
    pub pipeline: &'e str,
    /// Reason and detail.
    rejection: Option<(&'e str, &'e str)>,
    /// Where the request begins.
    pub end: usize,
}

impl<'e> Head<'e> {
    /// Of an entry; `None` when it is of no known form.
    pub fn read(entry: &'e [u8]) -> Option<Self> {
        let mut rest = entry;
        let version = rest.try_get_u8().ok()?;
        let (run, items) = (rest.try_get_u64_le().ok()?, rest.try_get_u32_le().ok()?);
        let pipeline = take_text(&mut rest)?;
        let rejection = match version {
            PLAIN => None,
            LETTER => Some((take_text(&mut rest)?, take_text(&mut rest)?)),
            _ => return None,
        };
        Some(Self { run, items: items as usize, pipeline, rejection, end: entry.len() - rest.len() })
    }
}

impl Stored {
    /// From bytes; `None` when they are of no known form.
    pub fn read(entry: Bytes, signal: Signal) -> Option<Self> {
        let Head { run, items, pipeline, rejection, end } = Head::read(&entry)?;
        let pipeline = pipeline.to_owned();
        let rejection =
            rejection.map(|(reason, detail)| Rejection { reason: reason.to_owned(), detail: detail.to_owned() });
        Some(Self { run, pipeline, rejection, request: OtlpRequest { signal, bytes: entry.slice(end..), items } })
    }
}

/// Writes an entry; with a reason and a detail it is a dead letter.
pub(super) fn write(run: u64, pipeline: &str, rejection: Option<(&str, &str)>, request: &OtlpRequest) -> Bytes {
    let texts = rejection.map_or(0, |(reason, detail)| 4 + reason.len() + detail.len().min(LONGEST_DETAIL));
    let mut entry = BytesMut::with_capacity(HEADER + pipeline.len() + texts + request.bytes.len());
    entry.put_u8(if rejection.is_some() { LETTER } else { PLAIN });
    entry.put_u64_le(run);
    entry.put_u32_le(u32::try_from(request.items).unwrap_or(u32::MAX));
    // Names of pipelines are short; a longer one would only be cut in the books.
    put_text(&mut entry, pipeline, usize::from(u16::MAX));
    if let Some((reason, detail)) = rejection {
        put_text(&mut entry, reason, LONGEST_DETAIL);
        put_text(&mut entry, detail, LONGEST_DETAIL);
    }
    entry.put_slice(&request.bytes);
    entry.freeze()
}

/// At most `most` bytes of a text, cut between characters.
fn put_text(entry: &mut BytesMut, text: &str, most: usize) {
    let text = cut(text, most);
    entry.put_u16_le(text.len() as u16);
    entry.put_slice(text.as_bytes());
}

fn take_text<'e>(rest: &mut &'e [u8]) -> Option<&'e str> {
    let length = usize::from(rest.try_get_u16_le().ok()?);
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(stored: &Stored) -> Bytes {
        let rejection = stored.rejection.as_ref().map(|rejection| (&*rejection.reason, &*rejection.detail));
        write(stored.run, &stored.pipeline, rejection, &stored.request)
    }

    fn stored(rejection: Option<Rejection>) -> Stored {
        let request = OtlpRequest { signal: Signal::Logs, bytes: Bytes::from_static(b"request"), items: 7 };
        Stored { run: 9, pipeline: "logs/über".into(), rejection, request }
    }

    /// Scenario: an entry and a dead letter, written and read; each cut at every byte; a version of tomorrow.
    /// Guarantee: they come back equal; what is cut in the header is nothing, and nothing panics.
    #[test]
    fn entries_come_back() {
        let rejection = Rejection { reason: "rejected_by_sink".into(), detail: "HTTP 400: ä".into() };
        for stored in [stored(None), stored(Some(rejection))] {
            let bytes = bytes_of(&stored);
            assert_eq!(Stored::read(bytes.clone(), Signal::Logs), Some(stored));
            for end in 0..bytes.len() - b"request".len() {
                assert_eq!(Stored::read(bytes.slice(..end), Signal::Logs), None, "{end}");
            }
            let mut newer = bytes.to_vec();
            newer[0] = 3;
            assert_eq!(Stored::read(newer.into(), Signal::Logs), None);
        }
        let long = Rejection { reason: "r".into(), detail: "ä".repeat(2000) };
        let read = Stored::read(bytes_of(&stored(Some(long))), Signal::Logs).and_then(|stored| stored.rejection);
        assert_eq!(read.map(|rejection| rejection.detail.len()), Some(LONGEST_DETAIL));
    }

    /// Scenario: names of queues, and texts that are none.
    /// Guarantee: a name is read back as it was shown; the error shows the text and the form.
    #[test]
    fn names_come_back() {
        for name in ["otlp_grpc:logs", "otlp_grpc/tempo:traces/dead", "kafka/a.b:metrics", "webhook/dead:logs"] {
            assert_eq!(name.parse::<QueueName>().map(|name| name.to_string()), Ok(name.to_owned()));
        }
        let name: QueueName = "otlp_grpc:logs".parse().unwrap();
        assert_eq!(name.dead_letters().to_string(), "otlp_grpc:logs/dead");
        assert_eq!(name.dead_letters().living(), name);
        for text in ["", "otlp_grpc", "otlp_grpc:", "otlp_grpc:cheese", ":logs", "otlp grpc:logs", "otlp_grpc:logs/"] {
            let error = text.parse::<QueueName>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("otlp_grpc:logs/dead"), "{error}");
        }
    }

    proptest! {
        /// Scenario: any bytes as an entry.
        /// Guarantee: they are read or they are not; nothing panics, and no entry is larger than its bytes.
        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..80), version in 0u8..4) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            let length = bytes.len();
            let read = Stored::read(bytes.into(), Signal::Logs);
            prop_assert!(read.is_none_or(|stored| stored.request.bytes.len() + stored.pipeline.len() <= length));
        }
    }
}
