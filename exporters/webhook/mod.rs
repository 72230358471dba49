//! `webhook` posts records to whatever takes HTTP: as Falco's JSON, as a template says, or in the form of a known sink.
//!
//! Flow: `shape` writes each record as a piece (`plain`, `template`, `preset`); pieces are put together up to the sink's limits;
//! `sign` signs the body; the answer is read by the shape, record by record where the sink tells them apart. The next body is
//! written while one is on its way: it then follows at once, which spares sink and sender some sleep and waking up.
//!
//! Promises
//! - Every record of a request is settled once (`Request::progress`): after a retry only those are sent again that the sink is
//!   not known to have.
//! - A bad record takes no neighbour along. A body that is too large is halved here; one that is refused without a word about
//!   which record is at fault is left open, and the engine halves what is left of the request.
//! - Field values are data in every format. Secrets (the URL is one) are told to nobody.

mod chat;
mod check;
mod config;
mod idempotency;
mod open;
mod plain;
mod preset;
mod shape;
mod sign;
mod template;
#[cfg(test)]
mod tests;

use crate::http::{Client, RetryStatuses, Veil, Verdict};
use check::Plan;
use config::Config;
use futures_util::future::join;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use lanner_engine::{
    component::Settled,
    event::otlp::{DecodeError, LogReader},
    net::client::{Compressor, peer_text},
    prelude::*,
    semantics::keys,
    telemetry::Counter,
};
use open::Open;
use reqwest::{Method, Url};
use shape::{Answer, Frame, Piece, Shape};
use sign::Signer;
use std::time::Duration;

/// The component type.
pub struct Webhook;

/// What this exporter starts from: a request may need several bodies.
pub const DELIVERY: DeliveryDefaults = DeliveryDefaults { queue: true, timeout: Duration::from_secs(30) };

/// Time for one body.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// So many records are written before other tasks get a turn.
const RECORDS_PER_TURN: usize = 32;

impl Component for Webhook {
    const TYPE: &'static str = "webhook";
    const STABILITY: Stability = Stability::Beta;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct WebhookExporter {
    client: Client,
    url: Url,
    method: Method,
    shape: Box<dyn Shape>,
    frame: Frame,
    content_type: HeaderValue,
    compressor: Compressor,
    signer: Option<Signer>,
    retry: RetryStatuses,
    veil: Veil,
    unwritable: Counter,
    undefined: Counter,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let label = [("exporter", cx.id.as_str())];
        let frame = self.shape.frame();
        Ok(Box::new(WebhookExporter {
            client: Client::new(self.settings, Some(CALL_LIMIT))?,
            url: self.url,
            method: self.method,
            content_type: frame.content_type.parse()?,
            frame,
            shape: self.shape,
            compressor: Compressor::new(self.compression),
            signer: self.signer,
            retry: self.retry,
            veil: self.veil,
            unwritable: cx.telemetry.counter(
                "lanner_exporter_unwritable_records",
                "Records that could not be written in the sink's format, such as a template that failed; they are rejected.",
                "{record}",
                &label,
            ),
            undefined: cx.telemetry.counter(
                "lanner_webhook_undefined_values",
                "Values that a template asked for and the record did not have.",
                "{value}",
                &label,
            ),
        }))
    }
}

#[async_trait]
impl Exporter for WebhookExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let mut open = Open::of(request);
        // Bodies that wait behind the one being sent, the next one last.
        let mut waiting: Vec<Vec<Piece<'_>>> = Vec::new();
        let (mut next, mut ahead) = (None, None);
        // Why a body was refused of which nobody knows the bad record.
        let mut refused = None;
        loop {
            let body = match waiting.pop() {
                Some(body) => body,
                None => {
                    let written = match next.take() {
                        Some(written) => written,
                        None => self.gather(&mut open, &mut ahead, request).await,
                    };
                    match written {
                        Ok(body) => body,
                        Err(error) => return Outcome::Reject { reason: error.to_string() },
                    }
                }
            };
            if body.is_empty() {
                break;
            }
            // The next one is written while this one is on its way, so that it follows at once.
            let write_next = async {
                if next.is_none() {
                    next = Some(self.gather(&mut open, &mut ahead, request).await);
                }
            };
            let (answer, ()) = join(self.send(&body), write_next).await;
            match answer {
                Answer::All(Verdict::Delivered) => {
                    body.iter().for_each(|piece| request.progress().settle(piece.item, Settled::Delivered));
                }
                Answer::All(Verdict::Retry { after, reason }) => return Outcome::Retry { after, reason },
                Answer::All(Verdict::TooLarge { reason }) => halve(body, &mut waiting, request, reason),
                Answer::All(Verdict::Reject { reason } | Verdict::Refuse { reason }) if body.len() == 1 => {
                    body.iter().for_each(|piece| reject(request, piece.item, reason.clone()));
                }
                Answer::All(Verdict::Reject { reason }) => drop(refused.get_or_insert(reason)),
                Answer::All(Verdict::Refuse { reason }) => return Outcome::Refuse { reason },
                Answer::BadAt { at, reason } => {
                    let mut taken = body;
                    let behind = taken.split_off(taken.len().min(at + 1));
                    if let Some(bad) = taken.pop() {
                        reject(request, bad.item, reason);
                    }
                    taken.iter().for_each(|piece| request.progress().settle(piece.item, Settled::Delivered));
                    if !behind.is_empty() {
                        waiting.push(behind);
                    }
                }
                Answer::Each(verdicts) => {
                    if let Some(retry) = settle_each(&body, verdicts, request) {
                        return retry;
                    }
                }
            }
        }
        match refused {
            Some(reason) => Outcome::Reject { reason },
            None => request.progress().outcome().unwrap_or(Outcome::Delivered),
        }
    }
}

