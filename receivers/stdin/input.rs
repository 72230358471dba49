//! Reading standard input.
//!
//! A read of a pipe or a terminal can be neither interrupted nor cancelled, so a thread of its own does it, which nobody
//! waits for: the end of the process ends it. It reads at most [`AHEAD`] pieces ahead. After a reload the next receiver goes
//! on with the same thread, the line that is not complete, and the numbering of its predecessor ([`Left`]).

use super::lines::Lines;
use crate::formats::Source;
use bytes::Bytes;
use parking_lot::Mutex;
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
/// What the last receiver of standard input has left to the next one.
static LEFT: Mutex<Option<Left>> = Mutex::new(None);

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
    /// For standard input, which has one reader at a time.
    pub claim: Option<Claim>,
}

/// Pieces of the input as they come, until its end or an error.
pub type Pieces = mpsc::Receiver<io::Result<Bytes>>;

/// An input in the middle.
pub struct Left {
    pub pieces: Pieces,
    pub lines: Lines,
    pub source: Source,
}

impl Left {
    /// Leaves standard input to whoever claims it next.
    pub fn pass_on(self, claim: Claim) {
        *LEFT.lock() = Some(self);
        drop(claim);
    }
}

impl Input {
    /// The standard input of the process.
    ///
    /// # Errors
    /// [`Taken`].
    pub fn standard(is_rehearsal: bool) -> Result<Self, Taken> {
        if is_rehearsal {
            // The receiver that is to be replaced has it.
            return Ok(Self { reader: Box::new(io::empty()), claim: None });
        }
        let claim = Some(Claim::take()?);
        if io::stdin().is_terminal() {
            tracing::info!("reading lines from the terminal; Ctrl-D ends the input");
        }
        Ok(Self { reader: Box::new(io::stdin()), claim })
    }

    /// Goes on where a predecessor has left standard input, or starts the thread; of a line, `max_line` bytes are kept.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn open(self, max_line: usize) -> io::Result<(Left, Option<Claim>)> {
        let Self { reader, claim } = self;
        let left = claim.as_ref().and_then(|_| LEFT.lock().take());
        let left = match left {
            Some(left) => Left { lines: left.lines.with_most(max_line), ..left },
            None => {
                let (sender, pieces) = mpsc::channel(AHEAD);
                std::thread::Builder::new().name("stdin".into()).spawn(move || read(reader, &sender))?;
                Left { pieces, lines: Lines::new(max_line), source: Source::default() }
            }
        };
        Ok((left, claim))
    }
}

fn read(mut reader: Box<dyn Read + Send>, pieces: &mpsc::Sender<io::Result<Bytes>>) {
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
}
