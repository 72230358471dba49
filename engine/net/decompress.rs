//! Decompression of request bodies with a cap on what comes out.
//!
//! Promises: never holds more than the cap plus one step; a step is short, so a bomb does not keep a worker from
//! its other connections; one encoding layer only.

use super::snappy;
use bytes::{Buf, Bytes};
use std::io::{self, Read, Write};

/// Output per step: about 0.1 ms.
pub(super) const STEP: usize = 64 << 10;

/// Largest zstd window: 8 MiB, what the format asks every decoder to support.
const ZSTD_WINDOW_LOG: u32 = 23;

/// An encoding that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    /// zlib; that is what HTTP's `deflate` means.
    Deflate,
    Zstd,
    /// One block, or the framed form under the same name: Collectors sent that for years.
    Snappy,
    SnappyFramed,
}

impl Encoding {
    /// Reads a `Content-Encoding`; `None` for what we do not read.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let name = name.trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match () {
            () if name.is_empty() || is("identity") => Some(Self::Identity),
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") || is("zlib") => Some(Self::Deflate),
            () if is("zstd") => Some(Self::Zstd),
            () if is("snappy") => Some(Self::Snappy),
            () if is("x-snappy-framed") => Some(Self::SnappyFramed),
            () => None,
        }
    }

    /// The encoding of this very body: `snappy` is told apart by its first bytes, as the Collector does.
    pub(super) fn of_body(self, body: &[u8]) -> Self {
        match self {
            Self::Snappy if snappy::is_framed(body) => Self::SnappyFramed,
            other => other,
        }
    }

    /// A reader of what `body` holds. A block of snappy has none, see [`snappy::Block`].
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
            Self::SnappyFramed => Box::new(snap::read::FrameDecoder::new(body.reader())),
            Self::Snappy => return Err(io::ErrorKind::Unsupported.into()),
        })
    }
}

/// Decompresses what comes piece by piece.
pub(super) enum Expander {
    Gzip(Box<flate2::write::MultiGzDecoder<Vec<u8>>>),
    Deflate(Box<flate2::write::ZlibDecoder<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Vec<u8>>>),
}

impl Expander {
    /// A decompressor; none for a body that is not compressed.
    ///
    /// # Errors
    /// Snappy, whose readers want the whole body, is [`io::ErrorKind::Unsupported`].
    pub(super) fn new(encoding: Encoding) -> io::Result<Option<Self>> {
        Ok(Some(match encoding {
            Encoding::Identity => return Ok(None),
            Encoding::Snappy | Encoding::SnappyFramed => return Err(io::ErrorKind::Unsupported.into()),
            Encoding::Gzip => Self::Gzip(Box::new(flate2::write::MultiGzDecoder::new(Vec::new()))),
            Encoding::Deflate => Self::Deflate(Box::new(flate2::write::ZlibDecoder::new(Vec::new()))),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::write::Decoder::new(Vec::new())?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Self::Zstd(Box::new(decoder))
            }
        }))
    }

    /// How many compressed bytes to push at once, so that little comes out even of a bomb: a byte of gzip makes at most
    /// about 1 KiB, four bytes of zstd 128 KiB.
    pub(super) const fn step(&self) -> usize {
        match self {
            Self::Gzip(_) | Self::Deflate(_) => 1 << 10,
            Self::Zstd(_) => 64,
        }
    }

    /// Pushes compressed bytes and gives what came out so far.
    pub(super) fn push(&mut self, compressed: &[u8]) -> io::Result<Bytes> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(compressed)?,
            Self::Deflate(decoder) => decoder.write_all(compressed)?,
            Self::Zstd(decoder) => decoder.write_all(compressed)?,
        }
        Ok(self.take())
    }

    /// What is left at the end of the input.
    ///
    /// # Errors
    /// The compressed stream is cut short.
    pub(super) fn finish(&mut self) -> io::Result<Bytes> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish()?,
            Self::Deflate(decoder) => decoder.try_finish()?,
            Self::Zstd(decoder) => decoder.do_finish()?,
        }
        Ok(self.take())
    }

    fn take(&mut self) -> Bytes {
        let out = match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        };
        std::mem::take(out).into()
    }
}
