//! `Veil`: keeps the secrets of the configuration out of what is told about a server's answer.
//!
//! Promises: a server that echoes a secret (its URL, a header, a token) does not get it into a log or a metric, neither as it
//! is nor inside JSON, and no half of it where the text is cut.

use lanner_engine::{config::Secret, net::client::peer_text};
use reqwest::Url;

/// Shorter texts than this are no secrets but words.
const SHORTEST: usize = 6;

/// The secrets of one exporter.
#[derive(Clone, Default)]
pub struct Veil(Vec<String>);

impl Veil {
    /// Hides secrets of the configuration.
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut veil = Self::default();
        secrets.into_iter().for_each(|secret| veil.hide(secret.expose()));
        veil
    }

    /// Hides a text.
    pub fn hide(&mut self, secret: &str) {
        // `Bearer abc` is echoed with or without its first word.
        for part in std::iter::once(secret).chain(secret.split([' ', ':'])) {
            if part.len() < SHORTEST {
                continue;
            }
            self.0.push(part.to_owned());
            let quoted = serde_json::to_string(part).unwrap_or_default();
            self.0.push(quoted.trim_matches('"').replace('/', "\\/"));
        }
        // Longer ones first, so that a part does not leave the rest of the whole.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        self.0.dedup();
    }

    /// Hides what may be a token in a URL: its path, its query and their parts.
    pub fn hide_url(&mut self, url: &Url) {
        self.hide(url.as_str());
        // A server may repeat the path alone.
        let parts = std::iter::once(url.path()).chain(url.path_segments().into_iter().flatten()).map(str::to_owned);
        let values = url.query_pairs().map(|(_, value)| value.into_owned());
        for part in parts.chain(values).filter(|part| part.len() >= 2 * SHORTEST) {
            self.hide(&part);
        }
    }

    /// What a server wrote, on one line, bounded, without the secrets.
    pub fn peer_text(&self, bytes: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(bytes);
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), Secret::REDACTED).into();
            }
        }
        peer_text(text.as_bytes())
    }
}

impl std::fmt::Debug for Veil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Veil")
    }
}
