//! Compression bombs against the `otlp` receiver (S1), measured from outside.

use crate::support::{lanner::Lanner, wait};
use std::{
    io::Write,
    time::{Duration, Instant},
};

const MIB: usize = 1 << 20;
/// What a bomb may cost: the default limit of a body, 20 MiB, and some.
const SMALL_KIB: u64 = 32 << 10;
/// The same with the bytes that are sent.
const LARGE_KIB: u64 = 64 << 10;

/// A gigabyte of zeros in at most a few megabytes. Packed pieces are repeated where the format allows it, because packing a
/// gigabyte takes longer than the test.
fn small_bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; 4 * MIB];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&zeros).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    (0..8).for_each(|_| zlib.write_all(&zeros).unwrap());
    vec![
        ("gzip", gzip.finish().unwrap().repeat(256)),
        ("deflate", zlib.finish().unwrap()),
        ("zstd", zstd::encode_all(&zeros[..], 1).unwrap().repeat(256)),
    ]
}

/// Snappy makes 21 bytes of one at most, so its bombs are nearly as large as a body may be.
fn large_bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; 4 * MIB];
    let mut framed = snap::write::FrameEncoder::new(Vec::new());
    framed.write_all(&zeros).unwrap();
    let block = snap::raw::Encoder::new().compress_vec(&zeros.repeat(16)).unwrap();
    vec![("x-snappy-framed", framed.into_inner().unwrap().repeat(64)), ("snappy", block)]
}

/// Scenario: S1: bodies that would unpack to 32 MiB up to a gigabyte, in every encoding, one after the other, then eight at
/// once.
/// Guarantee: 413 for each; small bombs cost at most 32 MiB, large ones what their own bytes take besides; requests are taken
/// as before.
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
    let mut all = Vec::new();
    // The most there ever was, not what is left when we look.
    for (bombs, most) in [(small_bombs(), SMALL_KIB), (large_bombs(), LARGE_KIB)] {
        for (encoding, bomb) in &bombs {
            let (size, start) = (bomb.len(), Instant::now());
            assert!(size < 20 * MIB, "{encoding}: {size}");
            assert_eq!(post(encoding, bomb.clone()), 413, "{encoding}");
            let (took, peak) = (start.elapsed(), lanner.peak_rss_kib() - before);
            println!("{encoding:>16}: {} KiB, 413 after {took:.0?}, at most {peak} KiB more so far", size >> 10);
            assert!(peak <= most, "{encoding}: {peak} KiB more");
        }
        all.extend(bombs);
    }
    std::thread::scope(|scope| {
        for index in 0..8 {
            let (encoding, bomb) = &all[index % all.len()];
            scope.spawn(move || assert_eq!(post(encoding, bomb.clone()), 413, "{encoding}"));
        }
    });
    let eight = lanner.peak_rss_kib() - before;
    assert!(eight <= 8 * LARGE_KIB, "{eight} KiB more");
    assert_eq!(post("identity", Vec::new()), 200);
    println!("eight at once: at most {eight} KiB more");
    lanner.stop();
}
