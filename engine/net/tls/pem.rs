//! Certificates and keys from PEM, for servers and clients.
//!
//! Promises: an error names the setting, the file and what is missing; key material never appears in one.

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Nothing in a TLS setup is larger; a wrong path to a device or a log must not fill memory.
const FILE_LIMIT: u64 = 4 << 20;

/// Why certificates or a key could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {}: {source}; check the path and that this user may read it", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{place} holds no certificate; it must have a `-----BEGIN CERTIFICATE-----` block")]
    NoCertificate { place: String },
    #[error("{place} holds no private key; it must have a `-----BEGIN PRIVATE KEY-----` block without a passphrase")]
    NoKey { place: String },
    #[error("{place} is damaged PEM: {reason}")]
    Damaged { place: String, reason: String },
    #[error("{place} is no certificate authority that can be used: {reason}")]
    Authority { place: String, reason: String },
    #[error("the certificate of {place} has expired; renew it")]
    Expired { place: String },
    #[error("certificate and key do not work together: {0}; check that they belong to each other")]
    Mismatch(#[from] rustls::Error),
}

/// PEM text and where it came from, for messages.
pub struct Pem<'a> {
    text: Cow<'a, [u8]>,
    place: String,
}

impl<'a> Pem<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is larger than 4 MiB.
    pub fn file(path: &Path) -> Result<Self, TlsError> {
        let read = || {
            let mut text = Vec::new();
            File::open(path)?.take(FILE_LIMIT + 1).read_to_end(&mut text)?;
            if text.len() as u64 > FILE_LIMIT {
                return Err(io::Error::other("larger than 4 MiB"));
            }
            Ok(text)
        };
        let text = read().map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
        Ok(Self { text: text.into(), place: path.display().to_string() })
    }

    /// PEM from the setting named `key`.
    pub fn inline(text: &'a str, key: &str) -> Self {
        Self { text: text.as_bytes().into(), place: format!("`{key}`") }
    }

    /// The text, with its private parts.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.text
    }

    /// Where it came from.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// All certificates, at least one.
    ///
    /// # Errors
    /// None, or damaged.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.text).collect();
        match found {
            Ok(found) if found.is_empty() => Err(TlsError::NoCertificate { place: self.place.clone() }),
            Ok(found) => Ok(found),
            Err(error) => Err(TlsError::Damaged { place: self.place.clone(), reason: error.to_string() }),
        }
    }

    /// The first private key.
    ///
    /// # Errors
    /// None, encrypted, or damaged.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        use rustls_pki_types::pem::Error;
        PrivateKeyDer::from_pem_slice(&self.text).map_err(|error| match error {
            Error::NoItemsFound => TlsError::NoKey { place: self.place.clone() },
            // The text of other errors names the kind of damage, never the content.
            error => TlsError::Damaged { place: self.place.clone(), reason: error.to_string() },
        })
    }

    /// The certificates as authorities to trust.
    ///
    /// # Errors
    /// None, or damaged, or not usable as an authority.
    pub fn authorities(&self) -> Result<rustls::RootCertStore, TlsError> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in self.certificates()? {
            roots
                .add(certificate)
                .map_err(|error| TlsError::Authority { place: self.place.clone(), reason: error.to_string() })?;
        }
        Ok(roots)
    }
}
