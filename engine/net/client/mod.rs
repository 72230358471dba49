//! What clients of every protocol share: configured headers, compression, text from a peer.

mod compression;
mod headers;
mod peer_text;
#[cfg(test)]
mod tests;

pub use compression::{CompressError, Compression, Compressor};
pub use headers::HeadersConfig;
pub use peer_text::{PEER_TEXT_LIMIT, peer_text, push_escaped};

/// How Lanner names itself to a server: `Lanner/0.1.0 (linux/x86_64)`, the Collector's form.
pub fn user_agent() -> String {
    format!("Lanner/{} ({}/{})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}
