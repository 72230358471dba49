//! Slowloris: senders that keep a connection busy with next to nothing.

use super::{
    super::clock::Clock,
    LONG, PushSubject,
    bench::{Bench, Length},
    pack::framed,
    wire::opening,
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// A slow sender is gone after this time.
const EVICTED: Duration = Duration::from_secs(30);
/// Between two of its bytes.
const DRIP: Duration = Duration::from_secs(2);
/// How long other senders wait meanwhile.
const OTHERS: Duration = Duration::from_secs(5);

/// Scenario: S6: one byte of the request's beginning every two seconds; another sender comes in between.
/// Guarantee: the connection ends within 30 s; the other one is served at once.
pub async fn slow_head(subject: &PushSubject, clock: Clock) {
    let mut bench = Bench::open(subject, LONG).await;
    let stream = TcpStream::connect(bench.running.address).await.expect("senders are let in");
    let (mut from, mut to) = stream.into_split();
    let _fast = clock.hurry();
    let start = Instant::now();
    let drip = async {
        for byte in opening(subject).iter().cycle() {
            // A connection that was closed fails here or is seen below.
            if to.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(DRIP).await;
        }
    };
    let closed = async {
        let mut said = Vec::new();
        let _ = from.read_to_end(&mut said).await;
    };
    let others = async {
        sleep(DRIP * 2).await;
        timeout(OTHERS, bench.serves("beside a slow sender")).await.expect("others are served meanwhile");
        std::future::pending::<()>().await;
    };
    let evicted = async {
        tokio::select! {
            () = drip => {}
            () = closed => {}
        }
    };
    tokio::select! {
        ended = timeout(EVICTED, evicted) => assert!(ended.is_ok(), "{}: a slow head is not cut off", subject.title),
        () = others => {}
    }
    assert!(start.elapsed() > DRIP * 2, "{}: cut off after {:?}", subject.title, start.elapsed());
}

/// Scenario: S6: a body that comes a byte every two seconds, and one that stops; another sender comes in between.
/// Guarantee: both end within 30 s with the answer of the table, each counted; the other one is served at once.
pub async fn slow_body(subject: &PushSubject, clock: Clock) {
    let mut bench = Bench::open(subject, LONG).await;
    let body = framed(subject.protocol, false, &subject.several.body);
    let _fast = clock.hurry();
    for drips in [usize::MAX, 1] {
        let mut exchange = bench.line().await.open(bench.head(None, Some(body.len()))).await;
        for byte in body.iter().take(drips.min(body.len() - 1)) {
            exchange.feed(vec![*byte]).await;
            sleep(DRIP).await;
            if exchange.is_answered() {
                break;
            }
        }
        if drips == 1 {
            let other = timeout(OTHERS, bench.ask(&subject.one.body, None, Length::Announced)).await;
            let seen = other.expect("others are served meanwhile").map(|answer| answer.seen(subject.protocol));
            assert_eq!(seen.as_deref(), Ok(subject.one.expect.sees), "{}", subject.title);
            bench.forget();
        }
        let answer = exchange.answer_within(EVICTED).await;
        drop(exchange);
        bench.expect("a slow body", &answer, &subject.too_slow);
    }
}
