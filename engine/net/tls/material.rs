//! `Material`: certificate, key and client authorities of a listener, read once, so that what is compared with the last
//! look is what is used.

use super::{Pem, ServerTlsConfig, TlsError, TlsVersion};
use crate::config::Secret;
use rustls::{server::WebPkiClientVerifier, sign::CertifiedKey};
use std::{sync::Arc, time::SystemTime};
use x509_parser::parse_x509_certificate;

pub(super) struct Material<'c> {
    certificate: Pem<'c>,
    key: Pem<'c>,
    client_ca: Option<Pem<'c>>,
}

/// A configuration of rustls, and when its certificate ends.
#[derive(Clone, Debug)]
pub(super) struct Usable {
    pub config: Arc<rustls::ServerConfig>,
    /// Seconds since 1970 after which clients refuse the certificate; `None` when it does not tell.
    pub expires: Option<i64>,
    /// Where the certificate came from.
    pub place: String,
}

impl Usable {
    pub fn has_expired(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.expires.is_some_and(|expires| expires < i64::try_from(now).unwrap_or(i64::MAX))
    }
}

impl<'c> Material<'c> {
    /// Reads what the config names. Blocks on files.
    ///
    /// # Errors
    /// [`TlsError::Read`].
    pub fn read(config: &'c ServerTlsConfig) -> Result<Self, TlsError> {
        let certificate = match (&config.cert_file, &config.cert_pem) {
            (Some(path), _) => Pem::file(path)?,
            (None, text) => Pem::inline(text.as_deref().unwrap_or_default(), "cert_pem"),
        };
        let key = match (&config.key_file, &config.key_pem) {
            (Some(path), _) => Pem::file(path)?,
            (None, text) => Pem::inline(text.as_ref().map_or("", Secret::expose), "key_pem"),
        };
        let client_ca = config.client_ca_file.as_deref().map(Pem::file).transpose()?;
        Ok(Self { certificate, key, client_ca })
    }

    /// Equal for equal contents.
    pub fn fingerprint(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            hasher.update(&(part.bytes().len() as u64).to_be_bytes());
            hasher.update(part.bytes());
        }
        hasher.finalize()
    }

    /// Makes a configuration with tickets and sessions of its own: a session that was begun under other authorities cannot
    /// be resumed.
    ///
    /// # Errors
    /// Something is damaged, missing, or does not belong together.
    pub fn build(&self, min_version: TlsVersion, alpn: &[Vec<u8>]) -> Result<Usable, TlsError> {
        let chain = self.certificate.certificates()?;
        let expires = chain.first().and_then(|leaf| {
            let (_, leaf) = parse_x509_certificate(leaf).ok()?;
            Some(leaf.validity().not_after.timestamp())
        });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certified = CertifiedKey::from_der(chain, self.key.private_key()?, &provider)?;
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&TlsVersion::range(min_version, TlsVersion::V1_3))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let roots = Arc::new(ca.authorities()?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|error| TlsError::Authority { place: ca.place().to_owned(), reason: error.to_string() })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let resolver = rustls::sign::SingleCertAndKey::from(certified);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = alpn.to_vec();
        Ok(Usable { config: Arc::new(config), expires, place: self.certificate.place().to_owned() })
    }
}
