//! Compression bombs against the `otlp` receiver (S1), measured from outside.

use crate::support::{lanner::Lanner, wait};
use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

/// What the zeros of a bomb would take.
const UNPACKED: u64 = 1 << 30;
/// Largest body, 20 MiB by default, and what comes with it: the compressed body, and the piece of memory that the unpacked
/// one grew out of.
const MOST_KIB: u64 = 48 << 10;

fn pack<W: Write>(mut encoder: W, finish: impl FnOnce(W) -> Vec<u8>, size: u64) -> Vec<u8> {
    std::io::copy(&mut std::io::repeat(0).take(size), &mut encoder).unwrap();
    finish(encoder)
}

/// Bodies of a MiB or less that would take a GiB; snappy cannot shrink that far, so its bodies are as large as may be sent.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let best = flate2::Compression::best();
    let gzip = pack(flate2::write::GzEncoder::new(Vec::new(), best), |encoder| encoder.finish().unwrap(), UNPACKED);
    let zlib = pack(flate2::write::ZlibEncoder::new(Vec::new(), best), |encoder| encoder.finish().unwrap(), UNPACKED);
    let zstd = zstd::stream::write::Encoder::new(Vec::new(), 19).unwrap();
    let zstd = pack(zstd, |encoder| encoder.finish().unwrap(), UNPACKED);
    let framed = snap::write::FrameEncoder::new(Vec::new());
    let framed = pack(framed, |encoder| encoder.into_inner().unwrap(), 300 << 20);
    let block = snap::raw::Encoder::new().compress_vec(&vec![0; 300 << 20]).unwrap();
    vec![("gzip", gzip), ("deflate", zlib), ("zstd", zstd), ("x-snappy-framed", framed), ("snappy", block)]
}

/// Scenario: S1: a GiB of zeros behind a MiB of gzip, zlib or zstd, and 300 MiB behind 15 MiB of snappy, one after the other
/// and eight at once.
/// Guarantee: 413 for each; one bomb costs no more memory than the largest body that may be sent, eight no more than eight
/// such; a request beside them is answered.
#[test]
fn s1_bombs_do_not_go_off() {
    let (http, grpc) = (wait::free_port(), wait::free_port());
    let lanner = Lanner::start(&format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 'localhost:{grpc}'}}, http: {{endpoint: 'localhost:{http}'}}}}}}}}
exporters: {{debug: }}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [otlp], exporters: [debug]}}}}
"
    ));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
    let url = format!("http://localhost:{http}/v1/logs");
    let post = |encoding: &'static str, body: Vec<u8>| {
        let request = client.post(&url).header("content-type", "application/x-protobuf");
        request.header("content-encoding", encoding).body(body).send().unwrap().status().as_u16()
    };
    assert_eq!(post("identity", Vec::new()), 200);
    let before = lanner.rss_kib();
    let bombs = bombs();
    for (encoding, bomb) in &bombs {
        let (size, start) = (bomb.len(), Instant::now());
        assert!(size < 20 << 20, "{encoding}: {size}");
        assert_eq!(post(encoding, bomb.clone()), 413, "{encoding}");
        println!("{encoding:>16}: {} KiB, 413 after {:.0?}, {} KiB", size >> 10, start.elapsed(), lanner.rss_kib());
    }
    // The most it ever was, between two looks, too.
    let one = lanner.peak_rss_kib();
    assert!(one <= before + MOST_KIB, "{before} KiB became {one} KiB");
    std::thread::scope(|scope| {
        for index in 0..8 {
            let (encoding, bomb) = &bombs[index % bombs.len()];
            scope.spawn(move || assert_eq!(post(encoding, bomb.clone()), 413, "{encoding}"));
        }
    });
    let eight = lanner.peak_rss_kib();
    assert!(eight <= before + 8 * MOST_KIB, "{before} KiB became {eight} KiB");
    assert_eq!(post("identity", Vec::new()), 200);
    println!("{before} KiB before, {one} KiB at most with one bomb at a time, {eight} KiB with eight");
    lanner.stop();
}
