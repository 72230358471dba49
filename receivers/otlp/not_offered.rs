//! Keys of the Collector that have no counterpart here, and what to do about each. Whoever brings a Collector's
//! configuration reads this instead of "unknown key".

type Keys<const N: usize> = [(&'static str, &'static str); N];

const MIDDLEWARES: (&str, &str) = ("middlewares", "there are no extensions that change requests; remove the key");

pub const GRPC: Keys<3> = [
    ("read_buffer_size", "buffers grow with the flow control of HTTP/2; remove the key"),
    ("write_buffer_size", "answers have a few bytes and need no buffer; remove the key"),
    MIDDLEWARES,
];

pub const KEEPALIVE: Keys<1> = [(
    "enforcement_policy",
    "clients may ping as often as they like, floods are cut off by HTTP/2 itself; remove the key",
)];

pub const HTTP: Keys<6> = [
    (
        "read_timeout",
        "a body has 10 s and a second more for every 16 KiB, so slow senders are cut off and large bodies are not; \
         remove the key",
    ),
    ("write_timeout", "answers have a few bytes; remove the key, and see `idle_timeout` for silent connections"),
    ("keep_alives_enabled", "connections are kept for `idle_timeout`; remove the key"),
    (
        "compression_algorithms",
        "gzip, zstd, deflate, zlib, snappy and x-snappy-framed are always taken, within `max_request_body_size`; \
         remove the key",
    ),
    ("response_headers", "answers carry what OTLP and CORS ask for; let a proxy in front add headers"),
    MIDDLEWARES,
];

pub const AUTH: Keys<2> = [
    (
        "authenticator",
        "credentials stand here and not in an extension; write `bearer_token`, or `basic` with `username` and `password`",
    ),
    ("request_params", "credentials are read from the `authorization` header only; remove the key"),
];

#[derive(Debug, thiserror::Error)]
#[error(
    "`transport: unix` is not offered, requests come over TCP; write an `endpoint` on localhost and remove the key"
)]
pub struct UnixTransport;

#[derive(Debug, thiserror::Error)]
#[error("`include_metadata` is not offered, because no component looks at the headers of requests; remove the key")]
pub struct Metadata;
