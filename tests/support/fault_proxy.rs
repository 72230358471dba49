//! A TCP proxy that does to connections what networks do.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Runtime,
};

/// What happens to bytes, from now on and on all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// Every piece comes so much later, in both directions.
    Delay(Duration),
    /// On connections that are open now nothing comes through any more; they stay open, and new ones work.
    Blackhole,
    /// Connections are reset, new ones at once.
    Reset,
    /// The sink's side says that it has nothing more to say, and goes on reading.
    HalfClose,
    /// The sender's bytes come through one by one.
    Trickle(Duration),
    /// A connection is closed once the sink has answered so many bytes from now on; then the fault is over.
    CutAfter(usize),
    /// One bit of every piece of a reply is wrong.
    Corrupt,
}

/// How often an idle direction looks whether the fault has changed.
const LOOK: Duration = Duration::from_millis(10);

/// A running proxy.
pub struct FaultProxy {
    pub port: u16,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    to: u16,
    /// And how many there were before it.
    fault: Mutex<(Fault, u64)>,
    connections: AtomicUsize,
    open: AtomicUsize,
}

impl Shared {
    fn fault(&self) -> (Fault, u64) {
        *self.fault.lock().unwrap()
    }

    fn set(&self, fault: Fault) {
        let mut now = self.fault.lock().unwrap();
        *now = (fault, now.1 + 1);
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Reply,
}

impl FaultProxy {
    /// In front of this port, without a fault.
    pub fn before(to: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shared = Arc::new(Shared {
            to,
            fault: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(serve(listener, Arc::clone(&shared)));
        Self { port, shared, _runtime: runtime }
    }

    pub fn set(&self, fault: Fault) {
        self.shared.set(fault);
    }

    /// How many connections were taken so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// How many of them the client has not closed, nor a fault.
    pub fn open(&self) -> usize {
        self.shared.open.load(SeqCst)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, SeqCst);
        shared.open.fetch_add(1, SeqCst);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            carry(client, &shared).await;
            shared.open.fetch_sub(1, SeqCst);
        });
    }
}

/// Carries a connection until either side or a fault ends it.
async fn carry(client: TcpStream, shared: &Shared) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.to)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let ended = tokio::select! {
        ended = pump(from_client, to_server, Way::Request, shared) => ended,
        ended = pump(from_server, to_client, Way::Reply, shared) => ended,
    };
    // The other direction was dropped unfinished; a reset is one only when nothing was said before.
    if let Some((from, to)) = ended {
        let _ = from.as_ref().set_zero_linger();
        let _ = to.as_ref().set_zero_linger();
    }
}

/// Carries one direction to its end. Gives the halves back when the connection is to be reset.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    shared: &Shared,
) -> Option<(OwnedReadHalf, OwnedWriteHalf)> {
    let mut buffer = vec![0; 64 << 10];
    // Bytes since the fault began, and which it is.
    let (mut carried, born) = (0, shared.fault().1);
    let mut since = born;
    loop {
        let (fault, _) = shared.fault();
        match fault {
            Fault::Reset => return Some((from, to)),
            Fault::HalfClose if way == Way::Reply => {
                let _ = to.shutdown().await;
                // The other direction goes on until the client has seen it.
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        let read = match tokio::time::timeout(LOOK, from.read(&mut buffer)).await {
            Err(_) => continue,
            Ok(Ok(read)) if read > 0 => read,
            Ok(_) => return None,
        };
        // It may have changed while nothing came.
        let (fault, number) = shared.fault();
        if number != since {
            (since, carried) = (number, 0);
        }
        let piece = &mut buffer[..read];
        match fault {
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::CutAfter(most) if way == Way::Reply && carried + read > most => {
                let _ = to.write_all(&piece[..most - carried]).await;
                shared.set(Fault::None);
                return None;
            }
            Fault::Corrupt if way == Way::Reply => piece[0] ^= 1,
            Fault::Blackhole if born < number => continue,
            Fault::Reset => continue,
            _ => {}
        }
        let written = match fault {
            Fault::Trickle(pause) if way == Way::Request => drip(&mut to, piece, pause, shared).await,
            _ => to.write_all(piece).await,
        };
        if written.is_err() {
            return None;
        }
        carried += piece.len();
    }
}

/// Byte by byte, as long as that is the fault.
async fn drip(to: &mut OwnedWriteHalf, piece: &[u8], pause: Duration, shared: &Shared) -> std::io::Result<()> {
    for (index, byte) in piece.iter().enumerate() {
        if shared.fault().0 != Fault::Trickle(pause) {
            return to.write_all(&piece[index..]).await;
        }
        to.write_all(&[*byte]).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}
