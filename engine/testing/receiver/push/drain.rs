//! Drain: in-flight requests are finished, new ones refused, and it ends in time.

use super::{
    super::clock::Clock,
    LONG, PushSubject,
    bench::{Bench, Length},
};
use crate::testing::{Mood, receiver::running::SOON};
use std::time::Duration;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

/// A receiver that was told to drain has ended after this time, whatever its senders do.
const DEADLINE: Duration = Duration::from_secs(15);
/// Idle connections end within this time.
const IDLE: Duration = Duration::from_secs(2);

/// Scenario: drain while a request waits for the pipeline; then the pipeline takes it.
/// Guarantee: the sender is answered as usual, the item is there, the receiver ends.
pub async fn draining_finishes_what_is_in_flight(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    bench.running.capture.set(Mood::Stuck);
    let mut exchange = bench.begin(&subject.several.body, None, Length::Announced).await;
    timeout(SOON, bench.running.capture.waiting(1)).await.expect("the request must reach the pipeline");
    bench.running.drain.request();
    refuses(&bench).await;
    bench.running.capture.set(Mood::Taking);
    let answer = exchange.answer_within(SOON).await;
    bench.expect("in flight", &answer, &subject.several.expect);
    bench.running.ended().await;
}

/// Scenario: senders come while a request is being finished.
/// Guarantee: they are not let in, so they know that nothing was taken.
pub async fn drain_refuses_new(subject: &PushSubject) {
    let bench = Bench::open(subject, LONG).await;
    bench.running.capture.set(Mood::Stuck);
    let exchange = bench.begin(&subject.one.body, None, Length::Announced).await;
    timeout(SOON, bench.running.capture.waiting(1)).await.expect("the request must reach the pipeline");
    bench.running.drain.request();
    refuses(&bench).await;
    bench.running.capture.set(Mood::Taking);
    drop(exchange);
    bench.close().await;
}

/// Waits until connections are refused.
async fn refuses(bench: &Bench<'_>) {
    let refused = async {
        while TcpStream::connect(bench.running.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, refused).await.expect("new connections must be refused");
}

/// Scenario: drain with connections that said nothing yet and one that was served before.
/// Guarantee: they do not hold the receiver up.
pub async fn idle_connections_do_not_hold(subject: &PushSubject, clock: Clock) {
    let mut bench = Bench::open(subject, LONG).await;
    let silent = TcpStream::connect(bench.running.address).await.expect("senders are let in");
    let served = bench.line().await;
    bench.serves("before").await;
    let fast = clock.hurry();
    let start = Instant::now();
    bench.running.stop().await;
    assert!(start.elapsed() <= IDLE, "{}: {:?}", subject.title, start.elapsed());
    drop((silent, served, fast));
}

/// Scenario: drain while the pipeline never answers for one request, and another stops inside its body.
/// Guarantee: the receiver ends within its deadline all the same, and the room is given back.
pub async fn drain_is_bounded(subject: &PushSubject, clock: Clock) {
    let mut bench = Bench::open(subject, LONG).await;
    bench.running.capture.set(Mood::Stuck);
    let _waiting = bench.begin(&subject.one.body, None, Length::Announced).await;
    timeout(SOON, bench.running.capture.waiting(1)).await.expect("the request must reach the pipeline");
    let body = super::pack::framed(subject.protocol, false, &subject.several.body);
    let mut inside = bench.line().await.open(bench.head(None, Some(body.len()))).await;
    inside.feed(body[..1].to_vec()).await;
    let _fast = clock.hurry();
    let start = Instant::now();
    bench.running.stop().await;
    assert!(start.elapsed() <= DEADLINE, "{}: {:?}", subject.title, start.elapsed());
    assert_eq!(bench.running.capture.admitted(), 0, "{}: room was not given back", subject.title);
    assert!(bench.running.capture.batches().is_empty());
}
