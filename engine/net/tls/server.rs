//! `ServerTlsConfig`: the `tls` keys of a listener, with the Collector's names.

use super::{ServerTls, TlsError, TlsVersion};
use crate::config::{Duration, PlanCx, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Soon enough for certificates that are renewed days before they expire; three small files once a minute cost nothing.
const RELOAD: Duration = Duration::from_secs(60);

/// Keys of the Collector.
const NOT_OFFERED: [(&str, &str); 9] = [
    ("ca_file", "a listener trusts nobody by it; write `client_ca_file` for the authorities of client certificates"),
    ("ca_pem", "a listener trusts nobody by it; write `client_ca_file` for the authorities of client certificates"),
    ("include_system_ca_certs_pool", "clients are checked against `client_ca_file` alone; remove the key"),
    ("max_version", "clients may always speak the newest version; remove the key"),
    ("cipher_suites", "only suites without known weakness are spoken; remove the key"),
    ("include_insecure_cipher_suites", "insecure suites are not spoken; remove the key"),
    ("curve_preferences", "only groups without known weakness are spoken; remove the key"),
    ("client_ca_file_reload", "authorities are looked at every `reload_interval`; remove the key"),
    ("tpm", "keys are read from files or PEM text; write `key_file` or `key_pem`"),
];

/// TLS of a listener. A certificate and a key are needed, each as a file or inline.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct ServerTlsConfig {
    /// PEM file with the certificate, followed by its intermediates.
    pub cert_file: Option<PathBuf>,
    /// The certificate as PEM text.
    pub cert_pem: Option<String>,
    /// PEM file with the private key, without a passphrase.
    pub key_file: Option<PathBuf>,
    /// The private key as PEM text.
    pub key_pem: Option<Secret>,
    /// PEM file with the authorities of client certificates. When set, clients must show one (mTLS).
    pub client_ca_file: Option<PathBuf>,
    /// Oldest version to accept: `"1.2"` or `"1.3"`.
    pub min_version: TlsVersion,
    /// How often the files are looked at for a change; `0s` reads them at start only.
    pub reload_interval: Duration,
}

impl Default for ServerTlsConfig {
    fn default() -> Self {
        Self {
            cert_file: None,
            cert_pem: None,
            key_file: None,
            key_pem: None,
            client_ca_file: None,
            min_version: TlsVersion::default(),
            reload_interval: RELOAD,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no {what}; set `{what}_file` to a PEM file or `{what}_pem` to PEM text")]
struct Missing {
    what: &'static str,
}

#[derive(Debug, thiserror::Error)]
#[error("`{what}_file` and `{what}_pem` are both set; keep one")]
struct Both {
    what: &'static str,
}

#[derive(Debug, thiserror::Error)]
#[error("`reload_interval` is {0}; write at least `1s`, or `0s` to read the files at start only")]
struct TooOften(Duration);

impl ServerTlsConfig {
    /// Reports keys that are missing or exclude each other, at `path` (usually `tls`). Reads no file.
    pub fn check(&self, path: &str, cx: &mut PlanCx<'_>) {
        let pairs = [
            ("cert", self.cert_file.is_some(), self.cert_pem.is_some()),
            ("key", self.key_file.is_some(), self.key_pem.is_some()),
        ];
        for (what, file, pem) in pairs {
            match (file, pem) {
                (false, false) => cx.error(path, Missing { what }),
                (true, true) => cx.error(&format!("{path}.{what}_pem"), Both { what }),
                _ => {}
            }
        }
        let interval = self.reload_interval;
        if interval != Duration::default() && interval < Duration::from_secs(1) {
            cx.error(&format!("{path}.reload_interval"), TooOften(interval));
        }
    }

    /// Reads the files and makes what a listener needs, with `alpn` in order of preference
    /// (`[b"h2", b"http/1.1"]`). The listener looks at the files again by itself.
    ///
    /// # Errors
    /// [`TlsError`] with the file and the remedy.
    pub fn load(&self, alpn: &[&[u8]]) -> Result<ServerTls, TlsError> {
        ServerTls::load(self.clone(), alpn.iter().map(|name| name.to_vec()).collect())
    }
}
