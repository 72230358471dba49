//! `Addresses`: where a client may connect to, judged after names are resolved.
//!
//! Promises: the addresses that are judged are the ones connected to, so a name cannot change between the two (DNS
//! rebinding); an IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged as what it is.
//!
//! Why the default lets private addresses pass: most sinks of a cluster have one. Link-local addresses, where clouds hand out
//! credentials, have no sink.

use hyper_util::client::legacy::connect::dns;
use ipnet::IpNet;
use lanner_engine::prelude::BoxError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};
use tower::Service;

/// Where connections may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Addresses {
    /// Public addresses, private networks and this machine; never link-local or multicast addresses, nor those under which
    /// clouds give out credentials.
    #[default]
    Network,
    /// Only public addresses.
    Public,
    /// Every address.
    Any,
}

/// Never a sink: link-local (with most clouds' metadata), the metadata addresses outside of it, multicast, "this network".
const FORBIDDEN: [&str; 11] = [
    "0.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/3",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "::/128",
    "fe80::/10",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "ff00::/8",
];

/// Not on the internet.
const PRIVATE: [&str; 16] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "::1/128",
    "100::/64",
    "2001:db8::/32",
    "fc00::/7",
    "fec0::/10",
    "2001::/23",
];

fn nets(texts: &[&str]) -> Vec<IpNet> {
    // A test counts that all of them are read.
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

static FORBIDDEN_NETS: LazyLock<Vec<IpNet>> = LazyLock::new(|| nets(&FORBIDDEN));
static PRIVATE_NETS: LazyLock<Vec<IpNet>> = LazyLock::new(|| nets(&PRIVATE));

impl Addresses {
    /// Whether a connection to this address is allowed.
    pub fn allow(self, address: IpAddr) -> bool {
        let meant = embedded(address).map_or(address, IpAddr::V4);
        let among = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&meant));
        match self {
            Self::Any => true,
            Self::Network => !among(&FORBIDDEN_NETS),
            Self::Public => !among(&FORBIDDEN_NETS) && !among(&PRIVATE_NETS),
        }
    }

    /// As it is written in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Public => "public",
            Self::Any => "any",
        }
    }

    /// What to do when it is in the way.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Public => "write `allow_addresses: network` if the sink is in a private network",
            _ => "write `allow_addresses: any` if the sink is really there",
        }
    }
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let parts = v6.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(of(high, low)),
        _ => v6.to_ipv4_mapped(),
    }
}

/// A name that has no address a connection may go to.
#[derive(Debug, thiserror::Error)]
#[error("`allow_addresses: {}` forbids every address of this host; {}", .0.name(), .0.remedy())]
struct Forbidden(Addresses);

/// Resolves names to the allowed ones of their addresses.
#[derive(Clone, Copy)]
pub struct Resolver(pub Addresses);

impl Resolver {
    async fn allowed(self, name: &str) -> Result<std::vec::IntoIter<SocketAddr>, BoxError> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        let usable: Vec<SocketAddr> = found.filter(|address| self.0.allow(address.ip())).collect();
        if usable.is_empty() {
            return Err(Forbidden(self.0).into());
        }
        Ok(usable.into_iter())
    }
}

impl Service<dns::Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        let resolver = *self;
        Box::pin(async move { resolver.allowed(name.as_str()).await })
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = *self;
        Box::pin(async move { Ok(Box::new(resolver.allowed(name.as_str()).await?) as Addrs) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: addresses of sinks, of metadata services, and IPv4 addresses in IPv6 clothes.
    /// Guarantee: each policy allows what it says; a disguise changes nothing.
    #[test]
    fn policies_judge_what_an_address_means() {
        assert_eq!((FORBIDDEN_NETS.len(), PRIVATE_NETS.len()), (FORBIDDEN.len(), PRIVATE.len()));
        let judged = |text: &str| {
            let address: IpAddr = text.parse().unwrap();
            [Addresses::Public, Addresses::Network, Addresses::Any].map(|policy| policy.allow(address))
        };
        for public in ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"] {
            assert_eq!(judged(public), [true, true, true], "{public}");
        }
        for private in ["10.1.2.3", "127.0.0.1", "::1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::a01:203", "192.168.1.1"]
        {
            assert_eq!(judged(private), [false, true, true], "{private}");
        }
        for never in [
            "169.254.169.254",
            "0.0.0.0",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ] {
            assert_eq!(judged(never), [false, false, true], "{never}");
        }
    }
}
