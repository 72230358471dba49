//! The network: TLS, and what servers and clients of every protocol share.

pub mod client;
pub mod tls;
