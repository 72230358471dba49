//! `Listeners`: sockets that stay open while a reload replaces those who serve them.
//!
//! Promises: an address is bound once and stays bound as long as some graph wants it, so between two graphs clients wait
//! in the kernel's queue and none is refused; each graph gets its own handle of the same socket, and an address only once;
//! after [`Listeners::close`] nothing is held, so the end of a server refuses.
//!
//! Addresses of which the kernel grants only one at a time (`0.0.0.0:4317` after `localhost:4317`) cannot overlap: a
//! [rehearsal](Sockets::rehearsal) gets a stand-in for such a one, and the graph itself closes the other first.

use crate::config::ListenAddress;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    sync::Arc,
};
use tokio::net::{TcpListener, TcpSocket};

/// Connections that may wait to be accepted; the kernel's usual upper limit.
const BACKLOG: u32 = 4096;

/// The open sockets of a process, by the address that was asked for. Clones share them.
#[derive(Clone, Default)]
pub struct Listeners(Arc<Mutex<BTreeMap<SocketAddr, std::net::TcpListener>>>);

/// What one graph has of them. Clones share it.
#[derive(Clone, Default)]
pub struct Sockets {
    all: Listeners,
    taken: Arc<Mutex<BTreeSet<SocketAddr>>>,
    rehearsal: bool,
}

impl Listeners {
    /// For a new graph.
    pub fn sockets(&self) -> Sockets {
        Sockets { all: self.clone(), ..Sockets::default() }
    }

    /// Closes all that none of these has.
    pub fn keep<'s>(&self, users: impl Iterator<Item = &'s Sockets>) {
        let wanted: BTreeSet<SocketAddr> = users.flat_map(|sockets| sockets.taken.lock().clone()).collect();
        self.0.lock().retain(|address, _| wanted.contains(address));
    }

    /// Closes all: whoever still has a handle is the last one.
    pub fn close(&self) {
        self.0.lock().clear();
    }
}

impl Sockets {
    /// To see whether the addresses can be had, beside a graph that has some of them.
    pub fn rehearsal(self) -> Self {
        Self { rehearsal: true, ..self }
    }

    /// Whether nothing will be served.
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal
    }

    /// A handle of the socket at this address. Must be called inside a tokio runtime.
    pub(crate) fn listen(&self, address: ListenAddress) -> io::Result<TcpListener> {
        let address = address.0;
        if address.port() == 0 {
            return bind(address);
        }
        if !self.taken.lock().insert(address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let mut all = self.all.0.lock();
        if let Some(kept) = all.get(&address) {
            return TcpListener::from_std(kept.try_clone()?);
        }
        let taken = self.taken.lock();
        let ours = |other: &SocketAddr| other.port() == address.port() && !taken.contains(other);
        let listener = match bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && all.keys().any(ours) => {
                if self.rehearsal {
                    return bind(SocketAddr::from(([127, 0, 0, 1], 0)));
                }
                all.retain(|other, _| !ours(other));
                bind(address)?
            }
            bound => bound?,
        };
        let kept = listener.into_std()?;
        let handle = TcpListener::from_std(kept.try_clone()?);
        all.insert(address, kept);
        handle
    }
}

/// Opens a listener of its own.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that a restart need not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
#[path = "../../tests/support/port.rs"]
mod port;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn free() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port::free()))
    }

    /// Scenario: a graph with a listener ends, a client connects, and the next graph has the same address.
    /// Guarantee: the client is not refused and is accepted by the next one.
    #[tokio::test]
    async fn a_socket_outlives_its_server() {
        let (all, address) = (Listeners::default(), free());
        let first = all.sockets();
        drop(first.listen(ListenAddress(address)).unwrap());
        let client = TcpStream::connect(address).unwrap();
        let second = all.sockets();
        let listener = second.listen(ListenAddress(address)).unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }

    /// Scenario: two servers of one graph want one address; a later graph does not want it; everything is closed.
    /// Guarantee: the second is refused; what nobody wants is closed; after the close connections are refused.
    #[tokio::test]
    async fn an_address_is_had_once_and_not_for_ever() {
        let (all, one, other) = (Listeners::default(), free(), free());
        let first = all.sockets();
        drop(first.listen(ListenAddress(one)).unwrap());
        assert_eq!(first.listen(ListenAddress(one)).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let second = all.sockets();
        drop(second.listen(ListenAddress(other)).unwrap());
        all.keep([&second].into_iter());
        assert!(TcpStream::connect(one).is_err(), "nobody wants it any more");
        assert!(TcpStream::connect(other).is_ok());
        all.close();
        assert!(TcpStream::connect(other).is_err());
    }

    /// Scenario: a reload moves a listener from localhost to all addresses, on the same port.
    /// Guarantee: the rehearsal beside the old one succeeds and takes nothing; the graph itself gets the address.
    #[tokio::test]
    async fn an_address_may_grow() {
        let (all, narrow) = (Listeners::default(), free());
        let wide = SocketAddr::from(([0, 0, 0, 0], narrow.port()));
        let old = all.sockets();
        let listener = old.listen(ListenAddress(narrow)).unwrap();
        let stand_in = all.sockets().rehearsal().listen(ListenAddress(wide)).unwrap();
        assert_ne!(stand_in.local_addr().unwrap().port(), narrow.port());
        drop((stand_in, listener));
        let new = all.sockets().listen(ListenAddress(wide)).unwrap();
        assert_eq!(new.local_addr().unwrap(), wide);
    }

    /// Scenario: a port that another program has.
    /// Guarantee: refused, in a rehearsal as well.
    #[tokio::test]
    async fn a_foreign_port_is_refused() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ListenAddress(other.local_addr().unwrap());
        for sockets in [Listeners::default().sockets(), Listeners::default().sockets().rehearsal()] {
            assert_eq!(sockets.listen(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
    }
}
