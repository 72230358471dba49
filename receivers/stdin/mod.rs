//! `stdin` reads lines from standard input: Falco's `program_output`, or a file that is replayed by hand.
//!
//! Promises
//! - Every line is delivered once and in order; a busy pipeline slows whoever writes down and loses nothing.
//! - At the end of the input what was read is delivered, then the receiver ends. Once all receivers have, the process
//!   drains and exits with 0.
//! - When the process is told to stop, what was read is delivered while the pipeline has room for it; what is left behind
//!   is counted.
//! - Memory is bounded by a batch, one line and what is read ahead.

pub(crate) mod config;
pub(crate) mod input;
mod lines;
#[cfg(test)]
mod tests;

use crate::{
    container::{Unwrapper, Whole},
    counters::ByReason,
    formats::{Mapper, Records, Source},
};
use config::{Config, Plan};
use input::{Input, Left};
use lanner_engine::prelude::*;
use lines::Lines;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep_until};

/// Memory of a batch, give or take a piece.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes of the first line that go into the ids of plain records.
const FIRST_LINE: usize = 1024;

/// The component type.
pub struct Stdin;

impl Component for Stdin {
    const TYPE: &'static str = "stdin";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// A receiver that is built.
pub(crate) struct Reader {
    input: Input,
    mapper: Mapper,
    config: Config,
    degraded: ByReason,
    unusable: ByReason,
}

/// Standard input failed.
#[derive(Debug, thiserror::Error)]
#[error("standard input cannot be read: {0}")]
struct Broken(std::io::Error);

#[async_trait]
impl Receiver for Reader {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { input, mapper, config, degraded, unusable } = *self;
        let max_line = config.max_log_size.0 as usize;
        let (Left { mut pieces, lines, source }, claim) = input.open(max_line).map_err(Broken)?;
        let mut reading = Reading {
            lines,
            unwrapper: Unwrapper::new(config.container, max_line),
            source,
            mapper,
            records: Records::default(),
            degraded,
            unusable,
        };
        let mut failure = None;
        loop {
            let idle = reading.unwrapper.idle_at();
            let piece = tokio::select! {
                biased;
                () = drain.requested() => {
                    if drain.has_successor() && let Some(claim) = claim {
                        reading.finish_pieces();
                        reading.deliver(&out, &drain).await;
                        let Reading { lines, source, .. } = reading;
                        Left { pieces, lines, source }.pass_on(claim);
                        return Ok(());
                    }
                    pieces.close();
                    pieces.recv().await
                }
                piece = pieces.recv() => piece,
                () = sleep_until(idle.unwrap_or_else(Instant::now)), if idle.is_some() => {
                    reading.flush_idle();
                    reading.deliver(&out, &drain).await;
                    continue;
                }
            };
            match piece {
                Some(Ok(piece)) => reading.take(&piece),
                Some(Err(error)) => failure = Some(Broken(error)),
                None => break,
            }
            if reading.records.bytes >= BATCH_BYTES || pieces.is_empty() {
                reading.deliver(&out, &drain).await;
            }
        }
        reading.finish();
        reading.deliver(&out, &drain).await;
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        if config.stop_at_eof {
            tracing::info!("standard input has ended");
        } else {
            drain.requested().await;
        }
        Ok(())
    }
}

/// What is between the input and the pipeline.
struct Reading {
    lines: Lines,
    unwrapper: Unwrapper,
    source: Source,
    mapper: Mapper,
    records: Records,
    degraded: ByReason,
    unusable: ByReason,
}

impl Reading {
    fn take(&mut self, piece: &[u8]) {
        let Self { lines, unwrapper, source, mapper, records, .. } = self;
        let (now, wall) = (Instant::now(), wall());
        lines.push(piece, |line| keep(line, unwrapper, source, mapper, records, (now, wall)));
    }

    fn finish(&mut self) {
        let Self { lines, unwrapper, source, mapper, records, .. } = self;
        let (now, wall) = (Instant::now(), wall());
        lines.finish(|line| keep(line, unwrapper, source, mapper, records, (now, wall)));
        self.finish_pieces();
    }

    /// Lines that a container's runtime has cut and whose end has not come.
    fn finish_pieces(&mut self) {
        let Self { unwrapper, source, mapper, records, .. } = self;
        let wall = wall();
        unwrapper.flush_all(|line| mapper.map(source, &line, wall, records));
    }

    fn flush_idle(&mut self) {
        let Self { unwrapper, source, mapper, records, .. } = self;
        let wall = wall();
        unwrapper.flush_idle(Instant::now(), |line| mapper.map(source, &line, wall, records));
    }

    /// Hands over what was read, waiting for room until the process is to stop.
    async fn deliver(&mut self, out: &Consumer, drain: &Drain) {
        let Records { logs, skipped, degraded, unusable, .. } = std::mem::take(&mut self.records);
        skipped.iter().for_each(|(reason, count)| out.failed(count as u64, reason));
        if logs.is_empty() {
            return;
        }
        match out.consume_patiently(Batch::logs(logs), drain).await {
            Ok(()) => {
                degraded.iter().for_each(|(reason, count)| self.degraded.add(reason, count));
                unusable.iter().for_each(|(reason, count)| self.unusable.add(reason, count));
            }
            // The engine has counted it, and nobody can read these lines again.
            Err(refused) => tracing::warn!(%refused, "lines of standard input are lost"),
        }
    }
}

/// Makes records of a line.
fn keep(
    line: Whole,
    unwrapper: &mut Unwrapper,
    source: &mut Source,
    mapper: &Mapper,
    records: &mut Records,
    (now, wall): (Instant, u64),
) {
    if source.identity.is_empty() {
        let first = &line.text[..line.text.len().min(FIRST_LINE)];
        source.identity = blake3::hash(first).as_bytes()[..16].to_vec();
    }
    unwrapper.push(line, now, |line| mapper.map(source, &line, wall, records));
}

/// Nanoseconds since 1970; 0 when the clock stands before it.
fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
