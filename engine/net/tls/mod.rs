//! TLS with the Collector's keys, on rustls with the ring provider.

mod client;
#[cfg(test)]
mod client_tests;
mod verify;
mod version;

pub use client::{ClientTls, ClientTlsConfig, TlsError};
pub use version::TlsVersion;
