//! Bodies that come piece by piece.

use super::*;
use http::{HeaderValue, header::CONTENT_ENCODING};
use http_body_util::StreamBody;
use std::io::Write;

/// Reads a body that arrives in pieces of `step`: the whole and the largest piece.
async fn read(
    encoding: &'static str,
    sent: &[u8],
    step: usize,
    max_size: usize,
) -> Result<(Vec<u8>, usize), BodyError> {
    let frames: Vec<_> = sent
        .chunks(step)
        .map(|part| Ok::<_, std::convert::Infallible>(http_body::Frame::data(Bytes::copy_from_slice(part))))
        .collect();
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(encoding))]);
    let mut stream = BodyStream::new(&headers, body, &BodyLimits { max_size, ..BodyLimits::default() })?;
    let (mut whole, mut largest) = (Vec::new(), 0);
    while let Some(piece) = stream.next().await? {
        largest = largest.max(piece.len());
        whole.extend_from_slice(&piece);
    }
    Ok((whole, largest))
}

fn compressed(encoding: &str, plain: &[u8]) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(plain, 19).unwrap(),
        _ => plain.to_vec(),
    }
}

/// Scenario: a text in every encoding, arriving byte by byte and at once; then cut short.
/// Guarantee: the text as it was; what is cut short inside a compressed body is an error, not an end.
#[tokio::test]
async fn every_encoding_is_read_as_it_comes() {
    let plain: Vec<u8> = (0..200_000u32).flat_map(|n| n.to_le_bytes()).collect();
    for encoding in ["identity", "gzip", "deflate", "zstd"] {
        let sent = compressed(encoding, &plain);
        for step in [1000, sent.len()] {
            let (whole, _) = read(encoding, &sent, step, 1 << 20).await.unwrap();
            assert!(whole == plain, "{encoding} {step}");
        }
        assert!(read(encoding, &sent[..300], 1, 1 << 20).await.is_err() == (encoding != "identity"), "{encoding}");
    }
}

/// Scenario: bombs: 64 MiB of zeros in some KiB, and a limit below that.
/// Guarantee: no piece is over 4 MiB; what is over the limit is refused, in every encoding.
#[tokio::test]
async fn bombs_come_in_small_pieces_and_end_at_the_limit() {
    let plain = vec![0; 64 << 20];
    for encoding in ["gzip", "deflate", "zstd"] {
        let sent = compressed(encoding, &plain);
        let (whole, largest) = read(encoding, &sent, 64 << 10, 64 << 20).await.unwrap();
        assert!(whole.len() == plain.len() && largest <= 4 << 20, "{encoding} {largest}");
        let refused = read(encoding, &sent, 64 << 10, 32 << 20).await;
        assert_eq!(refused, Err(BodyError::TooLarge { limit: 32 << 20 }), "{encoding}");
    }
    assert_eq!(read("identity", &[0; 100], 10, 99).await, Err(BodyError::TooLarge { limit: 99 }));
    assert!(matches!(read("br", &[0; 100], 10, 99).await, Err(BodyError::UnsupportedEncoding(_))));
}
