//! Addresses to listen on.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// An address to listen on: `host:port`, `[v6]:port`, `:port` for all interfaces, or the same behind `http://`.
/// The host is an address or `localhost`; names are not resolved, so that checking a config needs no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenAddress(pub SocketAddr);

/// A text that is no address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address to listen on; write `host:port`, for example `localhost:2801` or `0.0.0.0:2801`")]
pub struct InvalidListenAddress {
    pub text: String,
}

impl ListenAddress {
    /// A port of the loopback interface.
    pub const fn localhost(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// Whether both would want the same port of the same interface. Port 0 is a free port each time.
    pub fn clashes_with(&self, other: &Self) -> bool {
        let (a, b) = (self.0, other.0);
        a.port() == b.port()
            && a.port() != 0
            && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
    }
}

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, InvalidListenAddress> {
        let invalid = || InvalidListenAddress { text: text.to_owned() };
        let bare = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let (host, port) = bare.rsplit_once(':').ok_or_else(invalid)?;
        let port: u16 = port.parse().map_err(|_| invalid())?;
        let ip = match host {
            "" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
                Some(inner) => IpAddr::V6(inner.parse::<Ipv6Addr>().map_err(|_| invalid())?),
                None => IpAddr::V4(host.parse::<Ipv4Addr>().map_err(|_| invalid())?),
            },
        };
        Ok(Self(SocketAddr::new(ip, port)))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.ip() {
            IpAddr::V4(Ipv4Addr::LOCALHOST) => write!(f, "localhost:{}", self.0.port()),
            _ => self.0.fmt(f),
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ListenAddress {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ListenAddress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "listen-address", "examples": ["localhost:2801"]})
    }
}
