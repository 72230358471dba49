//! `Bench`: one subject running, its senders, and the books that are checked after each request.

use super::{
    super::{
        client::{Answer, Closed, Exchange, Line},
        running::{Running, SOON, eventually},
    },
    Case, Expect, Protocol, PushSubject, pack,
};
use bytes::Bytes;
use http::{Request, header};
use std::{collections::BTreeMap, time::Duration};

/// Requests that a receiver did not keep, by reason.
const LOST: &str = "lanner_receiver_lost_requests";
/// Connections that a listener ended, by reason.
const CUT: &str = "lanner_http_server_connections_cut";

pub struct Bench<'s> {
    pub subject: &'s PushSubject,
    pub running: Running,
    before: Books,
}

/// What was counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Books {
    kept: usize,
    refused: usize,
    failed: u64,
    lost: BTreeMap<String, i64>,
}

/// Whether the length of a body is known beforehand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Announced,
    Unannounced,
}

impl<'s> Bench<'s> {
    pub async fn open(subject: &'s PushSubject, patience: Duration) -> Self {
        let running = Running::start(&subject.factory, patience, subject.config).await;
        Self { subject, running, before: Books::default() }
    }

    /// A new connection.
    pub async fn line(&self) -> Line {
        match Line::connect(self.running.address, self.subject.protocol).await {
            Ok(line) => line,
            Err(Closed(why)) => panic!("{} does not let a sender in: {why}", self.subject.title),
        }
    }

    /// The head of a request for `length` bytes; `None` for a length that is not announced.
    pub fn head(&self, encoding: Option<&str>, length: Option<usize>) -> Request<()> {
        let Self { subject, running, .. } = self;
        let mut head = Request::post(match subject.protocol {
            Protocol::Http1 => subject.path.to_owned(),
            Protocol::Http2 | Protocol::Grpc => format!("http://{}{}", running.address, subject.path),
        });
        head = head.header(header::HOST, running.address.to_string());
        head = head.header(header::CONTENT_TYPE, subject.content_type);
        match (subject.protocol, encoding) {
            (Protocol::Grpc, Some(encoding)) => head = head.header("grpc-encoding", encoding),
            (_, Some(encoding)) => head = head.header(header::CONTENT_ENCODING, encoding),
            (_, None) => {}
        }
        match (subject.protocol, length) {
            (Protocol::Grpc, _) => head = head.header(header::TE, "trailers"),
            (_, Some(length)) => head = head.header(header::CONTENT_LENGTH, length),
            (_, None) => {}
        }
        head.body(()).expect("the subject's path and headers are valid")
    }

    /// Sends a whole request on a connection of its own and waits for the answer.
    pub async fn ask(&self, body: &[u8], encoding: Option<&str>, length: Length) -> Result<Answer, Closed> {
        let mut exchange = self.begin(body, encoding, length).await;
        exchange.answer_within(SOON).await
    }

    /// Sends a whole request on a connection of its own.
    pub async fn begin(&self, body: &[u8], encoding: Option<&str>, length: Length) -> Exchange {
        let body = Bytes::from(pack::framed(self.subject.protocol, encoding.is_some(), body));
        let announced = (length == Length::Announced).then_some(body.len());
        let mut exchange = self.line().await.open(self.head(encoding, announced)).await;
        exchange.feed(body).await;
        exchange.end();
        exchange
    }

    /// Sends a case and checks what becomes of it.
    pub async fn check(&mut self, what: &str, case: &Case) {
        let answer = self.ask(&case.body, None, Length::Announced).await;
        self.expect(what, &answer, &case.expect);
    }

    /// Sends a valid item and checks that it is taken.
    pub async fn serves(&mut self, what: &str) {
        let subject = self.subject;
        self.check(what, &subject.one).await;
    }

    /// Checks an answer and what was counted since the last check.
    pub fn expect(&mut self, what: &str, answer: &Result<Answer, Closed>, expect: &Expect) {
        let title = self.subject.title;
        let seen = match answer {
            Ok(answer) => answer.seen(self.subject.protocol),
            Err(Closed(why)) => format!("closed: {why}"),
        };
        assert_eq!(seen, expect.sees, "{title}: what the sender sees: {what}");
        self.settle(what, expect);
    }

    /// Checks what was counted since the last check.
    pub fn settle(&mut self, what: &str, expect: &Expect) {
        let (title, before, now) = (self.subject.title, &self.before, self.books());
        assert_eq!(now.kept - before.kept, expect.kept, "{title}: items kept: {what}");
        let mut lost = before.lost.clone();
        if !expect.lost.is_empty() {
            *lost.entry(expect.lost.to_owned()).or_default() += 1;
        }
        assert_eq!(now.lost, lost, "{title}: {LOST}: {what}");
        assert_eq!(now.failed - before.failed, expect.failed, "{title}: items counted as failed: {what}");
        assert_eq!(self.running.capture.admitted(), 0, "{title}: room was not given back: {what}");
        assert_eq!(self.running.metric(CUT, "panic"), 0, "{title}: something panicked: {what}");
        let is_draining = self.running.drain.is_requested();
        assert!(is_draining || self.running.is_running(), "{title}: the receiver ended: {what}");
        self.before = now;
    }

    /// Waits until what was counted is as expected, where nobody is answered; then checks it.
    pub async fn settles(&mut self, what: &str, expect: &Expect) {
        let before = self.before.clone();
        let done = || {
            let now = self.books();
            let lost = |books: &Books| books.lost.values().sum::<i64>();
            let counted = now.kept - before.kept >= expect.kept
                && now.failed - before.failed >= expect.failed
                && lost(&now) - lost(&before) >= i64::from(!expect.lost.is_empty());
            counted && self.running.capture.admitted() == 0
        };
        eventually(&format!("{}: {what}: {expect:?}", self.subject.title), done).await;
        self.settle(what, expect);
    }

    /// Takes what was counted so far for granted.
    pub fn forget(&mut self) {
        self.before = self.books();
    }

    /// Allows that requests were refused meanwhile, but none kept.
    pub fn forget_refusals(&mut self) {
        let now = self.books();
        assert_eq!(now.kept, self.before.kept, "{}: something was kept", self.subject.title);
        self.before = now;
    }

    /// Connections that the listener ended for this reason.
    pub fn cut(&self, reason: &str) -> i64 {
        self.running.metric(CUT, reason)
    }

    fn books(&self) -> Books {
        let capture = &self.running.capture;
        let lost = self.running.telemetry.metric(LOST);
        let reason = |labels: &[(&'static str, String)]| {
            labels.iter().find(|(name, _)| *name == "reason").map_or(String::new(), |(_, reason)| reason.clone())
        };
        Books {
            kept: capture.batches().iter().map(crate::event::Batch::len).sum(),
            refused: capture.refused(),
            failed: capture.failed().values().sum(),
            lost: lost.iter().flat_map(|lost| &lost.series).map(|(labels, count)| (reason(labels), *count)).collect(),
        }
    }

    /// Drains and ends the receiver.
    pub async fn close(mut self) {
        self.running.stop().await;
    }
}
