//! OTLP/HTTP: POST of protobuf or JSON to one path per signal.
//!
//! Promises: an answer is in the encoding of its request, errors as a `google.rpc.Status`; JSON becomes the protobuf
//! request that it describes ([`super::json`]), so that everything behind sees one form only.

use super::{
    auth::Auth, cors::Cors, entrance::Entrance, json, json::JsonError, refusal::Refusal, rpc_status::RpcStatus,
    taken::Taken,
};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, header, request::Parts};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use lanner_engine::{
    net::{BodyLimits, read_body},
    prelude::*,
};
use prost::Message;

const SIZE_KEY: &str = "max_request_body_size";
/// Larger JSON is read beside the connection tasks, which share few threads.
const INLINE: usize = 256 << 10;

type Answer = Response<Full<Bytes>>;

/// What answers HTTP requests.
pub struct HttpDoor {
    pub limits: BodyLimits,
    pub auth: Auth,
    pub cors: Cors,
    /// In the order of `Signal::ALL`.
    pub paths: [String; 3],
}

/// How a request is written, and so its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE)?.as_bytes();
        // Parameters do not matter.
        let name = content_type.split(|byte| *byte == b';').next()?.trim_ascii();
        match () {
            () if name.eq_ignore_ascii_case(b"application/x-protobuf") => Some(Self::Protobuf),
            () if name.eq_ignore_ascii_case(b"application/json") => Some(Self::Json),
            () => None,
        }
    }

    const fn content_type(self) -> HeaderValue {
        match self {
            Self::Protobuf => HeaderValue::from_static("application/x-protobuf"),
            Self::Json => HeaderValue::from_static("application/json"),
        }
    }
}

impl HttpDoor {
    pub async fn answer(&self, request: Request<Incoming>, entrance: &Entrance) -> Answer {
        if let Some(answer) = self.cors.preflight(&request) {
            return answer;
        }
        let origin = self.cors.allowed(request.headers());
        let (head, body) = request.into_parts();
        let encoding = Encoding::of(&head.headers);
        let at = self.paths.iter().position(|path| path == head.uri.path());
        let signal = at.and_then(|at| Signal::ALL.get(at)).copied();
        let mut answer = match entrance.count(signal, self.take(&head, body, signal, encoding, entrance)).await {
            Ok(taken) => success(&taken, encoding),
            Err(refusal) => self.failure(&refusal, encoding),
        };
        self.cors.mark(origin, &mut answer);
        answer
    }

    async fn take(
        &self,
        head: &Parts,
        body: Incoming,
        signal: Option<Signal>,
        encoding: Option<Encoding>,
        entrance: &Entrance,
    ) -> Result<Taken, Refusal> {
        self.auth.check(&head.headers)?;
        let signal = signal.ok_or(Refusal::UnknownPath)?;
        if head.method != Method::POST {
            return Err(Refusal::NotPost);
        }
        let encoding = encoding.ok_or(Refusal::UnknownType)?;
        entrance.open_for(signal)?;
        let read = read_body(&head.headers, body, &self.limits, |room| entrance.admit(room)).await;
        let (bytes, _room) = read.map_err(|error| Refusal::of_body(error, SIZE_KEY))?.into_parts();
        if encoding == Encoding::Protobuf {
            return entrance.hand_over(signal, bytes).await;
        }
        let _protobuf_room = entrance.admit(bytes.len())?;
        let protobuf = self.to_protobuf(signal, bytes.clone()).await?;
        // Text is nearly always the longer form.
        let _more_room = entrance.admit(protobuf.len().saturating_sub(bytes.len()))?;
        entrance.hand_over(signal, protobuf.into()).await
    }

    async fn to_protobuf(&self, signal: Signal, text: Bytes) -> Result<Vec<u8>, Refusal> {
        let limit = self.limits.max_size;
        let read = if text.len() > INLINE {
            let copy = text.clone();
            tokio::task::spawn_blocking(move || json::to_protobuf(signal, &copy, limit)).await.ok()
        } else {
            None
        };
        read.unwrap_or_else(|| json::to_protobuf(signal, &text, limit)).map_err(|error| match error {
            JsonError::TooLarge { limit } => Refusal::TooLarge { limit, key: SIZE_KEY },
            error => Refusal::Json(error),
        })
    }

    fn failure(&self, refusal: &Refusal, encoding: Option<Encoding>) -> Answer {
        let status = RpcStatus::of(refusal);
        let (content_type, body) = match encoding {
            Some(Encoding::Protobuf) => (Encoding::Protobuf.content_type(), status.encode_to_vec()),
            Some(Encoding::Json) => {
                let body = serde_json::json!({"code": status.code, "message": status.message});
                (Encoding::Json.content_type(), body.to_string().into_bytes())
            }
            None => (HeaderValue::from_static("text/plain; charset=utf-8"), format!("{refusal}\n").into_bytes()),
        };
        let mut answer = Response::new(Full::new(Bytes::from(body)));
        *answer.status_mut() = refusal.status();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        if let Some(after) = refusal.retry_after() {
            let seconds = after.as_millis().div_ceil(1000).clamp(1, 3600);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds as u64));
        }
        match (refusal, self.auth.scheme()) {
            (Refusal::NotPost, _) => drop(headers.insert(header::ALLOW, HeaderValue::from_static("POST"))),
            (Refusal::Unauthenticated, Some(scheme)) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
            _ => {}
        }
        answer
    }
}

/// The response message, which is empty when everything was taken.
fn success(taken: &Taken, encoding: Option<Encoding>) -> Answer {
    let encoding = encoding.unwrap_or(Encoding::Protobuf);
    let body = if encoding == Encoding::Json { taken.to_json() } else { taken.to_protobuf() };
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, encoding.content_type());
    answer
}
