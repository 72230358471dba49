//! What comes over the wire besides one request a connection.

use super::{
    Expect, LONG, Protocol, PushSubject,
    bench::{Bench, Length},
    pack::framed,
};
use crate::testing::receiver::running::SOON;
use std::fmt::Write;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Requests that are sent at once.
const AT_ONCE: usize = 3;

/// How a request begins that is never finished.
pub(super) fn opening(subject: &PushSubject) -> &'static [u8] {
    match subject.protocol {
        Protocol::Http1 => b"POST / HTTP/1.1\r\nhost: localhost\r\nx-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        Protocol::Http2 | Protocol::Grpc => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
    }
}

/// Scenario: several requests over one connection before the first is answered: pipelined with HTTP/1, as streams of
/// HTTP/2; the second one has nothing usable.
/// Guarantee: each has its answer, in order, and every item is kept once.
pub async fn several_on_one_connection(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    let cases = [&subject.one, &subject.invalid, &subject.several];
    let seen = match subject.protocol {
        Protocol::Http1 => pipelined(&bench, &cases.map(|case| case.body.as_slice())).await,
        Protocol::Http2 | Protocol::Grpc => {
            let mut line = bench.line().await;
            let mut exchanges = Vec::new();
            for case in cases {
                let body = framed(subject.protocol, false, &case.body);
                let mut exchange = line.open(bench.head(None, None)).await;
                exchange.feed(body).await;
                exchange.end();
                exchanges.push(exchange);
            }
            let mut seen = Vec::new();
            for exchange in &mut exchanges {
                let answer = exchange.answer_within(SOON).await.expect("every stream is answered");
                seen.push(answer.seen(subject.protocol));
            }
            seen
        }
    };
    let expected = cases.map(|case| case.expect.sees.split(',').next().unwrap_or_default().to_owned());
    assert_eq!(seen, expected, "{}", subject.title);
    let all = Expect { kept: cases.iter().map(|case| case.expect.kept).sum(), sees: "", ..subject.invalid.expect };
    bench.settle("three requests at once", &all);
    bench.close().await;
}

/// Sends requests in one piece and returns the statuses.
async fn pipelined(bench: &Bench<'_>, bodies: &[&[u8]; AT_ONCE]) -> Vec<String> {
    let mut all = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        let head = bench.head(None, Some(body.len()));
        let mut text = format!("POST {} HTTP/1.1\r\n", head.uri());
        for (name, value) in head.headers() {
            let _ = write!(text, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
        }
        if index + 1 == AT_ONCE {
            text.push_str("connection: close\r\n");
        }
        all.extend([text.as_bytes(), b"\r\n", body].concat());
    }
    let mut stream = TcpStream::connect(bench.running.address).await.expect("senders are let in");
    stream.write_all(&all).await.expect("the requests are taken");
    let mut answers = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answers)).await.expect("closed when asked for").expect("closed in order");
    let text = String::from_utf8_lossy(&answers);
    text.split("HTTP/1.1 ").skip(1).map(|answer| answer.chars().take(3).collect()).collect()
}

/// Scenario: bytes on the port that are no request: noise, a TLS greeting, the other HTTP version, a request that lies about
/// its length, a head that never ends.
/// Guarantee: the connection ends with nothing taken and nothing broken; a well-behaved sender is served.
pub async fn garbage(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    let noise: Vec<u8> = (0..4096u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let endless = [&b"POST / HTTP/1.1\r\nhost: x\r\nx-long: "[..], &[b'a'; 64 << 10]].concat();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // A frame of 16 MiB of a type that does not exist.
    let frame = [&preface[..], &[0xff, 0xff, 0xff, 0x77, 0, 0, 0, 0, 1]].concat();
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n";
    let smuggled =
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 30\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    for bytes in [&noise, &endless, &frame, &tls.to_vec(), &smuggled.to_vec()] {
        let mut stream = TcpStream::connect(bench.running.address).await.expect("senders are let in");
        // The server may have had enough before the end.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut said = Vec::new();
        let ended = timeout(SOON, stream.read_to_end(&mut said)).await;
        assert!(ended.is_ok(), "{}: the connection stays open after {:?}", subject.title, &bytes[..16]);
        assert!(!said.starts_with(b"HTTP/1.1 2"), "{}: {:?}", subject.title, String::from_utf8_lossy(&said));
        bench.forget_refusals();
        let answer = bench.ask(&subject.one.body, None, Length::Announced).await;
        bench.expect("after garbage", &answer, &subject.one.expect);
    }
    bench.close().await;
}
