//! The guard alone: any chunks, any sizes.

use crate::falco_grpc::guard::{Guard, Skipped};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;
use std::convert::Infallible;

fn message(length: usize) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend((length as u32).to_be_bytes());
    bytes.extend((0..length).map(|at| at as u8));
    bytes
}

/// What comes out of a guard, and how many messages were left out.
fn guarded(chunks: Vec<Bytes>, trailers: Option<HeaderMap>, limit: usize) -> (Vec<u8>, Option<HeaderMap>, usize) {
    let frames = chunks.into_iter().map(Frame::data).chain(trailers.map(Frame::trailers));
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>)));
    let skipped = Skipped::default();
    let guard = Guard::new(body, limit, skipped.clone());
    let collected = futures_util::FutureExt::now_or_never(guard.collect()).unwrap().unwrap();
    let trailers = collected.trailers().cloned();
    let count = std::iter::repeat_with(|| skipped.take()).take_while(|taken| *taken).count();
    (collected.to_bytes().to_vec(), trailers, count)
}

proptest! {
    /// Scenario: messages around the limit, in chunks of any size.
    /// Guarantee: those within the limit pass byte for byte, the others become empty messages and are counted.
    #[test]
    fn messages_over_the_limit_become_empty(lengths in prop::collection::vec(0usize..40, 0..20), cut in 1usize..30) {
        let limit = 20;
        let all: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
        let expected: Vec<u8> =
            lengths.iter().flat_map(|length| message(if *length > limit { 0 } else { *length })).collect();
        let chunks = all.chunks(cut).map(Bytes::copy_from_slice).collect();
        let (passed, _, skipped) = guarded(chunks, None, limit);
        prop_assert_eq!(passed, expected);
        prop_assert_eq!(skipped, lengths.iter().filter(|length| **length > limit).count());
    }
}

/// Scenario: trailers with details that are not base64, beside the status.
/// Guarantee: the details are taken off, the rest stays.
#[test]
fn details_are_taken_off() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("13"));
    trailers.insert("grpc-status-details-bin", HeaderValue::from_static("!"));
    let (_, left, _) = guarded(Vec::new(), Some(trailers), 9);
    assert_eq!(left.unwrap().keys().map(|key| key.as_str()).collect::<Vec<_>>(), ["grpc-status"]);
}
