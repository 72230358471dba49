//! OTLP/gRPC.

use super::{
    super::rpc_status::{RetryInfo, RpcStatus},
    door::{Door, SOON, logs, metrics, traces},
    *,
};
use crate::otlp::config::{GrpcConfig, HttpConfig};
use ::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lanner_engine::testing::Mood;
use lanner_proto::{
    collector::{
        logs::v1::logs_service_client::LogsServiceClient, metrics::v1::metrics_service_client::MetricsServiceClient,
        trace::v1::trace_service_client::TraceServiceClient,
    },
    grpc_path,
};
use prost::Message;
use std::io::Write;
use tokio::{net::TcpStream, time::timeout};
use tonic::{Code, codec::CompressionEncoding};

/// Scenario: the OTLP project's own clients send each signal, plain and compressed.
/// Guarantee: every call succeeds, and what arrives is byte for byte what was sent, with its items counted.
#[tokio::test]
async fn takes_every_signal_as_it_is() {
    let door = Door::open().await;
    let channel = door.channel().await;
    for encoding in [None, Some(CompressionEncoding::Gzip)] {
        let mut clients = (
            LogsServiceClient::new(channel.clone()),
            MetricsServiceClient::new(channel.clone()),
            TraceServiceClient::new(channel.clone()),
        );
        if let Some(encoding) = encoding {
            clients.0 = clients.0.send_compressed(encoding);
            clients.1 = clients.1.send_compressed(encoding);
            clients.2 = clients.2.send_compressed(encoding);
        }
        assert_eq!(clients.0.export(logs(300)).await.unwrap().into_inner(), Default::default());
        assert_eq!(clients.1.export(metrics()).await.unwrap().into_inner(), Default::default());
        assert_eq!(clients.2.export(traces()).await.unwrap().into_inner(), Default::default());
    }
    let expected = [
        (Signal::Logs, Bytes::from(logs(300).encode_to_vec()), 300),
        (Signal::Metrics, Bytes::from(metrics().encode_to_vec()), 2),
        (Signal::Traces, Bytes::from(traces().encode_to_vec()), 1),
    ];
    assert_eq!(door.taken(), [&expected[..], &expected[..]].concat());
    for name in ["zstd", "snappy", "deflate"] {
        let packed = framed(1, &packed(name, &logs(300).encode_to_vec()));
        call(&door, grpc_path::LOGS, &[GRPC, ("grpc-encoding", name)], packed).await;
        assert_eq!(door.taken().last(), Some(&expected[0]), "{name}");
    }
    assert_eq!(door.taken().len(), 9);
    assert_eq!(door.capture.admitted(), 0, "room is given back");
    door.close().await;
}

/// Scenario: an empty request.
/// Guarantee: it is a success.
#[tokio::test]
async fn an_empty_request_is_a_success() {
    let door = Door::open().await;
    let mut client = LogsServiceClient::new(door.channel().await);
    assert_eq!(client.export(logs(0)).await.unwrap().into_inner(), Default::default());
}

