//! `read_body`: a request body, bounded in bytes and time.
//!
//! Promises
//! - At most [`BodyLimits::max_size`] bytes are held, compressed or not; more is [`BodyError::TooLarge`], without
//!   reading it when its length was announced.
//! - Room is asked for before bytes are read: the announced length at once, an unannounced one in growing steps,
//!   and what decompression adds. The room is kept in [`ReadBody`] until it is dropped.
//! - A sender that is slower than [`BodyLimits::min_rate`] after [`BodyLimits::grace`] is cut off.
//! - A body that arrives in one piece is not copied, and no timer is touched for it.

use super::{
    decompress::{Encoding, STEP},
    snappy::Block,
};
use crate::component::{Admission, Refused};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_ENCODING};
use http_body::Body;
use smallvec::SmallVec;
use std::{
    future::poll_fn,
    io::{self, Read},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};
use tokio::time::Instant;

/// The first room asked for when the length is not announced.
const FIRST_ROOM: usize = 16 << 10;

/// Memory taken at once for an announced length; the rest follows as bytes arrive.
const FIRST_CAPACITY: usize = 256 << 10;

/// Behind that, so many times what has arrived, up to the announced length: each step copies what is there.
const GROWTH: usize = 8;

/// What is unpacked into growing pieces of memory.
const LONG: usize = 1 << 20;

/// A larger block of snappy, unpacked, is not worked on among connections: about 0.3 ms.
const INLINE_BLOCK: usize = 256 << 10;

/// Bounds of one request body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes, both as sent and decompressed.
    pub max_size: usize,
    /// Time that every body is granted.
    pub grace: Duration,
    /// Bytes per second that extend the grace; at least 1.
    pub min_rate: u64,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { max_size: 16 << 20, grace: Duration::from_secs(10), min_rate: 16 << 10 }
    }
}

/// A body, and the room it takes in the memory budget.
#[derive(Debug)]
pub struct ReadBody {
    pub bytes: Bytes,
    room: Room,
}

impl ReadBody {
    /// Keeps the room and gives the bytes away.
    pub fn into_parts(self) -> (Bytes, impl Send + Sync + use<>) {
        (self.bytes, self.room)
    }
}

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than {limit} bytes; send less at once or raise max_request_body_size")]
    TooLarge { limit: usize },
    #[error("the body came too slowly")]
    Timeout,
    #[error("the connection broke inside the body")]
    Broken,
    #[error("Content-Encoding {0:?} is not supported here; use gzip, zstd, deflate or none")]
    UnsupportedEncoding(String),
    #[error("the body is not what its Content-Encoding says")]
    Corrupt,
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl BodyError {
    /// The status that says this to the sender.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::Corrupt => StatusCode::BAD_REQUEST,
            Self::UnsupportedEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A constant for metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Timeout => "body_timeout",
            Self::Broken => "broken_body",
            Self::UnsupportedEncoding(_) => "unsupported_encoding",
            Self::Corrupt => "corrupt_compression",
            Self::Refused(Refused::Draining) => "draining",
            Self::Refused(_) => "memory_budget",
        }
    }
}

/// The room that [`read_body`] asks for first, for a receiver that waits for room before it reads.
/// `announced` is the exact size hint of the body.
///
/// # Errors
/// [`BodyError::TooLarge`] when more than the limit is announced.
pub fn first_room(announced: Option<u64>, limits: &BodyLimits) -> Result<usize, BodyError> {
    let room =
        announced.map_or(FIRST_ROOM.min(limits.max_size), |length| usize::try_from(length).unwrap_or(usize::MAX));
    if room > limits.max_size { Err(BodyError::TooLarge { limit: limits.max_size }) } else { Ok(room) }
}

/// Reads and decompresses a body. `admit` is asked for room in bytes, usually [`crate::component::Consumer::admit`].
///
/// # Errors
/// [`BodyError`]; its `status` and `reason` are the answer and the count.
///
/// Not cancel-safe: what was read is gone.
pub async fn read_body<B: Body<Data = Bytes>>(
    headers: &HeaderMap,
    body: B,
    limits: &BodyLimits,
    admit: impl FnMut(usize) -> Result<Admission, Refused>,
) -> Result<ReadBody, BodyError> {
    let encoding = encoding_of(headers)?;
    let mut room = Reserve { room: Room::default(), size: 0, admit };
    let bytes = receive(body, limits, &mut room, |_| None).await?;
    let bytes = match encoding.of_body(&bytes) {
        Encoding::Identity => bytes,
        Encoding::Snappy => expand_block(bytes, limits.max_size, &mut room).await?,
        encoding => expand(encoding, bytes, limits.max_size, &mut room).await?,
    };
    Ok(ReadBody { bytes, room: room.room })
}

/// The same for a body that is not compressed and tells its length itself: `length` is asked with the first bytes of it that
/// came. What it says saves copies; a body may be shorter or longer.
///
/// # Errors
/// As [`read_body`].
///
/// Not cancel-safe: what was read is gone.
pub async fn read_framed_body<B: Body<Data = Bytes>>(
    body: B,
    limits: &BodyLimits,
    length: impl FnOnce(&[u8]) -> Option<usize>,
    admit: impl FnMut(usize) -> Result<Admission, Refused>,
) -> Result<ReadBody, BodyError> {
    let mut room = Reserve { room: Room::default(), size: 0, admit };
    let bytes = receive(body, limits, &mut room, length).await?;
    Ok(ReadBody { bytes, room: room.room })
}

/// The encoding that the headers name.
pub(super) fn encoding_of(headers: &HeaderMap) -> Result<Encoding, BodyError> {
    match headers.get(CONTENT_ENCODING) {
        None => Ok(Encoding::Identity),
        Some(name) => Encoding::parse(name.as_bytes()).ok_or_else(|| {
            BodyError::UnsupportedEncoding(String::from_utf8_lossy(name.as_bytes()).chars().take(32).collect())
        }),
    }
}

