use super::*;
use crate::{component::Refused, testing::Capture, testing::Mood};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use std::{convert::Infallible, io::Write};
use tokio::sync::mpsc;

const LIMITS: BodyLimits = BodyLimits { max_size: 1 << 20, grace: Duration::from_secs(10), min_rate: 1024 };

fn encoded(encoding: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, http::HeaderValue::from_static(encoding));
    headers
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap().into()
}

fn zlib(bytes: &[u8]) -> Bytes {
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap().into()
}

fn snappy(bytes: &[u8]) -> Bytes {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap().into()
}

fn snappy_framed(bytes: &[u8]) -> Bytes {
    let mut writer = snap::write::FrameEncoder::new(Vec::new());
    writer.write_all(bytes).unwrap();
    writer.into_inner().unwrap().into()
}

async fn read(headers: &HeaderMap, body: impl Into<Bytes>) -> Result<ReadBody, BodyError> {
    let consumer = Capture::new().consumer();
    read_body(headers, Full::new(body.into()), &LIMITS, |bytes| consumer.admit(bytes)).await
}

/// A body whose parts the test sends.
fn in_parts() -> (mpsc::Sender<Bytes>, impl Body<Data = Bytes, Error = Infallible>) {
    let (sender, mut parts) = mpsc::channel::<Bytes>(4);
    let parts =
        futures_util::stream::poll_fn(move |cx| parts.poll_recv(cx).map(|part| part.map(|p| Ok(Frame::data(p)))));
    (sender, StreamBody::new(parts))
}

/// Scenario: a body of one piece, as Falco sends it.
/// Guarantee: the bytes are those that came, not a copy.
#[tokio::test]
async fn one_piece_is_not_copied() {
    let sent = Bytes::from(vec![7; 1000]);
    let body = read(&HeaderMap::new(), sent.clone()).await.unwrap();
    assert_eq!(body.bytes.as_ptr(), sent.as_ptr());
    assert_eq!(body.bytes, sent);
}

