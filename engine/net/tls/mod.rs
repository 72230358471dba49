//! TLS from the Collector's keys: [`ServerTlsConfig`] for listeners, PEM reading for both sides.
//!
//! rustls with the ring provider, given explicitly everywhere: no process-wide default is installed or relied on.

pub mod pem;
mod server;

pub use pem::{Pem, TlsError};
pub use server::ServerTlsConfig;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A TLS version, as the Collector writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

impl TlsVersion {
    /// This version and those above it.
    pub fn and_newer(self) -> &'static [&'static rustls::SupportedProtocolVersion] {
        /// Newest first.
        static VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Self::V1_2 => &VERSIONS,
            Self::V1_3 => &VERSIONS[..1],
        }
    }
}
