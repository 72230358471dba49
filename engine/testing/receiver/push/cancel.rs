//! Cancellation: senders that leave at every stage, and a receiver that is dropped.

use super::{
    LONG, Protocol, PushSubject,
    bench::{Bench, Length},
    pack::framed,
};
use crate::testing::{
    Mood,
    receiver::running::{SOON, eventually},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Scenario: senders leave before they said anything, and inside the head of their request.
/// Guarantee: nothing is taken, nothing is counted as lost, the next sender is served.
pub async fn broken_head(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    for start in [&b""[..], b"P", super::wire::opening(subject)] {
        let mut stream = TcpStream::connect(bench.running.address).await.expect("senders are let in");
        stream.write_all(start).await.expect("the first bytes are taken");
        drop(stream);
        bench.serves("after a sender that left inside its head").await;
    }
    bench.close().await;
}

/// Scenario: senders leave after the head, after the first byte of the body, and before its last; with HTTP/2 one gives up
/// its stream in the middle of the body.
/// Guarantee: nothing is taken, each is counted once, the room is given back.
pub async fn broken_body(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    let body = framed(subject.protocol, false, &subject.several.body);
    for part in [0, 1, body.len() - 1] {
        let mut exchange = bench.line().await.open(bench.head(None, Some(body.len()))).await;
        exchange.feed(body[..part].to_vec()).await;
        // A sender that is not in the middle of its body yet would not be noticed.
        let capture = bench.running.capture.clone();
        eventually("the request must have begun", || capture.admitted() > 0 || part == 0).await;
        if part == 0 {
            begun(&mut bench).await;
        }
        drop(exchange);
        bench.settles(&format!("the sender left after {part} bytes of its body"), &subject.broken_body).await;
    }
    if subject.protocol == Protocol::Http2 {
        let mut line = bench.line().await;
        let mut exchange = line.open(bench.head(None, Some(body.len()))).await;
        exchange.feed(body[..body.len() / 2].to_vec()).await;
        let capture = bench.running.capture.clone();
        eventually("the request must have begun", || capture.admitted() > 0).await;
        let open = exchange.give_up().await;
        bench.settles("the sender reset its stream and stayed", &subject.broken_body).await;
        drop(open);
    }
    bench.serves("afterwards").await;
    bench.close().await;
}

/// Another sender was served, so whatever came before it was read.
async fn begun(bench: &mut Bench<'_>) {
    let subject = bench.subject;
    let answer = bench.ask(&subject.one.body, None, Length::Announced).await;
    let seen = answer.map(|answer| answer.seen(subject.protocol));
    assert_eq!(seen.as_deref(), Ok(subject.one.expect.sees), "{}", subject.title);
    bench.forget();
}

/// Scenario: the sender leaves while the pipeline has its request; then the pipeline goes on.
/// Guarantee: kept or counted as the table says, never both; the room is given back.
pub async fn sender_gone(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    bench.running.capture.set(Mood::Stuck);
    let exchange = bench.begin(&subject.one.body, None, Length::Announced).await;
    timeout(SOON, bench.running.capture.waiting(1)).await.expect("the request must reach the pipeline");
    drop(exchange);
    if subject.sender_gone.lost.is_empty() {
        bench.running.capture.set(Mood::Taking);
    }
    bench.settles("the sender left", &subject.sender_gone).await;
    bench.running.capture.set(Mood::Taking);
    bench.serves("afterwards").await;
    bench.close().await;
}

/// Scenario: the receiver is dropped while one request is in the pipeline and another inside its body.
/// Guarantee: both connections end, nothing is taken, room and port are given back.
pub async fn receiver_dropped(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    bench.running.capture.set(Mood::Stuck);
    let mut waiting = bench.begin(&subject.one.body, None, Length::Announced).await;
    timeout(SOON, bench.running.capture.waiting(1)).await.expect("the request must reach the pipeline");
    let body = framed(subject.protocol, false, &subject.several.body);
    let mut inside = bench.line().await.open(bench.head(None, Some(body.len()))).await;
    inside.feed(body[..1].to_vec()).await;
    let (capture, first) = (bench.running.capture.clone(), bench.running.capture.admitted());
    eventually("the second request must have begun", || capture.admitted() > first).await;

    bench.running.cut_off().await;
    for exchange in [&mut waiting, &mut inside] {
        let answer = exchange.answer_within(SOON).await;
        assert!(answer.is_err(), "{}: answered although nothing was taken: {answer:?}", subject.title);
    }
    eventually("room must be given back", || capture.admitted() == 0).await;
    bench.running.capture.set(Mood::Taking);
    let rebound = async {
        while TcpListener::bind(bench.running.address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, rebound).await.expect("the port must be free");
    assert!(capture.batches().is_empty(), "{}: something was taken", subject.title);
}
