//! Addresses of this machine that programs under test listen on.

use crate::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A port of the loopback address.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A port that was free a moment ago: the configuration needs one before Lanner listens.
pub fn free_port() -> Result<u16, Error> {
    Ok(TcpListener::bind(local(0))?.local_addr()?.port())
}
