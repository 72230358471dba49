//! Where a gRPC endpoint is.

use std::path::PathBuf;

/// A parsed `endpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Host (an IPv6 address in brackets) and port.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

/// A parsed endpoint and what its scheme says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub target: Target,
    pub scheme: Scheme,
}

/// How the endpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `host:port` or `unix://`.
    None,
    Http,
    Https,
}

/// A text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no gRPC endpoint; write `host:port` (for example `localhost:4317`), `https://host:port` \
     or `unix:///path/to/socket`"
)]
pub struct InvalidEndpoint(pub String);

impl Endpoint {
    /// Parses `host:port`, the same behind `http://` or `https://`, or `unix://` and a path.
    ///
    /// # Errors
    /// Neither of them: no port, a path behind the port, user information.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")) {
            if path.is_empty() {
                return Err(invalid());
            }
            return Ok(Self { target: Target::Unix(path.into()), scheme: Scheme::None });
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("dns", rest)) => (Scheme::None, rest.trim_start_matches('/')),
            Some(_) => return Err(invalid()),
            None => (Scheme::None, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let authority: http::uri::Authority = rest.parse().map_err(|_| invalid())?;
        match authority.port_u16() {
            Some(port) if !authority.host().is_empty() && port != 0 && !authority.as_str().contains('@') => {
                Ok(Self { target: Target::Tcp { host: authority.host().to_owned(), port }, scheme })
            }
            _ => Err(invalid()),
        }
    }
}

impl Target {
    /// What the request's `:authority` says unless configured.
    pub fn authority(&self) -> String {
        match self {
            Self::Tcp { host, port } => format!("{host}:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }

    /// The host whose certificate is expected.
    pub fn host(&self) -> &str {
        match self {
            Self::Tcp { host, .. } => host,
            Self::Unix(_) => "localhost",
        }
    }
}