/// Room in the memory budget, held for its drop.
#[derive(Debug, Default)]
struct Room(SmallVec<[Admission; 2]>);

struct Reserve<A> {
    room: Room,
    size: usize,
    admit: A,
}

impl<A: FnMut(usize) -> Result<Admission, Refused>> Reserve<A> {
    /// Makes sure of room for `total` bytes; grows by doubling up to the limit, so that a body costs few calls.
    fn reach(&mut self, total: usize, limit: usize) -> Result<(), BodyError> {
        if total > limit {
            return Err(BodyError::TooLarge { limit });
        }
        if total > self.size {
            let target = if self.size == 0 { total } else { total.max(self.size.saturating_mul(2).min(limit)) };
            self.room.0.push((self.admit)(target - self.size)?);
            self.size = target;
        }
        Ok(())
    }
}

async fn receive<B: Body<Data = Bytes>>(
    body: B,
    limits: &BodyLimits,
    room: &mut Reserve<impl FnMut(usize) -> Result<Admission, Refused>>,
    length: impl FnOnce(&[u8]) -> Option<usize>,
) -> Result<Bytes, BodyError> {
    let first = first_room(body.size_hint().exact(), limits)?;
    room.reach(first, limits.max_size)?;
    let mut body = pin!(body);
    let mut start = None;
    let Some(whole) = next_part(body.as_mut(), &mut start, 0, limits).await? else { return Ok(Bytes::new()) };
    room.reach(whole.len(), limits.max_size)?;
    let expected = length(&whole).unwrap_or(first).min(limits.max_size);
    let mut parts: Vec<u8> = Vec::new();
    while let Some(part) = next_part(body.as_mut(), &mut start, parts.len().max(whole.len()), limits).await? {
        if parts.is_empty() {
            parts.reserve_exact(expected.min(FIRST_CAPACITY.max(GROWTH * whole.len())).max(whole.len()));
            parts.extend_from_slice(&whole);
        }
        let total = parts.len() + part.len();
        room.reach(total, limits.max_size)?;
        if total > parts.capacity() && total <= expected {
            parts.reserve_exact(expected.min(GROWTH * parts.len()).max(total) - parts.len());
        }
        parts.extend_from_slice(&part);
    }
    Ok(if parts.is_empty() { whole } else { parts.into() })
}

/// The next data frame; waits with a time limit only when it is not there yet.
pub(super) async fn next_part<B: Body<Data = Bytes>>(
    mut body: Pin<&mut B>,
    start: &mut Option<Instant>,
    received: usize,
    limits: &BodyLimits,
) -> Result<Option<Bytes>, BodyError> {
    loop {
        let ready = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Some(frame)),
            Poll::Pending => Poll::Ready(None),
        });
        let frame = match ready.await {
            Some(frame) => frame,
            None => {
                let start = *start.get_or_insert_with(Instant::now);
                let earned = Duration::from_secs(received as u64 / limits.min_rate.max(1));
                let frame = poll_fn(|cx| body.as_mut().poll_frame(cx));
                tokio::time::timeout_at(start + limits.grace + earned, frame).await.map_err(|_| BodyError::Timeout)?
            }
        };
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Broken),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => return Ok(Some(data)),
                // Trailers and empty frames carry nothing for us.
                _ => {}
            },
        }
    }
}

async fn expand(
    encoding: Encoding,
    compressed: Bytes,
    limit: usize,
    room: &mut Reserve<impl FnMut(usize) -> Result<Admission, Refused>>,
) -> Result<Bytes, BodyError> {
    let held = compressed.len();
    let mut reader = encoding.reader(compressed).map_err(|_| BodyError::Corrupt)?;
    let mut out: Vec<u8> = Vec::new();
    loop {
        let before = out.len();
        if out.capacity() - before < STEP {
            // Doubling leaves the smaller pieces behind, together as much again. Memory that is asked for and not written
            // to costs nothing, so a long body gets more at once, up to all that it may need.
            let capacity = if before < LONG {
                (2 * before).max(STEP)
            } else {
                limit.saturating_add(STEP).min(before.saturating_mul(8))
            };
            let capacity = capacity.max(before.saturating_add(STEP));
            out.reserve_exact(capacity - before);
        }
        match reader.as_mut().take(STEP as u64).read_to_end(&mut out) {
            Ok(0) => {
                out.shrink_to_fit();
                return Ok(out.into());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(BodyError::Corrupt),
        }
        debug_assert!(out.len() - before <= STEP);
        if out.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        // The compressed bytes stay until the end, so both count.
        room.reach(held + out.len(), held + limit)?;
        tokio::task::yield_now().await;
    }
}

/// A block of snappy, which can only be unpacked at once; a large one where it holds up nobody.
async fn expand_block(
    compressed: Bytes,
    limit: usize,
    room: &mut Reserve<impl FnMut(usize) -> Result<Admission, Refused>>,
) -> Result<Bytes, BodyError> {
    let held = compressed.len();
    let block = Block::open(compressed).map_err(|_| BodyError::Corrupt)?;
    if block.len() > limit {
        return Err(BodyError::TooLarge { limit });
    }
    room.reach(held + block.len(), held + limit)?;
    let unpacked = if block.len() <= INLINE_BLOCK {
        block.unpack()
    } else {
        // It can only fail to join when the runtime stops, and this task with it.
        tokio::task::spawn_blocking(move || block.unpack()).await.map_err(|_| BodyError::Broken)?
    };
    unpacked.map(Bytes::from).map_err(|_| BodyError::Corrupt)
}

#[cfg(test)]
mod tests;
