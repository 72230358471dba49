//! `Access`: who may send, by bearer token.
//!
//! Promises: tokens are kept and compared as BLAKE3 digests in constant time, and all of them are compared, so that the time
//! of an answer tells nothing about any of them.

use super::config::TokenConfig;
use http::{HeaderMap, header::AUTHORIZATION};

/// The tokens of a receiver. Without any, everybody may send.
pub(super) struct Access(Vec<Grant>);

struct Grant {
    digest: blake3::Hash,
    cluster: Option<String>,
}

/// Whether a request is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted,
    /// No token, or none that is known.
    Unknown,
    /// The token is for another cluster.
    Elsewhere,
}

impl Access {
    pub fn new(tokens: &[TokenConfig]) -> Self {
        let grant = |token: &TokenConfig| Grant {
            digest: blake3::hash(token.token.expose().as_bytes()),
            cluster: token.cluster.clone(),
        };
        Self(tokens.iter().map(grant).collect())
    }

    pub fn check(&self, headers: &HeaderMap, cluster: Option<&str>) -> Verdict {
        if self.0.is_empty() {
            return Verdict::Granted;
        }
        let token = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        let digest = blake3::hash(token.unwrap_or_default());
        let mut verdict = Verdict::Unknown;
        for grant in &self.0 {
            // `Hash` compares in constant time.
            if grant.digest == digest && token.is_some() && verdict != Verdict::Granted {
                let fits = grant.cluster.is_none() || grant.cluster.as_deref() == cluster;
                verdict = if fits { Verdict::Granted } else { Verdict::Elsewhere };
            }
        }
        verdict
    }
}

/// The token of an `Authorization` header.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}
