//! The header by which a sink recognises what it has already.
//!
//! Promise: the same body has the same key, in every run; another event, or the same one in another form, has another.

use super::{shape::Piece, sign};
use http::{HeaderName, HeaderValue};
use std::io::Write;

/// The name that sinks know the key by.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Ids of our own are shorter, and so are those that others make well.
const LONGEST_ID: usize = 64;

/// The key of a body: of one event its id, which stands for all that it says, and the size, in which most of its forms differ; else
/// a hash of the bytes, which takes longer.
pub fn key(pieces: &[Piece<'_>], body: &[u8]) -> Option<HeaderValue> {
    let key = match pieces {
        [Piece { uid, .. }] if is_plain(uid) => {
            let mut key = Vec::with_capacity(LONGEST_ID + 24);
            key.extend_from_slice(uid.as_bytes());
            // Writing to memory cannot fail.
            let _ = write!(key, "-{}", body.len());
            key
        }
        _ => sign::hex(&blake3::hash(body).as_bytes()[..16]).into(),
    };
    // Neither holds what a header must not.
    HeaderValue::try_from(key).ok()
}

/// Whether an id has digits, letters and dashes and is no longer than ids are.
fn is_plain(uid: &str) -> bool {
    (1..=LONGEST_ID).contains(&uid.len()) && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(uids: &[&str], body: &str) -> String {
        let pieces: Vec<_> = uids.iter().map(|uid| Piece { item: 0, uid, bytes: "".into() }).collect();
        key(&pieces, body.as_bytes()).unwrap().to_str().unwrap().to_owned()
    }

    /// Scenario: bodies of one event, of several and of none with an id, each of two forms; ids that no header takes, or that are far
    /// too long.
    /// Guarantee: keys of the same are equal, of others different; none is longer than a sink can be asked to keep.
    #[test]
    fn a_key_stands_for_a_body() {
        let long = "a".repeat(LONGEST_ID + 1);
        let of: [&[&str]; 8] = [&["a1"], &["a-1"], &["a1", "a2"], &[""], &[], &["a\n"], &["ä"], &[&long]];
        let keys: Vec<_> = of.iter().flat_map(|uids| ["body", "another"].map(|body| key_of(uids, body))).collect();
        assert_eq!(keys[..4], ["a1-4", "a1-7", "a-1-4", "a-1-7"]);
        for hashed in keys[4..].chunks(2) {
            assert_eq!(hashed, &keys[4..6]);
            assert!(hashed[0] != hashed[1] && hashed[0].len() == 32);
        }
    }
}
