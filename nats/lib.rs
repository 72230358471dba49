//! NATS, as far as the `nats` exporter and the `nats` receiver need it: a connection that comes back, and the part of
//! JetStream's protocol that publishes, asks and fetches.
//!
//! [`config`] is what users write about the connection, [`link`] keeps it, [`rpc`] sends what is answered, [`jetstream`] says what
//! JetStream's answers mean.
//!
//! Why JetStream's protocol is spoken here and not by the client library: the library keeps what it waits for until an answer
//! comes, also when nobody waits any more, so a server that never answers would cost memory without end; and it gives the
//! refusals of a fetch as text only.

pub mod config;
pub mod jetstream;
pub mod link;
pub mod rpc;

pub use config::{AuthConfig, Connection, ConnectionKeys};
pub use jetstream::{Failure, Kind, Published};
pub use link::Link;
pub use rpc::{Message, Rpc};
