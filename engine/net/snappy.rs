//! Snappy's block form: one piece, whose unpacked length stands in front.
//!
//! Promises: the length is known, and can be refused, before anything is unpacked; a length that the compressed bytes
//! cannot reach costs no memory. The framed form is read like the other encodings, piece by piece.

use bytes::Bytes;
use std::io;

/// How the framed form begins: a chunk of type 0xff with six bytes, its name.
const STREAM_START: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// No element of a block makes more than 64 bytes of three.
const LARGEST_RATIO: usize = 22;

/// Whether `body` is the framed form.
pub(super) fn is_framed(body: &[u8]) -> bool {
    body.starts_with(STREAM_START)
}

/// A compressed block.
pub(super) struct Block {
    compressed: Bytes,
    length: usize,
}

impl Block {
    /// Reads the length.
    ///
    /// # Errors
    /// There is none, or the block is too short for it.
    pub(super) fn open(compressed: Bytes) -> io::Result<Self> {
        let length = snap::raw::decompress_len(&compressed)?;
        if length > compressed.len().saturating_mul(LARGEST_RATIO) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self { compressed, length })
    }

    /// Bytes when unpacked.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Unpacks at about 1 GB/s.
    ///
    /// # Errors
    /// The block is damaged.
    pub(super) fn unpack(self) -> io::Result<Vec<u8>> {
        Ok(snap::raw::Decoder::new().decompress_vec(&self.compressed)?)
    }
}
