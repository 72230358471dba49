//! Streams of the Docker daemon, cut in transit anywhere, through the decoder and the joiner of lines.
//!
//! The first byte chooses the format and the log driver, the second the step; the rest is the stream.
//! Properties: no panic; parts and lines do not depend on the cutting; parts of a raw stream are in the stream in their order.

#![no_main]

use lanner_receivers::fuzzing::docker_logs::{Damaged, Decoder, Event, Joiner, Line};
use libfuzzer_sys::fuzz_target;
use std::{sync::LazyLock, time::Duration};

/// Any moment will do; lines that wait are handed out by the end of the stream.
static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);

fn read(bytes: &[u8], step: usize, tty: bool) -> (Vec<Event>, Result<(), Damaged>) {
    let (mut decoder, mut events) = (Decoder::new(tty), Vec::new());
    for part in bytes.chunks(step) {
        if let Err(damaged) = decoder.push(part, |event| events.push(event)) {
            return (events, Err(damaged));
        }
    }
    decoder.finish(|event| events.push(event));
    (events, Ok(()))
}

fn join(events: &[Event], tty: bool, driver: &str) -> Vec<Line> {
    let (mut joiner, mut lines) = (Joiner::new(tty, driver), Vec::new());
    let now = (*START + Duration::from_secs(1)).into();
    for event in events {
        if let Event::Part(part) = event {
            joiner.push(part.clone(), now, |line| lines.push(line));
        }
    }
    joiner.flush_all(|line| lines.push(line));
    lines
}

fuzz_target!(|input: &[u8]| {
    let [format, step, stream @ ..] = input else { return };
    let tty = format & 1 == 1;
    let driver = if format & 2 == 2 { "json-file" } else { "local" };
    let (events, end) = read(stream, stream.len().max(1), tty);
    // Byte by byte takes long on long streams and shows nothing new there.
    let small = if stream.len() < 2048 { 1 } else { 97 };
    for step in [small, usize::from(*step) + 2] {
        assert_eq!(read(stream, step, tty), (events.clone(), end.clone()), "in steps of {step}");
    }
    let mut rest = stream;
    let mut parts = 0;
    for event in &events {
        let Event::Part(part) = event else { continue };
        parts += 1;
        let at = memchr::memmem::find(rest, &part.content);
        rest = &rest[at.expect("a part is in the stream, behind those before it") + part.content.len()..];
    }
    let lines = join(&events, tty, driver);
    assert_eq!(lines.iter().map(|line| line.parts).sum::<usize>(), parts, "every part is in one line");
});
