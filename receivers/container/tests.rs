//! Joining parts.

use super::{CONTINUED, IDLE, Joiner, Line, MAX_LINE, PART_BYTES, Part, Stream, Unwrapper, Whole, Wrapping};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

/// The parts the daemon makes of a line.
fn parts(stream: Stream, time: u64, text: &str) -> Vec<Part> {
    let bytes = text.as_bytes();
    let full = bytes.len() / PART_BYTES;
    let part = |content: &[u8], ends_line| Part {
        stream,
        time,
        content: Bytes::copy_from_slice(content),
        ends_line,
        told: false,
        at: 0,
    };
    let mut parts: Vec<Part> = bytes[..full * PART_BYTES].chunks(PART_BYTES).map(|full| part(full, false)).collect();
    parts.push(part(&bytes[full * PART_BYTES..], true));
    parts
}

fn join(joiner: &mut Joiner, parts: impl IntoIterator<Item = Part>) -> Vec<Line> {
    let (mut lines, now) = (Vec::new(), Instant::now());
    for part in parts {
        joiner.push(part, now, |line| lines.push(line));
    }
    lines
}

fn text(line: &Line) -> &str {
    std::str::from_utf8(&line.content).unwrap()
}

/// Scenario: lines of 16383, 16384, 16385 and 100000 bytes, with two-byte characters on every cut.
/// Guarantee: each comes out whole and valid, from the number of parts it came in.
#[test]
fn lines_around_the_part_size_come_out_whole() {
    for (size, expected_parts) in [(16_383, 1), (16_384, 2), (16_385, 2), (100_000, 7)] {
        let line = format!("a{}", "\u{fc}".repeat((size - 1) / 2));
        let line = format!("{line}{}", "z".repeat(size - line.len()));
        assert_eq!(line.len(), size);
        let lines = join(&mut Joiner::new(false, "json-file"), parts(Stream::Stdout, 1, &line));
        let [joined] = &lines[..] else { panic!("{} lines of {size} bytes", lines.len()) };
        assert_eq!((text(joined) == line, joined.parts), (true, expected_parts), "{size}");
        assert!(!joined.incomplete && !joined.cut);
    }
}

/// Scenario: long lines of stdout and stderr whose parts alternate.
/// Guarantee: each stream's line holds its own parts only.
#[test]
fn streams_do_not_mix() {
    let (out, err) = ("o".repeat(40_000), "e".repeat(40_000));
    let mixed = parts(Stream::Stdout, 1, &out).into_iter().zip(parts(Stream::Stderr, 2, &err));
    let mixed: Vec<Part> = mixed.flat_map(|(out, err)| [out, err]).collect();
    let lines = join(&mut Joiner::new(false, "json-file"), mixed);
    assert!(text(&lines[0]) == out && text(&lines[1]) == err && lines.len() == 2);
}

/// Scenario: a program ends without a line end, and another line follows after its restart; another one stays alone.
/// Guarantee: both come out, marked as incomplete; the next line is untouched; nothing comes before it is idle.
#[test]
fn a_line_without_an_end_comes_out_marked() {
    let mut joiner = Joiner::new(false, "json-file");
    let open = |time| Part {
        stream: Stream::Stdout,
        time,
        content: Bytes::from_static(b"open"),
        ends_line: false,
        told: false,
        at: 0,
    };
    let mut lines = join(&mut joiner, [open(1)]);
    assert!(lines.is_empty());
    lines.extend(join(&mut joiner, parts(Stream::Stdout, 2, "next")));
    let found: Vec<_> = lines.iter().map(|line| (text(line), line.incomplete)).collect();
    assert_eq!(found, [("open", true), ("next", false)]);

    let mut lines = join(&mut joiner, [open(3)]);
    assert_eq!(joiner.oldest_open(), Some(3));
    let now = Instant::now();
    joiner.flush_idle(now, |line| lines.push(line));
    assert!(lines.is_empty());
    joiner.flush_idle(now + IDLE, |line| lines.push(line));
    assert!(lines[0].incomplete && joiner.oldest_open().is_none() && joiner.idle_at().is_none());
}