/// Scenario: the pipeline is full, the memory budget is used up, the process is stopping.
/// Guarantee: UNAVAILABLE with a RetryInfo, so the sender sends again; each is counted; afterwards requests pass.
#[tokio::test]
async fn busy_and_stopping_are_to_be_tried_again() {
    let door = Door::open().await;
    let mut client = LogsServiceClient::new(door.channel().await);
    for (mood, seconds) in [(Mood::Busy, 1), (Mood::NoRoom, 1), (Mood::Draining, 5)] {
        door.capture.set(mood);
        let status = client.export(logs(3)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{mood:?}");
        let details = RpcStatus::decode(status.details()).unwrap();
        assert_eq!((details.code, details.message.as_str()), (14, status.message()), "{mood:?}");
        let [detail] = &details.details[..] else { panic!("{details:?}") };
        assert_eq!(detail.type_url, "type.googleapis.com/google.rpc.RetryInfo");
        let delay = RetryInfo::decode(&detail.value[..]).unwrap().retry_delay.unwrap();
        assert_eq!((delay.seconds, delay.nanos), (seconds, 0), "{mood:?}");
    }
    assert_eq!((door.lost("busy"), door.lost("draining")), (2, 1));
    assert!(door.taken().is_empty());
    door.capture.set(Mood::Taking);
    client.export(logs(3)).await.unwrap();
    assert_eq!(door.taken().len(), 1);
}

/// Scenario: calls with a deadline: one that is over while the pipeline is stuck, one that is over at once, one that is
/// not over, and one that is no time.
/// Guarantee: DEADLINE_EXCEEDED, which senders repeat, with nothing taken and the room given back; a call in time is a
/// success; a time that is none is refused for good.
#[tokio::test]
async fn deadlines_of_calls_are_kept() {
    let door = Door::open().await;
    let body = framed(0, &logs(1).encode_to_vec());
    door.capture.set(Mood::Stuck);
    for time in ["50m", "0n"] {
        let answer = call(&door, grpc_path::LOGS, &[GRPC, ("grpc-timeout", time)], body.clone()).await;
        assert_eq!((answer.1, answer.2.code, answer.2.details.len()), (Some(4), 4, 0), "{time}: {answer:?}");
    }
    assert_eq!((door.lost("deadline"), door.capture.admitted(), door.taken().len()), (2, 0, 0));
    door.capture.set(Mood::Taking);
    let answer = call(&door, grpc_path::LOGS, &[GRPC, ("grpc-timeout", "1M")], body.clone()).await;
    assert_eq!((answer.1, door.taken().len()), (None, 1), "the status is in the trailers");
    let answer = call(&door, grpc_path::LOGS, &[GRPC, ("grpc-timeout", "soon")], body).await;
    assert_eq!((answer.1, door.lost("malformed_frame")), (Some(3), 1));
    // A call in time is no final failure of data.
    assert_eq!(door.capture.failed().get("deadline"), None);
}

/// Scenario: only logs have a pipeline.
/// Guarantee: the other signals are UNIMPLEMENTED and counted; logs pass.
#[tokio::test]
async fn a_signal_without_pipeline_is_unimplemented() {
    let door = Door::configured(GrpcConfig::default(), HttpConfig::default(), Signals::LOGS);
    let channel = door.channel().await;
    let status = MetricsServiceClient::new(channel.clone()).export(metrics()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let status = TraceServiceClient::new(channel.clone()).export(traces()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    LogsServiceClient::new(channel).export(logs(1)).await.unwrap();
    assert_eq!(door.lost("no_pipeline"), 2);
}

type Headers<'a> = &'a [(&'a str, &'a str)];

/// Sends one POST over HTTP/2 and gives back the HTTP status, the gRPC status and its details.
async fn call(door: &Door, path: &str, headers: Headers<'_>, body: Vec<u8>) -> (u16, Option<i32>, RpcStatus) {
    let stream = TcpStream::connect(door.grpc).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://x{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = timeout(SOON, sender.send_request(request)).await.expect("an answer in time").unwrap();
    connection.abort();
    let (head, _) = response.into_parts();
    let status = head.headers.get("grpc-status").map(|code| code.to_str().unwrap().parse().unwrap());
    let details = head.headers.get("grpc-status-details-bin").map(|details| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD_NO_PAD.decode(details.as_bytes()).unwrap()
    });
    (head.status.as_u16(), status, RpcStatus::decode(&details.unwrap_or_default()[..]).unwrap())
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// Compressed as gRPC means the name.
fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    match name {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "snappy" => {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).unwrap();
            encoder.into_inner().unwrap()
        }
        _ => zstd::encode_all(bytes, 1).unwrap(),
    }
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// Scenario: requests that are damaged, compressed in an unknown way, for unknown methods, or no gRPC at all.
/// Guarantee: each gets the status of the table, never one that makes the sender repeat it, and is counted.
#[tokio::test]
async fn o1_what_is_wrong_gets_its_status() {
    let door = Door::open().await;
    let good = framed(0, &logs(1).encode_to_vec());
    let proto = [("content-type", "application/grpc+proto;v=1")];
    assert_eq!(call(&door, grpc_path::LOGS, &proto, good.clone()).await.1, None, "the status is in the trailers");
    assert_eq!(door.taken().len(), 1);
    let gzip = [GRPC, ("grpc-encoding", "gzip")];
    let cases: &[(&str, Headers<'_>, Vec<u8>, i32, &str)] = &[
        (grpc_path::LOGS, &[GRPC], framed(0, b"\x0a\xff"), 3, "malformed"),
        (grpc_path::LOGS, &[GRPC], Vec::new(), 3, "malformed_frame"),
        (grpc_path::LOGS, &[GRPC], good[..9].to_vec(), 3, "malformed_frame"),
        (grpc_path::LOGS, &[GRPC], [&good[..], b"x"].concat(), 3, "malformed_frame"),
        (grpc_path::LOGS, &[GRPC], framed(7, b""), 3, "malformed_frame"),
        (grpc_path::LOGS, &[GRPC], framed(1, b""), 3, "malformed_frame"),
        (grpc_path::LOGS, &gzip, framed(1, b"no gzip"), 3, "corrupt_compression"),
        (grpc_path::LOGS, &[GRPC, ("grpc-encoding", "lz77")], good.clone(), 12, "unsupported_encoding"),
        ("/opentelemetry.proto.collector.logs.v1.LogsService/Import", &[GRPC], good.clone(), 12, "unknown_path"),
    ];
    for (path, headers, body, code, reason) in cases {
        let before = door.lost(reason);
        let (status, grpc, details) = call(&door, path, headers, body.clone()).await;
        assert_eq!((status, grpc, details.code), (200, Some(*code), *code), "{reason}: {details:?}");
        assert!(details.details.is_empty() && !details.message.is_empty(), "{reason}: {details:?}");
        assert_eq!(door.lost(reason), before + 1, "{reason}");
    }
    for content_type in ["application/grpc-web", "application/json", "application/grpc+json"] {
        let answer = call(&door, grpc_path::LOGS, &[("content-type", content_type)], good.clone()).await;
        assert_eq!(answer.0, 415, "{content_type}");
    }
    assert_eq!(door.taken().len(), 1);
    assert_eq!(door.capture.failed().get("malformed"), Some(&1));
}

/// Scenario: S1: a message above the limit, as sent and only once it is unpacked.
/// Guarantee: RESOURCE_EXHAUSTED without RetryInfo, so nobody repeats it; the room is given back; one of exactly the
/// limit passes.
#[tokio::test]
async fn sizes_are_capped_before_and_after_unpacking() {
    let grpc = GrpcConfig { max_recv_msg_size_mib: 1, ..GrpcConfig::default() };
    let door = Door::configured(grpc, HttpConfig::default(), Signals::ALL);
    // Field 2 is unknown and skipped: 4 bytes of key and length in front of the padding.
    let sized = |size: usize| {
        let length = size - 4;
        let head = [0x12, length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8];
        [&head[..], &vec![0; length]].concat()
    };
    let (fits, over) = (sized(1 << 20), sized((1 << 20) + 1));
    let bomb = vec![0; 64 << 20];
    let plain = call(&door, grpc_path::LOGS, &[GRPC], framed(0, &over)).await;
    assert_eq!((plain.1, plain.2.details.len()), (Some(8), 0), "{plain:?}");
    assert_eq!(call(&door, grpc_path::LOGS, &[GRPC], framed(0, &fits)).await.1, None);
    for name in ["gzip", "zstd", "snappy", "deflate"] {
        let headers = [GRPC, ("grpc-encoding", name)];
        for bytes in [&over, &bomb] {
            let answer = call(&door, grpc_path::LOGS, &headers, framed(1, &packed(name, bytes))).await;
            assert_eq!((answer.1, answer.2.details.len()), (Some(8), 0), "{name}: {answer:?}");
            assert!(answer.2.message.contains("max_recv_msg_size_mib"), "{answer:?}");
        }
        assert_eq!(call(&door, grpc_path::LOGS, &headers, framed(1, &packed(name, &fits))).await.1, None, "{name}");
    }
    assert_eq!(door.lost("too_large"), 9);
    assert_eq!(door.capture.admitted(), 0);
}

/// Scenario: an HTTP/1 client on the gRPC port.
/// Guarantee: it is told, and the port serves on.
#[tokio::test]
async fn http1_is_told_apart() {
    let door = Door::open().await;
    let url = format!("http://{}{}", door.grpc, grpc_path::LOGS);
    let answer = door::client().post(url).header("content-type", "application/grpc").send().await.unwrap();
    assert_eq!(answer.status(), 505);
    let answer = door::client().get(format!("http://{}/", door.grpc)).send().await.unwrap();
    assert_eq!(answer.status(), 415);
    LogsServiceClient::new(door.channel().await).export(logs(1)).await.unwrap();
}
