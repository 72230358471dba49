//! The wire formats.

use crate::{
    container::{PART_BYTES, Part, Stream},
    docker_logs::framing::{Damaged, Decoder, Event},
};
use proptest::prelude::*;

/// The time of most lines here, as the daemon writes it and as a number.
pub const STAMP: &str = "2026-11-22T12:58:04.200957274Z";
pub const TIME: u64 = 1_795_352_284_200_957_274;

/// A frame of a stream without TTY.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0, 0, 0];
    frame.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn decode(tty: bool, pieces: &[&[u8]]) -> (Vec<Event>, Result<(), Damaged>) {
    let mut decoder = Decoder::new(tty);
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(damage) = decoder.push(piece, |event| events.push(event)) {
            return (events, Err(damage));
        }
    }
    decoder.finish(|event| events.push(event));
    (events, Ok(()))
}

fn part(stream: Stream, content: &str, ends_line: bool) -> Event {
    Event::Part(Part { stream, time: TIME, content: content.to_owned().into(), ends_line, told: false, at: 0 })
}

/// Scenario: a stream with both outputs, an error of the daemon and an empty frame content is cut at every offset.
/// Guarantee: the same events come out, whatever the cut.
#[test]
fn a_cut_anywhere_changes_nothing() {
    let mut bytes = frame(1, format!("{STAMP} one\n").as_bytes());
    bytes.extend(frame(2, format!("{STAMP} two\n").as_bytes()));
    bytes.extend(frame(3, b"Error grabbing logs: EOF"));
    bytes.extend(frame(1, format!("{STAMP} ").as_bytes()));
    bytes.extend(frame(1, format!("{STAMP} \n").as_bytes()));
    let expected = [
        part(Stream::Stdout, "one", true),
        part(Stream::Stderr, "two", true),
        Event::DaemonError("Error grabbing logs: EOF".into()),
        part(Stream::Stdout, "", false),
        part(Stream::Stdout, "", true),
    ];
    for cut in 0..=bytes.len() {
        let (events, result) = decode(false, &[&bytes[..cut], &bytes[cut..]]);
        assert_eq!((&events[..], result), (&expected[..], Ok(())), "cut at {cut}");
    }
}

/// Scenario: a terminal's log with a line in three parts, an empty line, a line that begins like a frame header and an
/// error of the daemon is cut at every offset.
/// Guarantee: the same events come out; nothing in it is taken for a header, and the repeated times are taken out.
#[test]
fn a_raw_stream_cut_anywhere_changes_nothing() {
    let full = "x".repeat(PART_BYTES);
    let text = format!(
        "{STAMP} \u{1}\0\0\0 hello\r\n{STAMP} {full}{STAMP} {full}{STAMP} end\r\n{STAMP} \r\nError grabbing logs: EOF\n{STAMP} last"
    );
    let expected = [
        part(Stream::Stdout, "\u{1}\0\0\0 hello\r", true),
        part(Stream::Stdout, &full, false),
        part(Stream::Stdout, &full, false),
        part(Stream::Stdout, "end\r", true),
        part(Stream::Stdout, "\r", true),
        Event::DaemonError("Error grabbing logs: EOF".into()),
        part(Stream::Stdout, "last", false),
    ];
    let bytes = text.as_bytes();
    // Every offset near a boundary, and a sample of the long content.
    for cut in (0..=bytes.len()).filter(|cut| cut % 16384 < 300 || cut % 997 == 0) {
        let (events, result) = decode(true, &[&bytes[..cut], &bytes[cut..]]);
        assert!(events == expected && result == Ok(()), "cut at {cut}");
    }
}

/// Scenario: a terminal's line happens to continue behind a full part without a repeated time.
/// Guarantee: no byte of it is lost.
#[test]
fn a_part_without_a_repeated_time_goes_on() {
    let text = format!("{STAMP} {}{}\r\n", "x".repeat(PART_BYTES), &STAMP[..20]);
    let (events, _) = decode(true, &[text.as_bytes()]);
    assert_eq!(events.len(), 2);
    assert_eq!(events[1], part(Stream::Stdout, &format!("{}\r", &STAMP[..20]), true));
}

/// Scenario: the daemon's own text goes on without a line end for more than a part, and a line of the container follows;
/// whole and in pieces. Found by fuzzing.
/// Guarantee: the same events each time; the container's line is there.
#[test]
fn long_text_of_the_daemon_cut_anywhere_changes_nothing() {
    let text = format!("oops\n{}\n{STAMP} last\r\n", "x".repeat(PART_BYTES + 40));
    let whole = decode(true, &[text.as_bytes()]);
    assert_eq!(whole.0.last(), Some(&part(Stream::Stdout, "last\r", true)));
    for step in [1, 7, 1000, PART_BYTES, PART_BYTES + 1] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(step).collect();
        assert!(decode(true, &pieces) == whole, "in steps of {step}");
    }
}

/// Scenario: unknown stream numbers, absurd lengths, a frame without a time (C5).
/// Guarantee: the damage is named, and what came before it stays.
#[test]
fn c5_damage_is_named() {
    let good = frame(1, format!("{STAMP} one\n").as_bytes());
    let cases = [
        (vec![0, 0, 0, 0, 0, 0, 0, 1, b'x'], Damaged::UnknownStream(0)),
        (vec![9, 0, 0, 0, 0, 0, 0, 1, b'x'], Damaged::UnknownStream(9)),
        (vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], Damaged::TooLong(0xffff_ffff)),
        (frame(1, b""), Damaged::NoTime),
        (frame(2, b"no time here\n"), Damaged::NoTime),
    ];
    for (bad, damage) in cases {
        let (events, result) = decode(false, &[&good, &bad]);
        assert_eq!(events, [part(Stream::Stdout, "one", true)]);
        assert_eq!(result, Err(damage));
    }
}

proptest! {
    /// Scenario: arbitrary bytes in arbitrary pieces, in both formats.
    /// Guarantee: no panic, and the pieces play no part.
    #[test]
    fn arbitrary_bytes_do_no_harm(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16), tty: bool) {
        let whole = pieces.concat();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(decode(tty, &pieces), decode(tty, &[&whole]));
    }
}
