//! Where Falco serves gRPC.

use std::{fmt, path::PathBuf, str::FromStr};

/// A parsed `endpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Unix(PathBuf),
    /// Host (an IPv6 address in brackets) and port.
    Tcp {
        host: String,
        port: u16,
    },
}

/// A text that is no address of Falco.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of Falco's gRPC server; write `unix:///run/falco/falco.sock` or `host:5060`")]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    /// `unix:///path`, `unix:/path` or `host:port`, as in Falco's `grpc.bind_address`.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")) {
            return if path.starts_with('/') && path.len() > 1 { Ok(Self::Unix(path.into())) } else { Err(invalid()) };
        }
        let authority: http::uri::Authority = text.parse().map_err(|_| invalid())?;
        match authority.port_u16() {
            Some(port) if port != 0 && !authority.host().is_empty() && !text.contains('@') => {
                Ok(Self::Tcp { host: authority.host().to_owned(), port })
            }
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}
