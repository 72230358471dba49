//! `BodyStream`: a request body piece by piece, for receivers that need not hold it.
//!
//! Promises
//! - No piece is larger than what one frame of the connection, or one step of the decompressor (about 2 MiB), gives.
//! - After [`BodyLimits::max_size`] bytes, as sent or decompressed, comes [`BodyError::TooLarge`]; a larger announced
//!   length is refused before anything is read.
//! - A sender that is slower than [`BodyLimits::min_rate`] after [`BodyLimits::grace`] is cut off; time in which the
//!   caller does not ask for more counts for the sender.

use super::{
    BodyError, BodyLimits,
    body::{encoding_of, next_part},
    decompress::Expander,
};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use std::{io::ErrorKind, pin::Pin};
use tokio::time::Instant;

/// A request body that is read as it comes.
pub struct BodyStream<B> {
    body: Pin<Box<B>>,
    limits: BodyLimits,
    start: Option<Instant>,
    received: usize,
    given: usize,
    expander: Option<Expander>,
    compressed: Bytes,
    ended: bool,
}

impl<B: Body<Data = Bytes>> BodyStream<B> {
    /// A stream of `body`, decompressed as `headers` say.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] when more than the limit is announced, [`BodyError::UnsupportedEncoding`].
    pub fn new(headers: &HeaderMap, body: B, limits: &BodyLimits) -> Result<Self, BodyError> {
        super::first_room(body.size_hint().exact(), limits)?;
        let expander = Expander::new(encoding_of(headers)?).map_err(|error| match error.kind() {
            ErrorKind::Unsupported => BodyError::UnsupportedEncoding("snappy".into()),
            _ => BodyError::Corrupt,
        })?;
        Ok(Self {
            body: Box::pin(body),
            limits: *limits,
            start: None,
            received: 0,
            given: 0,
            expander,
            compressed: Bytes::new(),
            ended: false,
        })
    }

    /// The next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// [`BodyError`]; nothing more is to be had then.
    ///
    /// Cancel-safe: a piece that was not returned comes with the next call.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if let Some(expander) = &mut self.expander
                && !self.compressed.is_empty()
            {
                let slice = self.compressed.split_to(expander.step().min(self.compressed.len()));
                let piece = expander.push(slice.chunk()).map_err(|_| BodyError::Corrupt)?;
                if piece.is_empty() {
                    continue;
                }
                return self.give(piece).map(Some);
            }
            if self.ended {
                return Ok(None);
            }
            let part = next_part(self.body.as_mut(), &mut self.start, self.received, &self.limits).await?;
            let Some(part) = part else {
                self.ended = true;
                if let Some(expander) = &mut self.expander {
                    let last = expander.finish().map_err(|_| BodyError::Corrupt)?;
                    if !last.is_empty() {
                        return self.give(last).map(Some);
                    }
                }
                return Ok(None);
            };
            self.received = self.received.saturating_add(part.len());
            if self.received > self.limits.max_size {
                return Err(BodyError::TooLarge { limit: self.limits.max_size });
            }
            if self.expander.is_some() {
                self.compressed = part;
            } else {
                return Ok(Some(part));
            }
        }
    }

    fn give(&mut self, piece: Bytes) -> Result<Bytes, BodyError> {
        self.given = self.given.saturating_add(piece.len());
        if self.given > self.limits.max_size {
            return Err(BodyError::TooLarge { limit: self.limits.max_size });
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests;
