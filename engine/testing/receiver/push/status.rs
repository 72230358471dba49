//! The status table: what the pipeline says, and what the sender is told.

use super::{
    Expect, LONG, PushSubject, SHORT,
    bench::{Bench, Length},
};
use crate::testing::{Mood, receiver::running::SOON};
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer that must not come is waited for.
const SILENCE: Duration = Duration::from_millis(100);

/// Scenario: one item, and several, plain and in every encoding, with and without a length in the head.
/// Guarantee: the sender is told so, and every item is there once.
pub async fn accepted(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    for case in [&subject.one, &subject.several] {
        for length in [Length::Announced, Length::Unannounced] {
            let answer = bench.ask(&case.body, None, length).await;
            bench.expect("plain", &answer, &case.expect);
            for encoding in subject.encodings {
                let packed = super::pack::compressed(encoding, &case.body);
                let answer = bench.ask(&packed, Some(encoding), length).await;
                bench.expect(encoding, &answer, &case.expect);
            }
        }
    }
    bench.close().await;
}

/// Scenario: valid and invalid items in one request.
/// Guarantee: what the table says; the neighbours of a bad item do not vanish silently.
pub async fn some_invalid(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    bench.check("some invalid", &subject.some_invalid).await;
    bench.serves("afterwards").await;
}

/// Scenario: a request of which nothing is usable.
/// Guarantee: a status that makes no sender repeat it; kept as the table says, or counted.
pub async fn invalid(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    bench.check("invalid", &subject.invalid).await;
    bench.serves("afterwards").await;
}

/// Scenario: a queue is full for longer than a request may wait; then there is room and the sender repeats it.
/// Guarantee: the sender is told, nothing is kept of the first, all of the second.
pub async fn busy(subject: &PushSubject) {
    refused(subject, Mood::Busy, &subject.busy).await;
}

/// Scenario: the engine is stopping.
/// Guarantee: the sender is told, nothing is kept, and the loss is counted.
pub async fn draining(subject: &PushSubject) {
    refused(subject, Mood::Draining, &subject.draining).await;
}

async fn refused(subject: &PushSubject, mood: Mood, expect: &Expect) {
    let mut bench = Bench::open(subject, SHORT).await;
    for case in [&subject.one, &subject.several] {
        bench.running.capture.set(mood);
        let answer = bench.ask(&case.body, None, Length::Announced).await;
        bench.expect(&format!("{mood:?}"), &answer, expect);
        bench.running.capture.set(Mood::Taking);
        bench.check("repeated", case).await;
    }
}

/// Scenario: the memory budget is used up; the sender has sent its head and one byte.
/// Guarantee: it is refused without its body, and taken once there is room.
pub async fn no_room(subject: &PushSubject) {
    let mut bench = Bench::open(subject, SHORT).await;
    bench.running.capture.set(Mood::NoRoom);
    let body = super::pack::framed(subject.protocol, false, &subject.one.body);
    let mut exchange = bench.line().await.open(bench.head(None, Some(body.len()))).await;
    exchange.feed(body[..1].to_vec()).await;
    let answer = exchange.answer_within(SOON).await;
    drop(exchange);
    bench.expect("no room", &answer, &subject.no_room);
    bench.running.capture.set(Mood::Taking);
    bench.serves("once there is room").await;
}

/// Scenario: the pipeline has the request and does not say whether it takes it.
/// Guarantee: the sender is not answered before; once it is taken, it is.
pub async fn not_answered_before_it_is_taken(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    bench.running.capture.set(Mood::Stuck);
    let mut exchange = bench.begin(&subject.several.body, None, Length::Announced).await;
    timeout(SOON, bench.running.capture.waiting(1)).await.expect("the request must reach the pipeline");
    tokio::time::sleep(SILENCE).await;
    assert!(!exchange.is_answered(), "{}: answered before the pipeline took it", subject.title);
    assert!(bench.running.capture.batches().is_empty());
    bench.running.capture.set(Mood::Taking);
    let answer = exchange.answer_within(SOON).await;
    bench.expect("taken late", &answer, &subject.several.expect);
}

/// Scenario: the memory budget and then a queue are full; there is room again long before the patience is over.
/// Guarantee: a receiver that waits takes the request; one that does not refuses it at once.
pub async fn room_in_time(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    for (mood, refusal) in [(Mood::NoRoom, &subject.no_room), (Mood::Busy, &subject.busy)] {
        bench.running.capture.set(mood);
        let mut exchange = bench.begin(&subject.one.body, None, Length::Announced).await;
        if subject.waits {
            let capture = &bench.running.capture;
            let asked = async {
                match mood {
                    Mood::NoRoom => capture.turned_away(1).await,
                    _ => capture.waiting(1).await,
                }
            };
            timeout(SOON, asked).await.expect("the request must wait for room");
            capture.set(Mood::Taking);
        }
        let answer = exchange.answer_within(LONG / 2).await;
        bench.expect("room in time", &answer, if subject.waits { &subject.one.expect } else { refusal });
    }
}
