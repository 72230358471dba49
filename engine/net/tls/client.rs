//! TLS of a client: the Collector's `tls` keys, checked without I/O, then loaded.
//!
//! Promises: TLS is on unless `insecure`; a server certificate is checked unless `insecure_skip_verify`; keys are
//! read once, at build, and never shown. Without a CA the public web's roots (webpki-roots) decide, so that a
//! container image without a certificate store works.

use super::{
    Pem, TlsError, TlsVersion,
    verify::{Renamed, Unverified},
};
use crate::config::{PlanCx, Secret};
use rustls::{
    ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
};
use rustls_pki_types::ServerName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};

/// Keys of the Collector.
const NOT_OFFERED: [(&str, &str); 5] = [
    ("cipher_suites", "only suites without known weakness are spoken; remove the key"),
    ("include_insecure_cipher_suites", "insecure suites are not spoken; remove the key"),
    ("curve_preferences", "only groups without known weakness are spoken; remove the key"),
    ("reload_interval", "certificates are read at start; remove the key and restart when they change"),
    ("tpm", "keys are read from files or PEM text; write `key_file` or `key_pem`"),
];

/// The `tls` block of a client.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct ClientTlsConfig {
    /// Plaintext, unless a CA is given.
    pub insecure: bool,
    /// Accept any server certificate.
    pub insecure_skip_verify: bool,
    /// Name the server's certificate must carry, when it is not the host of the endpoint.
    pub server_name_override: Option<String>,
    /// File with the CA certificates (PEM) to trust; the public web's unless given.
    pub ca_file: Option<PathBuf>,
    /// The CA certificates themselves.
    pub ca_pem: Option<String>,
    /// File with the client's certificate chain (PEM), for mutual TLS.
    pub cert_file: Option<PathBuf>,
    /// The certificate chain itself.
    pub cert_pem: Option<String>,
    /// File with the client's private key (PEM).
    pub key_file: Option<PathBuf>,
    /// The private key itself.
    pub key_pem: Option<Secret>,
    /// Trust the certificates of the operating system too.
    pub include_system_ca_certs_pool: bool,
    /// Lowest TLS version to speak.
    pub min_version: TlsVersion,
    /// Highest TLS version to speak; the newest by default.
    pub max_version: Option<TlsVersion>,
}

/// A checked `tls` block.
#[derive(Clone, Debug)]
pub struct ClientTls {
    plaintext: bool,
    skip_verify: bool,
    server_name: Option<ServerName<'static>>,
    ca: Option<Source>,
    identity: Option<(Source, Source)>,
    system_roots: bool,
    min: TlsVersion,
    max: TlsVersion,
}

/// Where PEM text is.
#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    /// The text, and the key it was written under.
    Inline(Secret, &'static str),
}

impl Source {
    fn read(&self) -> Result<Pem<'_>, TlsError> {
        match self {
            Self::File(path) => Pem::file(path),
            Self::Inline(text, key) => Ok(Pem::inline(text.expose(), key)),
        }
    }
}

/// Two keys that say the same thing.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` and `{pem}` are both set; keep one of them")]
pub struct TwoSources {
    file: &'static str,
    pem: &'static str,
}

/// Half of a client identity.
#[derive(Debug, thiserror::Error)]
#[error("a certificate and its key belong together; set both `cert_file` and `key_file` (or `cert_pem`, `key_pem`)")]
pub struct HalfIdentity;

/// No version is left to speak.
#[derive(Debug, thiserror::Error)]
#[error("`min_version` is above `max_version`; lower the one or raise the other")]
pub struct EmptyVersionRange;

/// A name no certificate can carry.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no server name; write a DNS name or an IP address, without port")]
pub struct InvalidServerName(String);

impl ClientTlsConfig {
    /// Checks the block at `path` (for example `tls`) and reports every problem.
    pub fn check(self, path: &str, cx: &mut PlanCx<'_>) -> Option<ClientTls> {
        let mut sound = true;
        let mut pick = |file: Option<PathBuf>, pem: Option<Secret>, names: (&'static str, &'static str)| {
            if file.is_some() && pem.is_some() {
                cx.error(&format!("{path}.{}", names.1), TwoSources { file: names.0, pem: names.1 });
                sound = false;
            }
            file.map(Source::File).or(pem.map(|text| Source::Inline(text, names.1)))
        };
        let ca = pick(self.ca_file, self.ca_pem.map(Secret::from), ("ca_file", "ca_pem"));
        let cert = pick(self.cert_file, self.cert_pem.map(Secret::from), ("cert_file", "cert_pem"));
        let key = pick(self.key_file, self.key_pem, ("key_file", "key_pem"));
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => {
                cx.error(path, HalfIdentity);
                sound = false;
                None
            }
        };
        let max = self.max_version.unwrap_or(TlsVersion::V1_3);
        if self.min_version > max {
            cx.error(&format!("{path}.min_version"), EmptyVersionRange);
            sound = false;
        }
        let server_name = self.server_name_override.and_then(|name| match ServerName::try_from(name.clone()) {
            Ok(valid) => Some(valid),
            Err(_) => {
                cx.error(&format!("{path}.server_name_override"), InvalidServerName(name));
                sound = false;
                None
            }
        });
        sound.then_some(ClientTls {
            plaintext: self.insecure && ca.is_none(),
            skip_verify: self.insecure_skip_verify,
            server_name,
            ca,
            identity,
            system_roots: self.include_system_ca_certs_pool,
            min: self.min_version,
            max,
        })
    }
}

impl ClientTls {
    /// TLS whatever `insecure` says, as an `https://` endpoint asks for.
    pub fn required(mut self) -> Self {
        self.plaintext = false;
        self
    }

    /// Whether nothing is encrypted.
    pub fn is_plaintext(&self) -> bool {
        self.plaintext
    }

    /// The name to ask the server for: the override, else `host` (brackets of an IPv6 address are taken off).
    ///
    /// # Errors
    /// `host` is no name a certificate can carry.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, InvalidServerName> {
        if let Some(name) = &self.server_name {
            return Ok(name.clone());
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        ServerName::try_from(bare.to_owned()).map_err(|_| InvalidServerName(host.to_owned()))
    }

    /// Reads files and makes rustls's configuration, without ALPN; `None` is plaintext. Blocks on file reads.
    ///
    /// # Errors
    /// A file cannot be read, or holds no usable certificate or key.
    pub fn load(&self) -> Result<Option<ClientConfig>, TlsError> {
        if self.plaintext {
            return Ok(None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if self.skip_verify {
            Arc::new(Unverified(Arc::clone(&provider)))
        } else {
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), Arc::clone(&provider))
                .build()
                .map_err(|error| TlsError::Authority { place: "the CA".into(), reason: error.to_string() })?;
            match &self.server_name {
                Some(name) => Arc::new(Renamed { inner, name: name.clone() }),
                None => inner,
            }
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&TlsVersion::range(self.min, self.max))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(Some(match &self.identity {
            Some((cert, key)) => {
                builder.with_client_auth_cert(cert.read()?.certificates()?, key.read()?.private_key()?)?
            }
            None => builder.with_no_client_auth(),
        }))
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = match &self.ca {
            Some(ca) => ca.read()?.authorities()?,
            None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        };
        if self.system_roots {
            // Some of a system's certificates may be unreadable or outdated; the others still count.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Ok(roots)
    }
}
