//! OTLP/gRPC: three unary calls over HTTP/2.
//!
//! Promises: the message is a slice of what was read, not a copy, unless it was compressed; an error is a head without
//! body (`Trailers-Only`) whose `grpc-status-details-bin` repeats it as a `google.rpc.Status`; what is no gRPC at all
//! is answered with a plain HTTP status, as the gRPC specification wants; after the call's deadline nothing of it is
//! half taken: either every queue behind has it, or none.

use super::{auth::Auth, deadline, entrance::Entrance, refusal::Refusal, rpc_status::RpcStatus, taken::Taken};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use lanner_engine::{
    net::{BodyLimits, read_body, read_framed_body},
    prelude::*,
};
use lanner_proto::grpc_path;
use prost::Message;
use std::{
    convert::Infallible,
    fmt::Write,
    pin::Pin,
    task::{Context, Poll},
};

/// The flag and the length in front of a message.
const PREFIX: usize = 5;
/// An empty message with its prefix: the response when everything was taken.
const EMPTY_MESSAGE: &[u8] = &[0; PREFIX];
const SIZE_KEY: &str = "max_recv_msg_size_mib";
/// How messages may be compressed, in the words of gRPC and of HTTP: gRPC's snappy is the framed one.
const ENCODINGS: [(&str, &str); 4] =
    [("gzip", "gzip"), ("zstd", "zstd"), ("snappy", "x-snappy-framed"), ("deflate", "deflate")];
const ACCEPTED: &str = "identity,gzip,zstd,snappy,deflate";

/// What answers gRPC requests.
pub struct GrpcDoor {
    limits: BodyLimits,
    auth: Auth,
}

/// The body of an answer: a message and trailers, or nothing.
#[derive(Default)]
pub struct Reply {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl GrpcDoor {
    /// `limits.max_size` is the largest message, as sent and unpacked.
    pub fn new(limits: BodyLimits, auth: Auth) -> Self {
        Self { limits, auth }
    }

    pub async fn answer(&self, request: Request<Incoming>, entrance: &Entrance) -> Response<Reply> {
        if let Some(status) = not_grpc(&request) {
            let mut answer = Response::new(Reply::default());
            *answer.status_mut() = status;
            return answer;
        }
        let (head, body) = request.into_parts();
        let signal = signal_of(head.uri.path());
        let work = async {
            let take = self.take(&head, body, signal, entrance);
            match deadline::granted(&head.headers)? {
                None => take.await,
                Some(time) => tokio::time::timeout(time, take).await.map_err(|_| Refusal::Deadline)?,
            }
        };
        match entrance.count(signal, work).await {
            Ok(taken) => success(&taken),
            Err(refusal) => failure(&refusal),
        }
    }