/// Scenario: a part of full size, and one that is marked as a part, each without the next for a while, as under a daemon that
/// gets no time; and a short one, while nobody reads for a minute because the pipeline is busy.
/// Guarantee: the line is not torn: the first two wait for long, the time in which nobody read is left out for the third; each
/// comes out in the end.
#[test]
fn a_line_that_goes_on_is_not_torn() {
    let full = Bytes::from("x".repeat(PART_BYTES));
    let part = |content: &Bytes, told| Part {
        stream: Stream::Stdout,
        time: 1,
        content: content.clone(),
        ends_line: false,
        told,
        at: 0,
    };
    let short = Bytes::from_static(b"short");
    for (part, stall, wait) in [
        (part(&full, false), Duration::ZERO, CONTINUED),
        (part(&short, true), Duration::ZERO, CONTINUED),
        (part(&short, false), Duration::from_secs(60), Duration::from_secs(60) + IDLE),
    ] {
        let mut joiner = Joiner::new(false, "json-file");
        let (now, mut lines) = (Instant::now(), Vec::new());
        joiner.push(part, now, |line| lines.push(line));
        joiner.stalled(stall);
        joiner.flush_idle(now + wait - Duration::from_millis(1), |line| lines.push(line));
        assert!(lines.is_empty());
        assert_eq!(joiner.idle_at(), Some(now + wait));
        joiner.flush_idle(now + wait, |line| lines.push(line));
        assert!(lines.len() == 1 && lines[0].incomplete);
    }
}

/// Scenario: the driver `local` leaves out the line end behind the last part.
/// Guarantee: the line is complete with its short part, without waiting.
#[test]
fn the_local_driver_ends_lines_by_their_length() {
    let unmarked =
        |line: &str| parts(Stream::Stdout, 1, line).into_iter().map(|part| Part { ends_line: false, ..part });
    let mut joiner = Joiner::new(false, "local");
    for size in [16_384, 16_385, 40_000] {
        let line = "x".repeat(size);
        let lines = join(&mut joiner, unmarked(&line));
        assert!(lines.len() == 1 && text(&lines[0]) == line && !lines[0].incomplete, "{size}");
    }
}

/// Scenario: a line that is longer than the bound by far, then a short one.
/// Guarantee: the first is cut at the bound and says so, with its rest left out; the second is whole.
#[test]
fn an_endless_line_is_cut() {
    let mut joiner = Joiner::new(false, "json-file");
    let endless = "x".repeat(MAX_LINE + 3 * PART_BYTES + 5);
    let mut lines = join(&mut joiner, parts(Stream::Stdout, 1, &endless));
    lines.extend(join(&mut joiner, parts(Stream::Stdout, 2, "short")));
    assert_eq!((lines[0].content.len(), lines[0].cut), (MAX_LINE, true));
    assert_eq!((text(&lines[1]), lines[1].cut), ("short", false));
}

/// Scenario: a terminal ends lines with CR LF, and a line of 16383 bytes has its CR at the end of a full part.
/// Guarantee: the CR is taken off in both cases, and only from terminals.
#[test]
fn terminals_lose_their_return() {
    let long = "x".repeat(PART_BYTES - 1);
    let mut tty = Joiner::new(true, "json-file");
    for line in ["short", &long] {
        assert!(text(&join(&mut tty, parts(Stream::Stdout, 1, &format!("{line}\r")))[0]) == line);
    }
    assert_eq!(text(&join(&mut Joiner::new(false, "json-file"), parts(Stream::Stdout, 1, "a\r"))[0]), "a\r");
}

