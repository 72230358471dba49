//! The network: servers, TLS, and what clients of every protocol share.
//!
//! - [`HttpServer`] owns the accept loop: limits, TLS, drain. A service is a plain async function.
//! - [`read_body`] is the one way to a request body: bounded in bytes and time, admitted before it is read.
//! - [`BodyStream`] is the same for bodies that are not held.
//! - [`tls`] turns the Collector's `tls` keys into rustls configurations.
//! - [`client`] is what exporters share: headers, compression, bounded texts of peers.
//! - [`kafka`] is what the exporter and the receiver of that name share.

mod body;
pub mod client;
mod decompress;
mod http_server;
pub mod kafka;
mod listeners;
mod snappy;
mod stream;
pub mod tls;

pub use body::{BodyError, BodyLimits, ReadBody, first_room, read_body, read_framed_body};
pub use http_server::{BindError, HttpServer, Limits, ServerCounters};
pub use listeners::{Listeners, Sockets};
pub use stream::BodyStream;
