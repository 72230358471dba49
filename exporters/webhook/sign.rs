//! `sign`: lets a receiver check that a body is ours, unchanged and fresh.
//!
//! The signature is HMAC over the bytes of the body as they are sent (compressed, if they are); with a timestamp header, over
//! `<timestamp>.<body>`, so that an old request cannot be sent again later.

use http::{HeaderMap, HeaderName, HeaderValue};
use lanner_engine::{config::Secret, prelude::*};
use ring::hmac;

/// How requests are signed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SignConfig {
    /// The shared key; required.
    pub secret: Secret,
    pub algorithm: Algorithm,
    /// Header with the signature, written `sha256=<hexadecimal digits>`.
    pub header: String,
    /// Header with the time of sending in seconds since 1970, which is then signed too; empty sends and signs none.
    pub timestamp_header: String,
}

impl Default for SignConfig {
    fn default() -> Self {
        Self {
            secret: Secret::default(),
            algorithm: Algorithm::default(),
            header: "x-lanner-signature".into(),
            timestamp_header: "x-lanner-timestamp".into(),
        }
    }
}

/// The hash inside the HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    #[default]
    Sha256,
    Sha512,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// Signs bodies.
pub struct Signer {
    key: hmac::Key,
    algorithm: Algorithm,
    header: HeaderName,
    timestamp: Option<HeaderName>,
}

/// A key that protects nothing.
#[derive(Debug, thiserror::Error)]
#[error("`secret` is missing or shorter than 16 bytes; make one with `openssl rand -hex 32`")]
struct WeakSecret;

/// A name HTTP does not allow.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no header name; use letters, digits and `-`")]
struct InvalidHeader(String);

impl SignConfig {
    /// Reports every problem.
    pub fn check(&self, path: &str, cx: &mut PlanCx<'_>) -> Option<Signer> {
        let mut name = |key: &str, text: &str| {
            let name = text.parse::<HeaderName>().ok();
            if name.is_none() {
                cx.error(&format!("{path}.{key}"), InvalidHeader(text.to_owned()));
            }
            name
        };
        let header = name("header", &self.header);
        let timestamp = match self.timestamp_header.as_str() {
            "" => Some(None),
            text => name("timestamp_header", text).map(Some),
        };
        if self.secret.expose().len() < 16 {
            cx.error(&format!("{path}.secret"), WeakSecret);
            return None;
        }
        let algorithm = match self.algorithm {
            Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, self.secret.expose().as_bytes());
        Some(Signer { key, algorithm: self.algorithm, header: header?, timestamp: timestamp? })
    }
}

impl Signer {
    /// Adds the headers for `body`, sent at `now` (seconds since 1970).
    pub fn sign(&self, body: &[u8], now: i64, headers: &mut HeaderMap) {
        let mut context = hmac::Context::with_key(&self.key);
        if let Some(name) = &self.timestamp {
            let now = now.to_string();
            context.update(now.as_bytes());
            context.update(b".");
            // Digits.
            if let Ok(now) = HeaderValue::try_from(now) {
                headers.insert(name, now);
            }
        }
        context.update(body);
        let signature = format!("{}={}", self.algorithm.name(), hex(context.sign().as_ref()));
        // Hexadecimal digits.
        if let Ok(signature) = HeaderValue::try_from(signature) {
            headers.insert(&self.header, signature);
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
