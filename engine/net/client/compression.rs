//! Compressing request bodies.
//!
//! Promises: work that would hold up an async worker for more than about half a millisecond runs on the blocking
//! pool; zstd contexts are reused. Levels are the fast ones (gzip 1, zstd 1): alerts are repetitive, so a batch
//! shrinks about as well, at a third of the time of gzip 6.

use bytes::Bytes;
use flate2::write::{GzEncoder, ZlibEncoder};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{io::Write, sync::Arc};

/// How request bodies are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Level 1; what every OTLP server understands.
    #[default]
    Gzip,
    /// Level 1; about a quarter of the cost of gzip.
    Zstd,
    /// Cheaper still, and larger: one block over HTTP, the framed form over gRPC.
    Snappy,
    /// Snappy in its framed form, for HTTP.
    #[serde(rename = "x-snappy-framed")]
    SnappyFramed,
    /// What HTTP calls `deflate`: zlib.
    Deflate,
    /// The same under another name.
    Zlib,
    None,
}

impl Compression {
    /// The name on the wire (`content-encoding`, `grpc-encoding`); `None` when nothing is compressed.
    pub const fn wire_name(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::Snappy => Some("snappy"),
            Self::SnappyFramed => Some("x-snappy-framed"),
            Self::Deflate => Some("deflate"),
            Self::Zlib => Some("zlib"),
            Self::None => None,
        }
    }

    /// The format that gRPC means by this name; `None` for names that only HTTP has.
    pub const fn in_grpc(self) -> Option<Self> {
        match self {
            Self::Snappy => Some(Self::SnappyFramed),
            Self::Gzip | Self::Zstd | Self::None => Some(self),
            Self::SnappyFramed | Self::Deflate | Self::Zlib => None,
        }
    }

    /// Above this many bytes compressing takes longer than an async worker should be held up.
    const fn inline_limit(self) -> usize {
        match self {
            Self::Gzip | Self::Deflate | Self::Zlib => 48 << 10,
            Self::Zstd | Self::Snappy | Self::SnappyFramed => 256 << 10,
            Self::None => usize::MAX,
        }
    }
}

/// A body could not be compressed: out of memory, or the process is stopping.
#[derive(Debug, thiserror::Error)]
#[error("compressing failed: {0}")]
pub struct CompressError(String);

/// Compresses bodies, keeping contexts between calls. Clones share them.
#[derive(Clone)]
pub struct Compressor {
    compression: Compression,
    idle: Arc<Mutex<Vec<zstd::bulk::Compressor<'static>>>>,
}

/// Contexts kept for the next body; more than this are made when needed and dropped afterwards.
const IDLE_CONTEXTS: usize = 4;
const ZSTD_LEVEL: i32 = 1;

impl Compressor {
    /// A compressor of this kind.
    pub fn new(compression: Compression) -> Self {
        Self { compression, idle: Arc::default() }
    }

    /// The kind.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Compresses `body`; the same bytes, uncopied, when the kind is none. Cancel-safe.
    ///
    /// # Errors
    /// See [`CompressError`].
    pub async fn compress(&self, body: &Bytes) -> Result<Bytes, CompressError> {
        if body.len() <= self.compression.inline_limit() {
            return self.compress_now(body);
        }
        let (this, body) = (self.clone(), body.clone());
        tokio::task::spawn_blocking(move || this.compress_now(&body))
            .await
            .map_err(|error| CompressError(error.to_string()))?
    }

    fn compress_now(&self, body: &Bytes) -> Result<Bytes, CompressError> {
        let compressed = match self.compression {
            Compression::None => return Ok(body.clone()),
            Compression::Gzip => gzip(body),
            Compression::Zstd => self.zstd(body),
            Compression::Snappy => snap::raw::Encoder::new().compress_vec(body).map_err(Into::into),
            Compression::SnappyFramed => snappy_framed(body),
            Compression::Deflate | Compression::Zlib => zlib(body),
        };
        compressed.map(Bytes::from).map_err(|error| CompressError(error.to_string()))
    }

    fn zstd(&self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let kept = self.idle.lock().pop();
        let mut context = match kept {
            Some(context) => context,
            None => zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
        };
        let compressed = context.compress(body);
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_CONTEXTS {
            idle.push(context);
        }
        compressed
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4 + 64), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn zlib(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(body.len() / 4 + 64), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn snappy_framed(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::with_capacity(body.len() / 2 + 64));
    encoder.write_all(body)?;
    encoder.into_inner().map_err(|failed| failed.into_error())
}
