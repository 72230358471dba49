//! Resuming.

use crate::container::{Line, Stream};
use crate::docker_logs::cursor::{Cursor, LineKey, MAX_REMEMBERED, OVERLAP, Verdict};

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_000_000 * SECOND;

pub fn line(time: u64, text: &str) -> Line {
    let content = text.to_owned().into();
    Line { stream: Stream::Stdout, time, content, parts: 1, incomplete: false, cut: false, at: 0 }
}

fn keys(lines: &[Line]) -> Vec<LineKey> {
    lines.iter().map(LineKey::of).collect()
}

/// What the daemon sends for `since`: everything from the first line that passes on.
fn since(log: &[Line], since: u64) -> &[Line] {
    let first = log.iter().position(|line| line.time >= since).unwrap_or(log.len());
    &log[first..]
}

/// Reads the log with a reconnect after every `step` accepted lines; returns what was delivered.
fn read_with_reconnects(log: &[Line], step: usize) -> Vec<(Line, u64)> {
    let mut cursor = Cursor::starting_at(0);
    let mut delivered = Vec::new();
    loop {
        let mut replay = cursor.replay();
        let mut fresh = Vec::new();
        for line in since(log, cursor.resume_from()) {
            if let Verdict::New { ordinal } = replay.judge(LineKey::of(line)) {
                fresh.push((line.clone(), ordinal));
            }
            if fresh.len() == step {
                break;
            }
        }
        if fresh.is_empty() {
            return delivered;
        }
        cursor.accept(fresh.iter().map(|(line, _)| LineKey::of(line)), None);
        delivered.extend(fresh);
    }
}

/// Scenario: 50 equal lines with one time, the connection dropped after every line, every two, and so on.
/// Guarantee: exactly 50 lines, with the ordinals 0 to 49.
#[test]
fn c3_equal_lines_are_counted_not_folded() {
    let log = vec![line(NOW, "same"); 50];
    for step in 1..=50 {
        let ordinals: Vec<u64> = read_with_reconnects(&log, step).into_iter().map(|(_, ordinal)| ordinal).collect();
        assert_eq!(ordinals, (0..50).collect::<Vec<_>>(), "reconnect after every {step}");
    }
}

/// Scenario: C3: times go back and forth within the overlap, with a reconnect at every place.
/// Guarantee: every line once, in the order of the log.
#[test]
fn c3_disorder_drops_nothing() {
    let log: Vec<Line> =
        (0..200u64).map(|index| line(NOW + index * 10_000_000 - index % 7 * 50_000_000, &index.to_string())).collect();
    for step in 1..=20 {
        let delivered: Vec<Line> = read_with_reconnects(&log, step).into_iter().map(|(line, _)| line).collect();
        assert!(delivered == log, "reconnect after every {step}");
    }
}

/// Scenario: C3, D23: the daemon's clock is stepped back by an hour in the middle.
/// Guarantee: nothing is dropped and, because lines are remembered in order of arrival, nothing is repeated.
#[test]
fn a_clock_stepped_back_drops_nothing() {
    let before = (0..50).map(|index| line(NOW + index * SECOND / 10, "before"));
    let after = (0..100).map(|index| line(NOW - 3600 * SECOND + index * SECOND / 10, "after"));
    let log: Vec<Line> = before.chain(after).collect();
    for step in 1..=20 {
        let delivered: Vec<Line> = read_with_reconnects(&log, step).into_iter().map(|(line, _)| line).collect();
        assert!(delivered == log, "reconnect after every {step}: {} lines", delivered.len());
    }
}

/// Scenario: a long line is half read on one stream while lines of the other are accepted for longer than the overlap.
/// Guarantee: the next connection starts before the first part of that line, until it is accepted as well.
#[test]
fn a_half_read_line_holds_the_resume_point() {
    let mut cursor = Cursor::starting_at(0);
    cursor.accept(keys(&[line(NOW + 10 * SECOND, "later")]), Some(NOW));
    assert_eq!(cursor.resume_from(), NOW - OVERLAP);
    cursor.accept(keys(&[line(NOW, "long")]), None);
    assert_eq!(cursor.resume_from(), NOW + 10 * SECOND - OVERLAP);
}

/// Scenario: a container is new, and Lanner's start is the floor.
/// Guarantee: no connection asks for lines from before the floor, and one without a floor asks for everything.
#[test]
fn the_floor_holds() {
    let mut cursor = Cursor::starting_at(NOW);
    assert_eq!(cursor.resume_from(), NOW);
    cursor.accept(keys(&[line(NOW + 1, "a")]), None);
    assert_eq!(cursor.resume_from(), NOW);
    assert_eq!(Cursor::starting_at(0).resume_from(), 0);
}

/// Scenario: more lines within the overlap than a cursor remembers.
/// Guarantee: the oldest are forgotten, and how many is said.
#[test]
fn memory_is_bounded() {
    let mut cursor = Cursor::starting_at(0);
    let all: Vec<Line> = (0..MAX_REMEMBERED as u64 + 10).map(|index| line(NOW + index, "x")).collect();
    assert_eq!(cursor.accept(keys(&all), None), 10);
    assert_eq!(cursor.accept(keys(&[line(NOW + 10 * SECOND, "x")]), None), 0);
}

/// Scenario: on resume the first line is new and none of the lines known before came again.
/// Guarantee: that is said once; it is not said when they came, nor for a first connection.
#[test]
fn a_gap_shows() {
    let mut cursor = Cursor::starting_at(0);
    let old = line(NOW, "old");
    let judge = |cursor: &Cursor, lines: &[&Line]| {
        let mut replay = cursor.replay();
        let news = lines.iter().filter(|line| replay.judge(LineKey::of(line)) != Verdict::Known).count();
        (0..news).filter(|_| replay.shows_gap()).count()
    };
    assert_eq!(judge(&cursor, &[&old]), 0);
    cursor.accept(keys(std::slice::from_ref(&old)), None);
    let (new, newer) = (line(NOW + SECOND, "new"), line(NOW + 2 * SECOND, "newer"));
    assert_eq!(judge(&cursor, &[&old, &new, &newer]), 0);
    assert_eq!(judge(&cursor, &[&new, &newer]), 1);
}
