//! `Guard`: what stands between a server's answers and tonic.
//!
//! Promises: nothing a server sends makes tonic panic (it does on `grpc-status-details-bin` that is not base64, so that
//! header and trailer are taken off: nobody here reads it); a message over the limit costs itself, not the stream
//! (tonic would end it, and Falco has no second copy of what was on its way).
//!
//! A message over the limit is replaced by an empty one and counted in [`Skipped`], so that the reader can tell. No
//! alert is empty: each has a time.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName};
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
/// Flag and length in front of a message.
const HEAD: usize = 5;

/// Takes off what tonic cannot bear.
pub fn strip(headers: &mut HeaderMap) {
    headers.remove(DETAILS);
}

/// Messages that were skipped and not yet told of.
#[derive(Clone, Debug, Default)]
pub struct Skipped(Arc<AtomicU64>);

impl Skipped {
    /// Whether one more was skipped; says so once for each.
    pub fn take(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).is_ok()
    }
}

/// A response body that is fit for tonic.
pub struct Guard<B> {
    body: B,
    limit: usize,
    at: At,
    skipped: Skipped,
}

/// Where in the stream of messages the next byte stands.
enum At {
    /// In a head, of which so many bytes are known.
    Head([u8; HEAD], usize),
    /// In a message that is passed on, with so many bytes to come.
    Message(usize),
    /// In a message that is left out.
    Oversize(usize),
}

impl<B> Guard<B> {
    /// Lets messages of up to `limit` bytes through.
    pub fn new(body: B, limit: usize, skipped: Skipped) -> Self {
        Self { body, limit, at: At::Head([0; HEAD], 0), skipped }
    }

    /// What of a chunk is passed on.
    fn filter(&mut self, mut chunk: Bytes) -> Bytes {
        let mut passed = BytesMut::with_capacity(chunk.len() + HEAD);
        while !chunk.is_empty() {
            match &mut self.at {
                At::Head(head, known) => {
                    let part = chunk.split_to(chunk.len().min(HEAD - *known));
                    head[*known..*known + part.len()].copy_from_slice(&part);
                    *known += part.len();
                    if *known == HEAD {
                        let [_, length @ ..] = *head;
                        let length = u32::from_be_bytes(length) as usize;
                        if length > self.limit {
                            self.skipped.0.fetch_add(1, Relaxed);
                            passed.put_bytes(0, HEAD);
                            self.at = At::Oversize(length);
                        } else {
                            passed.put_slice(head);
                            self.at = At::Message(length);
                        }
                    }
                }
                At::Message(left) => {
                    let part = chunk.split_to(chunk.len().min(*left));
                    passed.put_slice(&part);
                    *left -= part.len();
                }
                At::Oversize(left) => {
                    let part = chunk.split_to(chunk.len().min(*left));
                    *left -= part.len();
                }
            }
            if let At::Message(0) | At::Oversize(0) = self.at {
                self.at = At::Head([0; HEAD], 0);
            }
        }
        passed.freeze()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Guard<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) else { return Poll::Ready(None) };
            return Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(chunk) => {
                    let passed = self.filter(chunk);
                    if passed.is_empty() {
                        continue;
                    }
                    Frame::data(passed)
                }
                Err(mut other) => {
                    if let Some(trailers) = other.trailers_mut() {
                        strip(trailers);
                    }
                    other
                }
            })));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Unknown: messages may be left out.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
