//! `Digest`: the deterministic id of an event, so that retries and replays can be recognised.
//!
//! Format: BLAKE3 over `"lanner-uid-v1"`, a zero byte, the kind, a zero byte, then every part as its length (8 bytes,
//! big-endian) and its bytes; the first 16 bytes of the hash as 32 lower-case hexadecimal digits.
//! Lengths make the parts unambiguous; a cryptographic hash keeps a sender from making two events look like one.

use crate::event::Text;
use std::cell::Cell;

/// A larger buffer is not kept for the next event.
const KEPT: usize = 16 << 10;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The kind of a Falco alert's digest.
pub const FALCO_ALERT: &str = "falco.alert";

/// The kind of a Kubernetes audit event's digest.
pub const K8S_AUDIT_EVENT: &str = "k8s.audit.event";

/// Collects the parts of an event's identity.
pub struct Digest {
    /// The buffer of the thread, given back by the drop.
    input: Vec<u8>,
}

impl Digest {
    /// Starts the digest of an event of this kind.
    pub fn new(kind: &str) -> Self {
        let mut input = BUFFER.take();
        input.clear();
        input.extend_from_slice(b"lanner-uid-v1\0");
        input.extend_from_slice(kind.as_bytes());
        input.push(0);
        Self { input }
    }

    /// Adds a part.
    pub fn part(&mut self, part: &[u8]) {
        self.input.reserve(8 + part.len());
        self.input.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.input.extend_from_slice(part);
    }

    /// The id.
    pub fn finish(self) -> Text {
        Text::from(self.hex().as_str())
    }

    /// The id, for who only looks at it.
    pub(super) fn hex(self) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hash = blake3::hash(&self.input);
        let mut hex = [0u8; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(hash.as_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Hex(hex)
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        let mut input = std::mem::take(&mut self.input);
        input.clear();
        input.shrink_to(KEPT);
        BUFFER.set(input);
    }
}

/// An id, not yet kept.
pub(super) struct Hex([u8; 32]);

impl Hex {
    /// Its digits.
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(kind: &str, parts: &[&str]) -> String {
        let mut digest = Digest::new(kind);
        parts.iter().for_each(|part| digest.part(part.as_bytes()));
        digest.finish().to_string()
    }

    /// Scenario: parts that give the same text when put together, another kind, an empty part.
    /// Guarantee: all ids differ, and equal input gives an equal id of 32 digits.
    #[test]
    fn parts_are_unambiguous() {
        let ids = [
            digest("a", &["bc", "d"]),
            digest("a", &["b", "cd"]),
            digest("ab", &["c", "d"]),
            digest("a", &["bcd"]),
            digest("a", &["bc", "d", ""]),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(id.len(), 32);
            assert!(!ids[..index].contains(id));
        }
        assert_eq!(ids[0], digest("a", &["bc", "d"]));
    }
}
