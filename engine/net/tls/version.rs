//! The TLS versions that are spoken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A TLS version. 1.0 and 1.1 are broken and not spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

impl TlsVersion {
    /// What rustls is configured with for the versions from `min` to `max`.
    pub(crate) fn range(min: Self, max: Self) -> Vec<&'static rustls::SupportedProtocolVersion> {
        [(Self::V1_2, &rustls::version::TLS12), (Self::V1_3, &rustls::version::TLS13)]
            .into_iter()
            .filter(|(version, _)| (min..=max).contains(version))
            .map(|(_, supported)| supported)
            .collect()
    }
}
