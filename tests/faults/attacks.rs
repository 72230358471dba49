//! Hostile senders: bombs, nesting, wrong types, floods of HTTP/2 frames (S1, S2, S5, S14).

use crate::{
    long,
    support::{connection::Connection, lanner::Lanner, otlp_sink::OtlpSink, wait},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

const MIB: usize = 1 << 20;
/// What an attack may cost in memory.
const MORE_KIB: u64 = 32 << 10;

/// Every door that is there, in front of an OTLP sink.
struct Doors {
    lanner: Lanner,
    sink: OtlpSink,
    falco: u16,
    audit: u16,
    http: u16,
    grpc: u16,
}

impl Doors {
    fn open() -> Self {
        let (sink, [falco, audit, http, grpc]) = (OtlpSink::start(), [(); 4].map(|()| wait::free_port()));
        let lanner = Lanner::start(&format!(
            "receivers:
  falco_http: {{endpoint: 'localhost:{falco}'}}
  k8s_audit: {{endpoint: 'localhost:{audit}', max_request_body_size: 67108864}}
  otlp: {{protocols: {{grpc: {{endpoint: 'localhost:{grpc}'}}, http: {{endpoint: 'localhost:{http}'}}}}}}
exporters: {{otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [falco_http, k8s_audit, otlp], exporters: [otlp_grpc]}}}}
",
            sink.endpoint()
        ));
        Self { lanner, sink, falco, audit, http, grpc }
    }

    /// Port and path of the doors that take JSON over HTTP/1.
    fn json(&self) -> [(u16, &'static str); 3] {
        [(self.falco, "/"), (self.audit, "/k8s-audit"), (self.http, "/v1/logs")]
    }

    /// A good alert passes: to the end of the pipeline, and soon.
    fn probe(&self) -> Duration {
        let (start, before) = (Instant::now(), self.sink.received().len());
        let alert =
            br#"{"rule":"Good","priority":"Notice","time":"2026-01-01T00:00:00Z","output":"fine","output_fields":{}}"#;
        assert_eq!(post(self.falco, "/", "", alert), Some(200));
        wait::until("a good alert passes", Duration::from_secs(10), || {
            let received = self.sink.received();
            received[before..].iter().any(|record| record.body() == "fine").then_some(())
        });
        start.elapsed()
    }
}

/// Posts once over a new connection; `None` when it was closed without an answer.
fn post(port: u16, path: &str, headers: &str, body: &[u8]) -> Option<u16> {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    Connection::open(port).unwrap().post(path, &headers, body).ok()
}

/// Scenario: S1: a gigabyte of zeros in each encoding, and gzip in gzip, at the doors of Falco and of the API server.
/// Guarantee: refused with 413 (415 for what is not unpacked twice), for little memory; a good alert still passes.
#[test]
fn s1_bombs_at_every_door() {
    let doors = Doors::open();
    doors.probe();
    let before = doors.lanner.rss_kib();
    let zeros = vec![0; 4 * MIB];
    let gzip = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    (0..32).for_each(|_| zlib.write_all(&zeros).unwrap());
    let gigabyte = gzip(&zeros).repeat(256);
    let bombs = [
        (doors.falco, "/", "gzip", gigabyte.clone(), 413),
        (doors.falco, "/", "deflate", zlib.finish().unwrap(), 413),
        (doors.falco, "/", "zstd", zstd::encode_all(&zeros[..], 1).unwrap().repeat(256), 413),
        (doors.falco, "/", "gzip, gzip", gzip(&gigabyte), 415),
        (doors.audit, "/k8s-audit", "gzip", gigabyte.clone(), 413),
        (doors.audit, "/k8s-audit", "gzip, gzip", gzip(&gigabyte), 415),
    ];
    for (port, path, encoding, bomb, expected) in &bombs {
        let start = Instant::now();
        let status = post(*port, path, &format!("Content-Encoding: {encoding}\r\n"), bomb);
        let (took, more) = (start.elapsed(), doors.lanner.peak_rss_kib().saturating_sub(before));
        println!("{path} {encoding}: {} KiB, {status:?} after {took:.0?}, {more} KiB more", bomb.len() >> 10);
        assert_eq!(status, Some(*expected), "{path} {encoding}");
        assert!(more < MORE_KIB, "{path} {encoding}: {more} KiB more");
    }
    doors.probe();
    doors.lanner.stop().row("logs -> otlp_grpc");
}

