use super::{Compression, Compressor, HeadersConfig, PEER_TEXT_LIMIT, peer_text, user_agent};
use crate::testing::planning;
use bytes::Bytes;
use std::io::Read;

/// Scenario: bodies below and above the limits for working inline, in every kind.
/// Guarantee: what the other side decompresses is what went in.
#[tokio::test]
async fn compressed_bodies_come_back_whole() {
    for size in [0, 1, 1000, 60_000, 400_000] {
        let body: Bytes = (0..size).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
        let gzip = Compressor::new(Compression::Gzip).compress(&body).await.unwrap();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, body);

        let zstd = Compressor::new(Compression::Zstd);
        for _ in 0..2 {
            let compressed = zstd.compress(&body).await.unwrap();
            assert_eq!(zstd::decode_all(&compressed[..]).unwrap(), body);
        }
        for (kind, in_http) in [
            (Compression::Snappy, "snappy"),
            (Compression::SnappyFramed, "x-snappy-framed"),
            (Compression::Deflate, "deflate"),
            (Compression::Zlib, "zlib"),
        ] {
            let packed = Compressor::new(kind).compress(&body).await.unwrap();
            assert_eq!(kind.wire_name(), Some(in_http));
            let mut plain = Vec::new();
            match kind {
                Compression::Snappy => plain = snap::raw::Decoder::new().decompress_vec(&packed).unwrap(),
                Compression::SnappyFramed => {
                    snap::read::FrameDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
                }
                _ => drop(flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap()),
            }
            assert_eq!(plain, body, "{in_http}");
        }
        let none = Compressor::new(Compression::None).compress(&body).await.unwrap();
        assert_eq!(none.as_ptr(), body.as_ptr());
    }
}

/// Scenario: a peer answers with escape sequences, line breaks, bidi marks, invalid UTF-8 or a megabyte (S4, S11).
/// Guarantee: what we repeat is one bounded line without control characters.
#[test]
fn peer_text_is_tamed() {
    assert_eq!(peer_text(b" quota exceeded\n"), "quota exceeded");
    assert_eq!(peer_text("a\x1b[31mb\r\nc\u{202e}d".as_bytes()), r"a\u{1b}[31mb\u{d}\u{a}c\u{202e}d");
    assert_eq!(peer_text(b"\xff"), "\u{fffd}");
    for hostile in [vec![b'x'; 1 << 20], vec![7; 1 << 20], "ü".repeat(1 << 19).into_bytes(), vec![0xff; 1 << 20]] {
        let shown = peer_text(&hostile);
        assert!(shown.len() <= PEER_TEXT_LIMIT + 3 && shown.ends_with('…'), "{}", shown.len());
        assert!(!shown.chars().any(char::is_control));
    }
}

/// Scenario: headers with a secret, a bad name, a bad value, a reserved name.
/// Guarantee: only sound headers pass; the value is in no debug output.
#[test]
fn headers_are_checked_and_hidden() {
    let headers = |name: &str, value: &str| HeadersConfig([(name.to_owned(), value.to_owned().into())].into());
    let check = |config: HeadersConfig| planning(|cx| config.check("headers", |name| name == "te", cx)).0;
    let sound = headers("X-Token", "canary-1");
    assert!(!format!("{sound:?}{}", serde_json::to_string(&sound).unwrap()).contains("canary"));
    let map = check(sound).unwrap();
    assert_eq!(map["x-token"], "canary-1");
    assert!(!format!("{map:?}").contains("canary"));
    for (name, value) in [("a b", "x"), ("x-token", "a\nb"), ("TE", "x"), ("", "x")] {
        assert!(check(headers(name, value)).is_none(), "{name}");
    }
}

#[test]
fn user_agent_has_the_collectors_form() {
    let agent = user_agent();
    assert!(agent.starts_with("Lanner/") && agent.contains(&format!("({}/", std::env::consts::OS)), "{agent}");
}
