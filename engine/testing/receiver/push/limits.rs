//! Limits: size, nesting, decompression, connections.

use super::{
    BODY_LIMIT, CONNECTIONS, LONG, PushSubject,
    bench::{Bench, Length},
    pack::{compressed, padded},
};
use crate::testing::receiver::{client::Line, running::SOON};

/// What a bomb unpacks to.
const BOMB: usize = 32 * BODY_LIMIT;
/// The most room that one request may take, whatever it unpacks to: itself, its unpacked form, another form of it.
const ROOM: usize = 6 * BODY_LIMIT;

/// Scenario: bodies of exactly the limit and one byte above it, with and without a length in the head.
/// Guarantee: the first is taken; the second is refused for good and counted.
pub async fn size_is_capped(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    let (fits, over) = sized(subject);
    for length in [Length::Announced, Length::Unannounced] {
        let answer = bench.ask(&fits, None, length).await;
        bench.expect("of exactly the limit", &answer, &subject.one.expect);
        let answer = bench.ask(&over, None, length).await;
        bench.expect("one byte above the limit", &answer, &subject.too_large);
    }
    bench.serves("afterwards").await;
}

/// Scenario: S1: in every encoding, bodies that unpack to the limit, to one byte more, and to 32 times as much.
/// Guarantee: the first is taken; the others are refused as too large, holding a bounded amount of memory.
pub async fn decompression_is_capped(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    let (fits, over) = sized(subject);
    let bomb = vec![b' '; BOMB];
    for encoding in subject.encodings {
        let answer = bench.ask(&compressed(encoding, &fits), Some(encoding), Length::Announced).await;
        bench.expect(&format!("{encoding} of the limit"), &answer, &subject.one.expect);
        for (what, body) in [("one byte more", &over), ("a bomb", &bomb)] {
            let answer = bench.ask(&compressed(encoding, body), Some(encoding), Length::Announced).await;
            bench.expect(&format!("{encoding}: {what}"), &answer, &subject.too_large);
        }
    }
    let most = bench.running.capture.most_admitted();
    assert!(most <= ROOM, "{}: a request took {most} bytes of room", subject.title);
    bench.serves("afterwards").await;
}

fn sized(subject: &PushSubject) -> (Vec<u8>, Vec<u8>) {
    let of = |size| padded(subject.format, &subject.one.body, size);
    (of(BODY_LIMIT), of(BODY_LIMIT + 1))
}

/// Scenario: S14: values nested 10,000 deep.
/// Guarantee: no stack overflow; kept or refused as the table says.
pub async fn nesting_is_bounded(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    bench.check("nested deep", &subject.too_deep).await;
    bench.serves("afterwards").await;
}

/// Scenario: one connection more than allowed; then one of the others ends.
/// Guarantee: it is closed and counted, the others are served; then there is a place again.
pub async fn connections_are_capped(subject: &PushSubject) {
    let mut bench = Bench::open(subject, LONG).await;
    let mut lines = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut line = bench.line().await;
        ask_on(&bench, &mut line).await.expect("up to the limit everyone is served");
        lines.push(line);
    }
    let refused = match Line::connect(bench.running.address, subject.protocol).await {
        Ok(mut line) => ask_on(&bench, &mut line).await.is_none(),
        Err(_) => true,
    };
    assert!(refused, "{}: served above the limit of connections", subject.title);
    assert_eq!(bench.cut("max_connections"), 1, "{}", subject.title);
    let mut first = lines.swap_remove(0);
    ask_on(&bench, &mut first).await.expect("the others are still served");
    drop(first);
    let again = async {
        loop {
            if let Ok(mut line) = Line::connect(bench.running.address, subject.protocol).await
                && ask_on(&bench, &mut line).await.is_some()
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, again).await.expect("a connection that ended makes room");
    let kept = (CONNECTIONS + 2) * subject.one.expect.kept;
    bench.settle("on all connections", &super::Expect::taken("", kept));
}

/// Sends a valid item on this connection; `None` when the connection ended.
async fn ask_on(bench: &Bench<'_>, line: &mut Line) -> Option<()> {
    let body = super::pack::framed(bench.subject.protocol, false, &bench.subject.one.body);
    let mut exchange = line.open(bench.head(None, Some(body.len()))).await;
    exchange.feed(body).await;
    exchange.end();
    let answer = exchange.answer_within(SOON).await.ok()?;
    assert_eq!(answer.seen(bench.subject.protocol), bench.subject.one.expect.sees);
    Some(())
}