fn unwrap(unwrapper: &mut Unwrapper, lines: &[&str], from: u64) -> Vec<Whole> {
    let (mut found, mut at) = (Vec::new(), from);
    for line in lines {
        let line = Whole::plain(Bytes::copy_from_slice(line.as_bytes()), at);
        at += line.text.len() as u64 + 1;
        unwrapper.push(line, Instant::now(), |whole| found.push(whole));
    }
    found
}

/// Scenario: lines as containerd, CRI-O and Docker write them, odd ones, and lines that nobody wrapped.
/// Guarantee: time, stream and text are taken out; what is no wrapping comes out as it is, marked.
#[test]
fn wrappings_are_told_apart() {
    let lines = [
        "2026-01-01T00:00:00.000000001Z stdout F hello  world ",
        "2026-01-01T01:00:00+01:00 stderr F",
        "2026-01-01T00:00:00Z stdout F:extra tagged",
        r#"{"log":"docker\u00fc\n","stream":"stderr","attrs":{"a":"b"},"time":"2026-01-01T00:00:00.5Z"}"#,
        "2026-01-01T00:00:00Z stdin F no such stream",
        "2026-01-01T00:00:00Z stdout X no such tag",
        "yesterday stdout F no time",
        r#"{"log":17}"#,
        r#"{"rule":"an alert"}"#,
    ];
    let found = unwrap(&mut Unwrapper::new(Wrapping::Auto, 1000), &lines, 0);
    let text = |whole: &Whole| String::from_utf8(whole.text.to_vec()).unwrap();
    assert_eq!(found.iter().map(text).collect::<Vec<_>>()[..4], ["hello  world ", "", "tagged", "docker\u{fc}"]);
    let second = 1_767_225_600_000_000_000;
    let times: Vec<u64> = found[..4].iter().map(|whole| whole.time).collect();
    assert_eq!(times, [second + 1, second, second, second + 500_000_000]);
    assert_eq!(
        [0, 1, 3].map(|at| found[at].stream),
        [Some(Stream::Stdout), Some(Stream::Stderr), Some(Stream::Stderr)]
    );
    assert!(found[..4].iter().all(|whole| !whole.bare));
    assert!(found[4..].iter().zip(&lines[4..]).all(|(whole, line)| whole.bare && text(whole) == *line));
    assert_eq!(found.len(), lines.len());
}

/// Scenario: a file with split lines of both streams is read up to every one of its lines, and then by another unwrapper
/// that resumes there.
/// Guarantee: every line once, whole, with the place where its first part stands.
#[test]
fn a_resumed_file_repeats_no_line() {
    let time = "2026-01-01T00:00:00Z";
    let parts = [
        "stdout P a",
        "stderr F 1",
        "stdout P b",
        "stderr P 2",
        "stdout F c",
        "stderr P 3",
        "stdout F d",
        "stderr F 4",
    ];
    let lines: Vec<String> = parts.iter().map(|part| format!("{time} {part}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let ends: Vec<u64> = lines
        .iter()
        .scan(0, |at, line| {
            *at += line.len() as u64 + 1;
            Some(*at)
        })
        .collect();
    let expected = unwrap(&mut Unwrapper::new(Wrapping::Cri, 1000), &lines, 0);
    let texts: Vec<&[u8]> = expected.iter().map(|whole| &whole.text[..]).collect();
    assert_eq!(texts, [&b"1"[..], b"abc", b"d", b"234"]);
    for stop in 0..=lines.len() {
        let mut first = Unwrapper::new(Wrapping::Cri, 1000);
        let mut found = unwrap(&mut first, &lines[..stop], 0);
        let until = if stop == 0 { 0 } else { ends[stop - 1] };
        let held = first.held();
        let from = held.iter().flatten().min().copied().unwrap_or(until).min(until);
        let skipped = if from == 0 { 0 } else { ends.iter().position(|end| *end == from).unwrap() + 1 };
        let mut second = Unwrapper::resuming(Wrapping::Cri, 1000, held, until);
        found.extend(unwrap(&mut second, &lines[skipped..], from));
        assert_eq!(found, expected, "stopped after {stop} lines");
    }
}
