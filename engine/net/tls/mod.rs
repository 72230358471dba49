//! TLS from the Collector's keys: [`ServerTlsConfig`] for listeners, [`ClientTlsConfig`] for exporters.
//!
//! rustls with the ring provider, given explicitly everywhere: no process-wide default is installed or relied on.

mod client;
#[cfg(test)]
mod client_tests;
pub mod pem;
mod server;
mod verify;
mod version;

pub use client::{ClientTls, ClientTlsConfig};
pub use pem::{Pem, TlsError};
pub use server::ServerTlsConfig;
pub use version::TlsVersion;
