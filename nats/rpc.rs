//! Sending what is answered: publishes that are acknowledged, and questions to JetStream's API.
//!
//! Promises: one subscription for all answers; whatever ends a call (an answer, a limit, a broken connection, a refusal, being
//! dropped) leaves nothing behind; a call whose connection broke ends at once, since no answer will come.

use crate::{Failure, Link};
use async_nats::{Client, HeaderMap, StatusCode, Subscriber, client::PublishErrorKind};
use bytes::Bytes;
use futures_util::StreamExt;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::{OnceCell, oneshot};
use tokio_util::task::AbortOnDropHandle;

/// A message as it came.
pub use async_nats::Message;

/// Calls over one connection.
pub struct Rpc {
    link: Arc<Link>,
    answers: OnceCell<Answers>,
    waiting: Arc<Mutex<Waiting>>,
}

/// The subscription for answers, and who reads it.
struct Answers {
    /// Its subject, without the call's own word.
    prefix: String,
    _reader: AbortOnDropHandle<()>,
}

/// Who waits for an answer, by number.
#[derive(Default)]
struct Waiting {
    last: u64,
    calls: HashMap<u64, oneshot::Sender<Message>>,
}

/// Takes a call off the list when it ends.
struct Place<'r> {
    waiting: &'r Mutex<Waiting>,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.lock().calls.remove(&self.number);
    }
}

impl Rpc {
    /// Calls over `link`. Subscribes with the first call.
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, answers: OnceCell::new(), waiting: Arc::default() }
    }

    /// The connection.
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Connects and subscribes to answers. Calls do so themselves, but those that begin at once after this one also send in the
    /// order in which they begin.
    ///
    /// # Errors
    /// As [`Rpc::call`].
    pub async fn open(&self, limit: Duration) -> Result<(), Failure> {
        let client = self.link.ready(limit).await?;
        self.answers.get_or_try_init(|| self.subscribe(client)).await.map(drop)
    }

    /// Sends a message and returns its answer. Waits at most `limit` for the connection and as long for the answer.
    ///
    /// # Errors
    /// [`Failure`]; nothing is known of what became of the message unless it says so.
    ///
    /// Cancel-safe: dropped, the answer is not waited for.
    pub async fn call(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Message, Failure> {
        let client = self.link.ready(limit).await?;
        let mut state = self.link.watch();
        let (lost, refusals) = {
            let state = state.borrow_and_update();
            (state.lost, state.refusals())
        };
        let answers = self.answers.get_or_try_init(|| self.subscribe(client)).await?;
        let inbox = format!("{}.*", answers.prefix);
        let (sender, answer) = oneshot::channel();
        let place = self.take_place(sender);
        let reply = format!("{}.{}", answers.prefix, place.number);
        let sent = client.publish_with_reply_and_headers(subject.to_owned(), reply, headers, payload).await;
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Failure::TooLarge { limit: client.max_payload() },
            PublishErrorKind::InvalidSubject => Failure::Subject(subject.to_owned()),
            PublishErrorKind::Send => Failure::Lost,
        })?;
        let refused = async {
            // The link is there as long as this call, so there is always somebody who may say something.
            while {
                let state = state.borrow_and_update();
                if state.lost != lost {
                    return Failure::Lost;
                }
                if state.forbids(subject, refusals) {
                    return Failure::Forbidden(subject.to_owned());
                }
                // It is refused when it is made, which may be long before this call.
                if state.forbids(&inbox, 0) {
                    return Failure::Inbox(self.link.inbox_prefix().to_owned());
                }
                true
            } && state.changed().await.is_ok()
            {}
            Failure::Lost
        };
        let answered = tokio::select! {
            biased;
            answer = answer => answer.map_err(|_| Failure::Lost)?,
            failure = refused => return Err(failure),
            () = tokio::time::sleep(limit) => return Err(Failure::Silent(limit)),
        };
        if answered.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(Failure::NoResponders(subject.to_owned()));
        }
        Ok(answered)
    }

    fn take_place(&self, sender: oneshot::Sender<Message>) -> Place<'_> {
        let mut waiting = self.waiting.lock();
        waiting.last += 1;
        let number = waiting.last;
        waiting.calls.insert(number, sender);
        Place { waiting: &self.waiting, number }
    }

    async fn subscribe(&self, client: &Client) -> Result<Answers, Failure> {
        let prefix = client.new_inbox();
        let subscriber = client.subscribe(format!("{prefix}.*")).await.map_err(|_| Failure::Lost)?;
        let reader = tokio::spawn(read(subscriber, prefix.len() + 1, Arc::clone(&self.waiting)));
        Ok(Answers { prefix, _reader: AbortOnDropHandle::new(reader) })
    }
}

/// Hands answers to those who wait for them; an answer that came too late is nobody's.
async fn read(mut subscriber: Subscriber, prefix: usize, waiting: Arc<Mutex<Waiting>>) {
    while let Some(message) = subscriber.next().await {
        let number = message.subject.get(prefix..).and_then(|number| number.parse::<u64>().ok());
        let call = number.and_then(|number| waiting.lock().calls.remove(&number));
        if let Some(call) = call {
            let _ = call.send(message);
        }
    }
}
