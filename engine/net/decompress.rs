//! Decompression of request bodies with a cap on what comes out.
//!
//! Promises: never holds more than the cap plus one step; a step is short, so a bomb does not keep a worker from
//! its other connections; one encoding layer only.

use bytes::{Buf, Bytes};
use std::io::{self, Read};

/// Output per step: about 0.1 ms.
pub(super) const STEP: usize = 64 << 10;

/// Largest zstd window: 8 MiB, what the format asks every decoder to support.
const ZSTD_WINDOW_LOG: u32 = 23;

/// An encoding that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

impl Encoding {
    /// Reads a `Content-Encoding`; `None` for what we do not read.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let name = name.trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match () {
            () if name.is_empty() || is("identity") => Some(Self::Identity),
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") => Some(Self::Deflate),
            () if is("zstd") => Some(Self::Zstd),
            () => None,
        }
    }

    /// A reader of what `body` holds.
    pub(super) fn reader(self, body: Bytes) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Identity => Box::new(body.reader()),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(body.reader())),
            Self::Deflate => Box::new(flate2::bufread::ZlibDecoder::new(body.reader())),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(body.reader())?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
        })
    }
}