/// Scenario: a chunked body in several pieces, and the same one byte over the limit.
/// Guarantee: joined in order; the larger one is refused, and all room is given back.
#[tokio::test]
async fn pieces_are_joined_up_to_the_limit() {
    for (size, fits) in [(LIMITS.max_size, true), (LIMITS.max_size + 1, false)] {
        let sent: Vec<u8> = (0..size).map(|at| at as u8).collect();
        let (sender, body) = in_parts();
        let pieces: Vec<_> = sent.chunks(100_000).map(Bytes::copy_from_slice).collect();
        let sending = async move {
            for piece in pieces {
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
        };
        let capture = Capture::new();
        let consumer = capture.consumer();
        let headers = HeaderMap::new();
        let reading = read_body(&headers, body, &LIMITS, |bytes| consumer.admit(bytes));
        let (result, ()) = tokio::join!(reading, sending);
        match result {
            Ok(body) => {
                assert!(fits);
                assert!(capture.admitted() >= size, "room for {} of {size}", capture.admitted());
                assert_eq!(body.bytes, sent);
            }
            Err(error) => {
                assert!(!fits);
                assert_eq!(error, BodyError::TooLarge { limit: LIMITS.max_size });
                assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
            }
        }
        assert_eq!(capture.admitted(), 0);
    }
}

/// Scenario: a body that tells its length in its first bytes comes in pieces of several sizes; the length is right, too small,
/// too large, far over the limit, or cut off.
/// Guarantee: joined in order whatever it says; memory is taken at most for what may come.
#[tokio::test]
async fn a_told_length_only_saves_copies() {
    let whole: Vec<u8> = (0..300_000u32).map(|at| at as u8).collect();
    let capture = Capture::new();
    let consumer = capture.consumer();
    for piece in [1, 3_000, 100_000, 300_000] {
        for told in [Some(300_000), Some(7), Some(900_000), Some(usize::MAX), None] {
            let sent = if piece == 1 { &whole[..500] } else { &whole[..] };
            let (sender, body) = in_parts();
            let pieces: Vec<_> = sent.chunks(piece).map(Bytes::copy_from_slice).collect();
            let sending = async move {
                for piece in pieces {
                    sender.send(piece).await.unwrap();
                }
            };
            let reading = read_framed_body(body, &LIMITS, |_| told, |bytes| consumer.admit(bytes));
            let (body, ()) = tokio::join!(reading, sending);
            assert_eq!(body.unwrap().bytes, sent, "{piece} {told:?}");
        }
    }
    assert_eq!(capture.admitted(), 0);
}

/// Scenario: the announced length is over the limit, or the memory budget is used up.
/// Guarantee: refused before the first byte is read.
#[tokio::test]
async fn refuses_before_reading() {
    let error = read(&HeaderMap::new(), vec![0; LIMITS.max_size + 1]).await.unwrap_err();
    assert_eq!(error, BodyError::TooLarge { limit: LIMITS.max_size });

    let capture = Capture::new();
    capture.set(Mood::NoRoom);
    let consumer = capture.consumer();
    let (sender, body) = in_parts();
    let error = read_body(&HeaderMap::new(), body, &LIMITS, |bytes| consumer.admit(bytes)).await.unwrap_err();
    assert!(matches!(error, BodyError::Refused(Refused::Busy { .. })), "{error}");
    drop(sender);
}

/// Scenario: gzip (also in two members), zlib, zstd, both forms of snappy (the framed one also under the block's name),
/// an unknown encoding, damaged and cut bodies.
/// Guarantee: the known ones are read whole; the others are errors with the right status.
#[tokio::test]
async fn reads_what_content_encoding_says() {
    let text = b"{\"rule\":\"Terminal shell in container\"}".repeat(5000);
    let two_members: Bytes = [gzip(&text[..1000]), gzip(&text[1000..])].concat().into();
    let packed = zstd::encode_all(&text[..], 1).unwrap();
    // Below and above the size that is unpacked inline.
    let longer = text.repeat(3);
    assert_eq!(read(&encoded("snappy"), snappy(&longer)).await.unwrap().bytes, longer);
    for (name, body) in [
        ("gzip", gzip(&text)),
        ("GZIP", two_members),
        ("deflate", zlib(&text)),
        ("zlib", zlib(&text)),
        ("zstd", packed.into()),
        ("snappy", snappy(&text)),
        ("snappy", snappy_framed(&text)),
        ("x-snappy-framed", snappy_framed(&text)),
    ] {
        assert_eq!(read(&encoded(name), body).await.unwrap().bytes, text, "{name}");
    }
    let error = read(&encoded("br"), &b"x"[..]).await.unwrap_err();
    assert_eq!(error.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let cut = gzip(&text);
    for damaged in [Bytes::from_static(b"no gzip at all"), cut.slice(..cut.len() / 2)] {
        assert_eq!(read(&encoded("gzip"), damaged).await.unwrap_err(), BodyError::Corrupt);
    }
    let (block, framed) = (snappy(&text), snappy_framed(&text));
    // The last one says 1 MiB and has three bytes.
    for damaged in
        [block.slice(..block.len() / 2), framed.slice(..framed.len() / 2), Bytes::from_static(b"\x80\x80\x40")]
    {
        assert_eq!(read(&encoded("snappy"), damaged).await.unwrap_err(), BodyError::Corrupt);
    }
    assert_eq!(read(&encoded("x-snappy-framed"), block).await.unwrap_err(), BodyError::Corrupt);
}

/// Scenario: S1: blocks of snappy whose first bytes promise much more than the limit, or more than they hold.
/// Guarantee: refused before anything is unpacked: no room is asked for beyond the compressed bytes.
#[tokio::test]
async fn a_block_that_promises_too_much_costs_nothing() {
    let huge = snappy(&vec![0; 64 << 20]);
    let lie = Bytes::from_static(b"\xff\xff\xff\xff\x0f\x00\x00");
    for (bomb, expected) in [(huge, BodyError::TooLarge { limit: 4 << 20 }), (lie, BodyError::Corrupt)] {
        let limits = BodyLimits { max_size: 4 << 20, ..LIMITS };
        let (held, asked) = (bomb.len(), std::cell::Cell::new(0));
        let consumer = Capture::new().consumer();
        let admit = |bytes| {
            asked.set(asked.get() + bytes);
            consumer.admit(bytes)
        };
        let error = read_body(&encoded("snappy"), Full::new(bomb), &limits, admit).await.unwrap_err();
        assert_eq!((error, asked.get()), (expected, held));
    }
}

/// Scenario: S1: 64 MiB of zeros behind a few KiB of gzip, zlib and zstd, and 16 MiB behind framed snappy.
/// Guarantee: refused as too large; never more room than twice the limit is taken.
#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let zeros = vec![0; 64 << 20];
    let packed = zstd::encode_all(&zeros[..], 1).unwrap();
    // 21 times smaller at best, so that the limit must be larger for it to be read at all.
    let frames = snappy_framed(&zeros[..16 << 20]);
    for (name, bomb) in
        [("gzip", gzip(&zeros)), ("deflate", zlib(&zeros)), ("zstd", packed.into()), ("x-snappy-framed", frames)]
    {
        let peak = std::cell::Cell::new(0);
        let capture = Capture::new();
        let consumer = capture.consumer();
        let admit = |bytes| {
            peak.set(capture.admitted() + bytes);
            consumer.admit(bytes)
        };
        let error = read_body(&encoded(name), Full::new(bomb), &LIMITS, admit).await.unwrap_err();
        assert_eq!(error, BodyError::TooLarge { limit: LIMITS.max_size }, "{name}");
        assert!(peak.get() <= 2 * LIMITS.max_size + (256 << 10), "{name}: {}", peak.get());
        assert_eq!(capture.admitted(), 0);
    }
}

/// Scenario: S6: a body that drips one byte every second, on a paused clock.
/// Guarantee: cut off once the grace is over; a sender above the minimum rate is not.
#[tokio::test(start_paused = true)]
async fn a_dripping_body_is_cut_off() {
    for (piece, survives) in [(1, false), (2048, true)] {
        let (sender, body) = in_parts();
        let sending = async move {
            for _ in 0..30 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if sender.send(Bytes::from(vec![b'x'; piece])).await.is_err() {
                    break;
                }
            }
        };
        let consumer = Capture::new().consumer();
        let start = Instant::now();
        let headers = HeaderMap::new();
        let (result, ()) = tokio::join!(
            async { (read_body(&headers, body, &LIMITS, |b| consumer.admit(b)).await, start.elapsed()) },
            sending
        );
        match result {
            (Ok(body), _) => assert!(survives && body.bytes.len() == 30 * piece),
            (Err(error), after) => {
                assert!(!survives, "{error} after {after:?}");
                assert_eq!(error, BodyError::Timeout);
                assert!(after < Duration::from_secs(13), "{after:?}");
            }
        }
    }
}