    async fn take(
        &self,
        head: &Parts,
        body: Incoming,
        signal: Option<Signal>,
        entrance: &Entrance,
    ) -> Result<Taken, Refusal> {
        self.auth.check(&head.headers)?;
        let signal = signal.ok_or(Refusal::UnknownMethod)?;
        entrance.open_for(signal)?;
        let encoding = encoding(&head.headers)?;
        let too_large = || Refusal::TooLarge { limit: self.limits.max_size, key: SIZE_KEY };
        let limits = BodyLimits { max_size: self.limits.max_size.saturating_add(PREFIX), ..self.limits };
        let read = read_framed_body(body, &limits, framed_length, |room| entrance.admit(room)).await;
        let (bytes, _room) = read.map_err(|error| self.of_body(error))?.into_parts();
        let (compressed, message) = unframe(bytes)?;
        if message.len() > self.limits.max_size {
            return Err(too_large());
        }
        if !compressed {
            return entrance.hand_over(signal, message).await;
        }
        let encoding = encoding.ok_or(Refusal::Frame("it is marked as compressed and there is no grpc-encoding"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        let read = read_body(&headers, Full::new(message), &self.limits, |room| entrance.admit(room)).await;
        let (message, _unpacked_room) = read.map_err(|error| self.of_body(error))?.into_parts();
        entrance.hand_over(signal, message).await
    }

    fn of_body(&self, error: lanner_engine::net::BodyError) -> Refusal {
        match Refusal::of_body(error, SIZE_KEY) {
            Refusal::TooLarge { key, .. } => Refusal::TooLarge { limit: self.limits.max_size, key },
            refusal => refusal,
        }
    }
}

/// The HTTP status for a request that is no gRPC.
fn not_grpc(request: &Request<Incoming>) -> Option<StatusCode> {
    let content_type = request.headers().get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    let behind = content_type.strip_prefix(b"application/grpc");
    match behind {
        Some([] | [b';', ..]) => {}
        Some([b'+', format @ ..]) if format.starts_with(b"proto") => {}
        _ => return Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
    }
    if request.method() != Method::POST {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    (request.version() != ::http::Version::HTTP_2).then_some(StatusCode::HTTP_VERSION_NOT_SUPPORTED)
}

fn signal_of(path: &str) -> Option<Signal> {
    match path {
        grpc_path::LOGS => Some(Signal::Logs),
        grpc_path::METRICS => Some(Signal::Metrics),
        grpc_path::TRACES => Some(Signal::Traces),
        _ => None,
    }
}

/// How the message may be compressed, in the words of HTTP; `None` when it is not.
fn encoding(headers: &HeaderMap) -> Result<Option<&'static str>, Refusal> {
    let Some(name) = headers.get("grpc-encoding") else { return Ok(None) };
    if name == "identity" {
        return Ok(None);
    }
    let known = ENCODINGS.into_iter().find(|(known, _)| name == known);
    known.map(|(_, in_http)| Some(in_http)).ok_or(Refusal::UnknownEncoding)
}

/// How long a message is with its prefix, if that has come whole.
fn framed_length(start: &[u8]) -> Option<usize> {
    let [_, length @ ..] = start.first_chunk::<PREFIX>()?;
    (u32::from_be_bytes(*length) as usize).checked_add(PREFIX)
}

/// Takes the only message out of its frame.
fn unframe(mut bytes: Bytes) -> Result<(bool, Bytes), Refusal> {
    let Some([flag, length @ ..]) = bytes.first_chunk::<PREFIX>() else {
        return Err(Refusal::Frame("its prefix was cut off"));
    };
    let (flag, length) = (*flag, u32::from_be_bytes(*length) as usize);
    bytes.advance(PREFIX);
    match flag {
        _ if bytes.len() < length => Err(Refusal::Frame("the message was cut off")),
        _ if bytes.len() > length => Err(Refusal::Frame("there is more behind the message")),
        0 | 1 => Ok((flag == 1, bytes)),
        _ => Err(Refusal::Frame("unknown flag")),
    }
}

fn head(reply: Reply) -> Response<Reply> {
    let mut answer = Response::new(reply);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static(ACCEPTED));
    answer
}

fn success(taken: &Taken) -> Response<Reply> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = match taken.to_protobuf() {
        empty if empty.is_empty() => Bytes::from_static(EMPTY_MESSAGE),
        // Some text: far below 4 GiB.
        message => [&[0], &(message.len() as u32).to_be_bytes()[..], &message].concat().into(),
    };
    head(Reply { message: Some(message), trailers: Some(trailers) })
}

fn failure(refusal: &Refusal) -> Response<Reply> {
    let mut answer = head(Reply::default());
    let headers = answer.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(refusal.code() as u16));
    let status = RpcStatus::of(refusal);
    // Both are ASCII, so they are header values.
    if let Ok(message) = HeaderValue::try_from(percent_encode(&status.message)) {
        headers.insert("grpc-message", message);
    }
    if let Ok(details) = HeaderValue::try_from(STANDARD_NO_PAD.encode(status.encode_to_vec())) {
        headers.insert("grpc-status-details-bin", details);
    }
    answer
}

fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            // Writing into a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let message = self.message.take().map(Frame::data);
        Poll::Ready(message.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}
