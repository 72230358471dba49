//! `ServerTlsConfig`: the `tls` keys of a listener, with the Collector's names.

use super::{Pem, TlsError, TlsVersion};
use crate::config::{PlanCx, Secret};
use rustls::{server::WebPkiClientVerifier, sign::CertifiedKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};

/// Keys of the Collector.
const NOT_OFFERED: [(&str, &str); 10] = [
    ("ca_file", "a listener trusts nobody by it; write `client_ca_file` for the authorities of client certificates"),
    ("ca_pem", "a listener trusts nobody by it; write `client_ca_file` for the authorities of client certificates"),
    ("include_system_ca_certs_pool", "clients are checked against `client_ca_file` alone; remove the key"),
    ("max_version", "clients may always speak the newest version; remove the key"),
    ("cipher_suites", "only suites without known weakness are spoken; remove the key"),
    ("include_insecure_cipher_suites", "insecure suites are not spoken; remove the key"),
    ("curve_preferences", "only groups without known weakness are spoken; remove the key"),
    ("reload_interval", "certificates are read at start; remove the key and restart when they change"),
    ("client_ca_file_reload", "authorities are read at start; remove the key and restart when they change"),
    ("tpm", "keys are read from files or PEM text; write `key_file` or `key_pem`"),
];

/// TLS of a listener. A certificate and a key are needed, each as a file or inline.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
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
    }

    /// Reads the files and makes the rustls configuration, with `alpn` in order of preference
    /// (`[b"h2", b"http/1.1"]`).
    ///
    /// # Errors
    /// [`TlsError`] with the file and the remedy.
    pub fn load(&self, alpn: &[&[u8]]) -> Result<Arc<rustls::ServerConfig>, TlsError> {
        let certificates = match (&self.cert_file, &self.cert_pem) {
            (Some(path), _) => Pem::file(path)?,
            (None, text) => Pem::inline(text.as_deref().unwrap_or_default(), "cert_pem"),
        };
        let key = match (&self.key_file, &self.key_pem) {
            (Some(path), _) => Pem::file(path)?,
            (None, text) => Pem::inline(text.as_ref().map_or("", Secret::expose), "key_pem"),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = CertifiedKey::from_der(certificates.certificates()?, key.private_key()?, &provider)?;
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&TlsVersion::range(self.min_version, TlsVersion::V1_3))?;
        let builder = match &self.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(Pem::file(path)?.authorities()?);
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots, provider).build().map_err(|error| {
                        TlsError::Authority { place: path.display().to_string(), reason: error.to_string() }
                    })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let resolver = rustls::sign::SingleCertAndKey::from(certified);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}
