//! `Limits`: what one listener grants its clients. The limits of a request body are [`crate::net::BodyLimits`].

use std::time::Duration;

/// Bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more are closed at once and counted. At least 1.
    pub max_connections: usize,
    /// From the first byte of a request to the end of its head. Eviction may come up to twice as late.
    pub header_timeout: Duration,
    /// Bytes of a request head; larger ones are answered 431.
    pub max_header_size: usize,
    /// How long a connection may stay without a request. Falco keeps one connection and may be silent for minutes.
    pub idle_timeout: Duration,
    /// Time limit of a TLS handshake.
    pub handshake_timeout: Duration,
    /// How long requests in flight may take after the drain began.
    pub drain: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// A ping goes out after this silence of an HTTP/2 connection, so that dead peers are noticed.
    pub ping_after: Duration,
    /// A ping that is not answered in this time ends the connection.
    pub ping_timeout: Duration,
    /// An HTTP/2 connection of this age, or up to a tenth more, takes no new requests, so that a client comes back through
    /// its load balancer. `None`: for ever.
    pub max_connection_age: Option<Duration>,
    /// How long requests may take after that. `None`: for ever.
    pub max_connection_age_grace: Option<Duration>,
    /// Accept HTTP/2 without TLS when the client starts with it (gRPC does).
    pub h2c: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            header_timeout: Duration::from_secs(10),
            max_header_size: 16 << 10,
            idle_timeout: Duration::from_secs(600),
            handshake_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
            max_concurrent_streams: 128,
            ping_after: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(20),
            max_connection_age: None,
            max_connection_age_grace: None,
            h2c: false,
        }
    }
}
