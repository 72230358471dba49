//! TLS from the Collector's keys: [`ServerTlsConfig`] for listeners, [`ClientTlsConfig`] for exporters.
//!
//! rustls with the ring provider, given explicitly everywhere: no process-wide default is installed or relied on.

mod client;
#[cfg(test)]
mod client_tests;
mod material;
pub mod pem;
mod reload;
mod server;
mod verify;
mod version;

pub use client::{ClientTls, ClientTlsConfig};
pub use pem::{Pem, TlsError};
pub(crate) use reload::Reload;
pub use reload::ServerTls;
pub use server::ServerTlsConfig;
pub use version::TlsVersion;