impl WebhookExporter {
    /// Writes records until a body is full. `ahead` is one that was written already and did not fit.
    ///
    /// # Errors
    /// The next record cannot be read.
    async fn gather<'r>(
        &self,
        open: &mut Open<'r>,
        ahead: &mut Option<Piece<'r>>,
        request: &Request,
    ) -> Result<Vec<Piece<'r>>, DecodeError> {
        let mut body: Vec<Piece<'r>> = ahead.take().into_iter().collect();
        let mut length: usize = body.iter().map(|piece| piece.bytes.len()).sum();
        while body.len() < self.frame.max_records {
            let Some((item, records)) = open.next()? else { break };
            // Both numbers come from the same bytes; should they differ, what is not there cannot be sent.
            let written = match records {
                Some(records) => match self.shape.piece(records) {
                    Ok(bytes) => Ok(Piece { item, uid: uid_of(records), bytes: bytes.into() }),
                    Err(error) => Err(error.to_string()),
                },
                None => Err("the request has fewer records than it says".to_owned()),
            };
            match written {
                Ok(piece) if !body.is_empty() && length + piece.bytes.len() > self.frame.max_bytes => {
                    *ahead = Some(piece);
                    break;
                }
                Ok(piece) => {
                    length += piece.bytes.len();
                    body.push(piece);
                }
                Err(reason) => {
                    self.unwritable.add(1);
                    reject(request, item, peer_text(reason.as_bytes()));
                }
            }
            if (item + 1) % RECORDS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        self.undefined.add(self.shape.take_undefined());
        Ok(body)
    }

    async fn send(&self, pieces: &[Piece<'_>]) -> Answer {
        let plain = self.frame.body(pieces);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        if self.shape.has_key()
            && let Some(key) = idempotency::key(pieces, &plain)
        {
            headers.insert(&idempotency::IDEMPOTENCY_KEY, key);
        }
        let body = match self.compressor.compress(&plain).await {
            Ok(body) => body,
            Err(error) => return Answer::All(Verdict::Retry { after: None, reason: error.to_string() }),
        };
        if let Some(name) = self.compressor.compression().wire_name() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        if let Some(signer) = &self.signer {
            signer.sign(&body, Timestamp::now().as_second(), &mut headers);
        }
        let limit = self.shape.reply_limit();
        match self.client.send(&self.method, &self.url, headers, body, limit).await {
            Ok(reply) => self.shape.read(&reply, pieces.len(), &self.retry, &self.veil),
            Err(unanswered) => Answer::All(unanswered.into()),
        }
    }
}

/// The id of the current record.
fn uid_of<'r>(records: &LogReader<'r>) -> &'r str {
    records.lent().attrs.get_str(&keys::UID).unwrap_or_default()
}

/// Sends the halves instead; a record that stands alone is the bad one.
fn halve<'r>(mut body: Vec<Piece<'r>>, waiting: &mut Vec<Vec<Piece<'r>>>, request: &Request, reason: String) {
    if let [piece] = &body[..] {
        return reject(request, piece.item, reason);
    }
    let second = body.split_off(body.len() / 2);
    waiting.push(second);
    waiting.push(body);
}

/// Settles what the sink told apart; the outcome, if some of it is to be sent again.
fn settle_each(body: &[Piece<'_>], verdicts: Vec<Verdict>, request: &Request) -> Option<Outcome> {
    let mut again = None;
    for (piece, verdict) in body.iter().zip(verdicts) {
        match verdict {
            Verdict::Delivered => request.progress().settle(piece.item, Settled::Delivered),
            Verdict::Retry { after, reason } => again = again.or(Some(Outcome::Retry { after, reason })),
            Verdict::TooLarge { reason } | Verdict::Reject { reason } | Verdict::Refuse { reason } => {
                reject(request, piece.item, reason);
            }
        }
    }
    again
}

fn reject(request: &Request, item: usize, reason: String) {
    request.progress().settle(item, Settled::Rejected { reason });
}