/// Scenario: S2, S14: values of wrong types in every place, huge numbers, NUL, lone surrogates, doubled keys, nesting of
/// 10,000 levels, twenty thousand attributes, at every door that takes JSON.
/// Guarantee: 4xx or taken, never 5xx, no end of the process; a good alert still passes.
#[test]
fn s2_s14_odd_json_at_every_door() {
    let doors = Doors::open();
    let deep = |open: &str, close: &str, count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
    let many: String = (0..20_000).map(|index| format!("\"k{index}\":{index},")).collect();
    let values = [
        "null".to_owned(),
        "true".to_owned(),
        "-1e400".to_owned(),
        "99999999999999999999999999".to_owned(),
        r#""\u0000""#.to_owned(),
        r#""\ud800""#.to_owned(),
        r#"[]"#.to_owned(),
        r#"{"a":1,"a":2}"#.to_owned(),
        deep("[", "]", 10_000),
        deep("{\"a\":", "}", 10_000),
    ];
    let frames = [
        "@".to_owned(),
        r#"{"rule":@,"priority":@,"time":@,"output":@,"hostname":@,"tags":@,"output_fields":@}"#.to_owned(),
        r#"{"rule":"R","priority":"Error","output":"o","output_fields":{"proc.name":@,"evt.time":@}}"#.to_owned(),
        r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":@}"#.to_owned(),
        r#"{"kind":"EventList","items":[{"auditID":@,"stage":@,"user":@,"objectRef":@,"requestObject":@}]}"#.to_owned(),
        r#"{"resourceLogs":@}"#.to_owned(),
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":@,"body":@,"attributes":@}]}]}]}"#.to_owned(),
        format!(r#"{{"rule":"R","priority":"Error","output":"o","output_fields":{{{many}"last":@}}}}"#),
    ];
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for (port, path) in doors.json() {
        for frame in &frames {
            for value in &values {
                let body = frame.replace('@', value);
                let start = Instant::now();
                let status = post(port, path, "", body.as_bytes());
                let status = status.unwrap_or_else(|| panic!("{path}: no answer to {:.200}", body));
                assert!((200..500).contains(&status), "{path}: {status} to {:.200}", body);
                assert!(start.elapsed() < Duration::from_secs(10), "{path}: {:?} for {:.200}", start.elapsed(), body);
                *statuses.entry(status).or_default() += 1;
            }
        }
    }
    println!("{statuses:?}; then a good alert in {:.0?}", doors.probe());
    doors.lanner.stop().row("logs -> otlp_grpc");
}

/// The frame head of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// `POST http://localhost/` in HPACK, without Huffman codes.
fn request_head() -> Vec<u8> {
    let mut head = vec![0x83, 0x86, 0x84, 0x41, 9];
    head.extend(b"localhost");
    head
}

/// Writes what `next` makes until the peer has had enough or the time is over, reading meanwhile; whether the peer said
/// GOAWAY or closed, and after how many frames.
fn flood(port: u16, time: Duration, mut next: impl FnMut(u32) -> Vec<u8>) -> (bool, u32) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut reading = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let (mut said, mut part) = (Vec::new(), vec![0; 64 << 10]);
        while let Ok(read) = reading.read(&mut part) {
            if read == 0 {
                break;
            }
            said.extend(&part[..read]);
        }
        is_told_to_go(&said)
    });
    let hello = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat();
    let (watch, mut sent, mut closed) = (Instant::now(), 0, stream.write_all(&hello).is_err());
    while !closed && watch.elapsed() < time {
        let many: Vec<u8> = (0..64).flat_map(|index| next(sent + index)).collect();
        match stream.write_all(&many) {
            Ok(()) => sent += 64,
            // Not read any more, and not closed either.
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => break,
            Err(_) => closed = true,
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    (reader.join().unwrap() || closed, sent)
}

/// Whether there is a GOAWAY among these frames.
fn is_told_to_go(mut frames: &[u8]) -> bool {
    while let Some((head, rest)) = frames.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        if head[3] == GOAWAY {
            return true;
        }
        let Some(rest) = rest.get(length..) else { break };
        frames = rest;
    }
    false
}

/// Scenario: S5: floods of HTTP/2 frames at the gRPC door and at an HTTP door: streams that are opened and reset, header
/// blocks without an end, SETTINGS, PINGs, empty DATA.
/// Guarantee: memory stays; rapid resets and endless headers end their connection; a good alert passes during each flood.
#[test]
fn s5_floods_of_frames() {
    let doors = Doors::open();
    doors.probe();
    let usual = Duration::from_secs(if long() { 20 } else { 1 });
    type Next = fn(u32) -> Vec<u8>;
    let rapid_reset: Next = |index| {
        let stream = index * 2 + 1;
        [frame(HEADERS, END_HEADERS, stream, &request_head()), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())]
            .concat()
    };
    let endless_headers: Next = |index| match index {
        0 => frame(HEADERS, 0, 1, &request_head()),
        _ => frame(CONTINUATION, 0, 1, &[&[0x40, 3][..], b"x-a", &[127, 0], &[b'v'; 127]].concat()),
    };
    let settings: Next = |_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]);
    let pings: Next = |index| frame(PING, 0, 0, &u64::from(index).to_be_bytes());
    let empty_data: Next = |index| match index {
        0 => frame(HEADERS, END_HEADERS, 1, &request_head()),
        _ => frame(DATA, 0, 1, &[]),
    };
    let floods = [
        ("rapid reset", rapid_reset, true),
        ("endless headers", endless_headers, true),
        ("settings", settings, false),
        ("pings", pings, false),
        ("empty data", empty_data, false),
    ];
    let before = doors.lanner.rss_kib();
    for (name, next, must_end) in floods {
        // Whoever must end it has time to; it ends after a few frames.
        let time = if must_end { usual.max(Duration::from_secs(10)) } else { usual };
        for port in [doors.grpc, doors.falco] {
            let flooding = std::thread::spawn(move || flood(port, time, next));
            let took = doors.probe();
            let (ended, sent) = flooding.join().unwrap();
            let more = doors.lanner.peak_rss_kib().saturating_sub(before);
            println!("{name}: ended {ended} after {sent} frames; a good alert in {took:.0?}; {more} KiB more");
            assert!(ended || !must_end, "{name} went on after {sent} frames");
            assert!(more < MORE_KIB, "{name}: {more} KiB more");
        }
    }
    doors.lanner.stop().row("logs -> otlp_grpc");
}
