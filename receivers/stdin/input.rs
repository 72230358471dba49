//! Reading standard input.
//!
//! A read of a pipe or a terminal can be neither interrupted nor cancelled, so a thread of its own does it, which nobody
//! waits for: the end of the process ends it. It reads at most [`AHEAD`] pieces ahead.

use bytes::Bytes;
use std::{
    io::{self, IsTerminal, Read},
    sync::atomic::{AtomicBool, Ordering},
};
use tokio::sync::mpsc;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;
/// Pieces that wait for the pipeline.
const AHEAD: usize = 4;

static CLAIMED: AtomicBool = AtomicBool::new(false);

/// The right to read standard input; given back when dropped.
pub struct Claim(());

/// Two receivers want it.
#[derive(Debug, thiserror::Error)]
#[error("another `stdin` receiver reads standard input already; keep one of them")]
pub struct Taken;

impl Claim {
    /// Claims standard input for one receiver.
    ///
    /// # Errors
    /// [`Taken`]: two readers would get a part of the lines each.
    pub fn take() -> Result<Self, Taken> {
        match CLAIMED.swap(true, Ordering::AcqRel) {
            false => Ok(Self(())),
            true => Err(Taken),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.store(false, Ordering::Release);
    }
}

/// Where lines come from.
pub struct Input {
    pub reader: Box<dyn Read + Send>,
    /// Held by the thread, so that nobody else reads while it does.
    pub claim: Option<Claim>,
}

impl Input {
    /// The standard input of the process.
    ///
    /// # Errors
    /// [`Taken`].
    pub fn standard() -> Result<Self, Taken> {
        let claim = Some(Claim::take()?);
        if io::stdin().is_terminal() {
            tracing::info!("reading lines from the terminal; Ctrl-D ends the input");
        }
        Ok(Self { reader: Box::new(io::stdin()), claim })
    }

    /// Starts the thread. The pieces end with the input, or with an error.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn pieces(self) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
        let (pieces, queue) = mpsc::channel(AHEAD);
        std::thread::Builder::new().name("stdin".into()).spawn(move || self.read(&pieces))?;
        Ok(queue)
    }

    fn read(self, pieces: &mpsc::Sender<io::Result<Bytes>>) {
        let Self { mut reader, claim } = self;
        let mut buffer = vec![0; PIECE];
        loop {
            let piece = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => Ok(Bytes::copy_from_slice(&buffer[..read])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = piece.is_err();
            if pieces.blocking_send(piece).is_err() || failed {
                break;
            }
        }
        drop(claim);
    }
}
