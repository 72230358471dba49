//! Ports for programs that tests start, which bind them a moment later, or again after a restart.
//!
//! Promises: a port that is given out was free, is given to nobody else on this machine while this program runs, and is none
//! that the kernel gives to outgoing connections or to whoever asks for any port: those it takes from 32768 upwards, and one
//! that is free now may be somebody's source port before the program under test has bound it. Crates include this file with
//! `#[path]`, once, and have it beside the servers that they include, which say `super::port`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends with the place")]

use std::{
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    sync::Mutex,
};

/// Below them others may expect servers, above them the kernel takes ports itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Names in the kernel that say which ports this program has; they go with it.
static MINE: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A free port of localhost.
pub fn free() -> u16 {
    // Programs that run at the same time begin at different ports.
    let start = std::process::id() as usize * 7919;
    for step in 0..PORTS.len() {
        let port = PORTS.start + ((start + step) % PORTS.len()) as u16;
        let name = SocketAddr::from_abstract_name(format!("lanner-test-port-{port}")).unwrap();
        let Ok(mine) = UnixListener::bind_addr(&name) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            MINE.lock().unwrap().push(mine);
            return port;
        }
    }
    panic!("no free port");
}
