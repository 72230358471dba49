//! The connection: made when it is first wanted, kept by the client library, and watched here.
//!
//! Promises: a broken connection is made again, with jitter, however often; who waits for one is told why there is none; a login
//! that the server refused is told apart from a server that is away; what the server forbids is told to whom it concerns; of
//! everything the server says a bounded part is kept.

use crate::{Connection, Failure};
use async_nats::{Client, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerError, connection};
use lanner_engine::{component::BoxError, net::client::peer_text};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{OnceCell, watch},
    time::{Instant, timeout_at},
};

/// First and longest nominal delay between two attempts to connect.
const DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(4));
/// The delay after a login was refused: the next one will be, too, until somebody changes something.
const DENIED_DELAY: Duration = Duration::from_secs(15);
/// How long making one connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How often the server is asked for a sign of life; it has two chances to give one.
const PING: Duration = Duration::from_secs(10);
/// How often somebody who waits looks for himself: events of the library can get lost.
const LOOK: Duration = Duration::from_millis(250);
/// Messages that wait to be read or written; more are not asked for (see the receiver's batches and the exporter's bound).
const CAPACITY: usize = 8192;
/// Refusals that are remembered.
const REFUSALS: usize = 64;
/// How long what was written may take to leave at the end.
const FLUSH: Duration = Duration::from_secs(2);

/// A connection to NATS that comes back.
pub struct Link {
    connection: Connection,
    options: Mutex<Option<ConnectOptions>>,
    client: OnceCell<Client>,
    seen: Arc<Seen>,
}

/// What the library has told.
struct Seen {
    state: watch::Sender<State>,
    /// Nobody wants the connection any more.
    over: AtomicBool,
}

/// How the connection is.
#[derive(Clone, Debug, Default)]
pub struct State {
    condition: Condition,
    /// How often it broke.
    pub lost: u64,
    /// What the server said it does not allow, the newest last, with a number each.
    forbidden: VecDeque<(u64, String)>,
    refusals: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Condition {
    #[default]
    New,
    Up,
    Down(String),
    /// The server did not accept the login.
    Denied,
}

impl State {
    /// A number to tell refusals before now from those after.
    pub fn refusals(&self) -> u64 {
        self.refusals
    }

    /// Whether the server refused `what`, which stands in its message in quotes, after the refusal of this number.
    pub fn forbids(&self, what: &str, after: u64) -> bool {
        let quoted = |text: &str| text.split('"').nth(1) == Some(what);
        self.forbidden.iter().any(|(number, text)| *number > after && quoted(text))
    }
}

impl Seen {
    fn note(&self, event: Event) {
        self.state.send_modify(|state| match event {
            Event::Connected => {
                state.condition = Condition::Up;
                state.forbidden.clear();
            }
            Event::Disconnected => {
                state.condition = Condition::Down("the connection broke".to_owned());
                state.lost += 1;
            }
            Event::ServerError(ServerError::AuthorizationViolation) => state.condition = Condition::Denied,
            // The library hands its own kinds on as text.
            Event::ClientError(ClientError::Other(text)) => {
                let denied = [ConnectErrorKind::AuthorizationViolation, ConnectErrorKind::Authentication];
                let is_denied = denied.iter().any(|kind| kind.to_string() == text);
                state.condition = if is_denied { Condition::Denied } else { Condition::Down(text) };
            }
            // The protocol has no codes for what is forbidden, only a sentence with the subject in quotes.
            Event::ServerError(ServerError::Other(text)) => {
                state.refusals += 1;
                if state.forbidden.len() == REFUSALS {
                    state.forbidden.pop_front();
                }
                state.forbidden.push_back((state.refusals, peer_text(text.as_bytes())));
            }
            _ => {}
        });
    }

    /// The delay before an attempt to connect, counted from 1.
    fn delay(&self, attempt: usize) -> Duration {
        if self.over.load(Relaxed) {
            // The library has no way to give up an attempt: it then sleeps for good instead of knocking.
            return Duration::MAX;
        }
        let nominal = match self.state.borrow().condition {
            Condition::Denied => DENIED_DELAY,
            _ if attempt <= 1 => return Duration::ZERO,
            _ => DELAYS.0.saturating_mul(1 << (attempt - 2).min(16)).min(DELAYS.1),
        };
        nominal.mul_f64(0.5 + 0.5 * fastrand::f64())
    }
}

impl Link {
    /// Reads certificates and credentials. Connects when it is first wanted.
    ///
    /// # Errors
    /// A file cannot be read or is not what it should be.
    pub fn new(connection: Connection, name: &str) -> Result<Self, BoxError> {
        let seen = Arc::new(Seen { state: watch::Sender::default(), over: AtomicBool::new(false) });
        let (noting, delaying) = (Arc::clone(&seen), Arc::clone(&seen));
        let options = connection
            .options()?
            .name(name)
            .retry_on_initial_connect()
            .connection_timeout(CONNECT_LIMIT)
            .ping_interval(PING)
            .subscription_capacity(CAPACITY)
            .client_capacity(CAPACITY)
            .reconnect_delay_callback(move |attempt| delaying.delay(attempt))
            .event_callback(move |event| {
                noting.note(event);
                std::future::ready(())
            });
        Ok(Self { connection, options: Mutex::new(Some(options)), client: OnceCell::new(), seen })
    }

    /// The prefix of subjects that answers come to.
    pub fn inbox_prefix(&self) -> &str {
        &self.connection.inbox_prefix
    }

    /// What to call the servers in messages.
    pub fn servers(&self) -> String {
        let servers: Vec<String> =
            self.connection.servers.iter().map(|at| format!("{}:{}", at.host(), at.port())).collect();
        servers.join(", ")
    }

    /// How the connection is, now and later.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.seen.state.subscribe()
    }

    /// The client, once it is connected; waits at most `limit`. Cancel-safe.
    ///
    /// # Errors
    /// [`Failure::Login`] at once when the server refuses it, [`Failure::Down`] when there is no connection in time.
    pub async fn ready(&self, limit: Duration) -> Result<&Client, Failure> {
        let (end, mut state) = (Instant::now() + limit, self.watch());
        let client = self.client().await?;
        loop {
            if client.connection_state() == connection::State::Connected {
                return Ok(client);
            }
            let reason = match &state.borrow_and_update().condition {
                Condition::Denied => return Err(Failure::Login),
                Condition::Down(reason) => reason.clone(),
                Condition::New | Condition::Up => "no answer yet".to_owned(),
            };
            if Instant::now() >= end {
                return Err(Failure::Down { servers: self.servers(), reason });
            }
            // Over or not, the loop looks again.
            let _ = timeout_at(end.min(Instant::now() + LOOK), state.changed()).await;
        }
    }

    async fn client(&self) -> Result<&Client, Failure> {
        let connect = || async {
            // Taken once: the cell runs this until it succeeds, and with an initial retry it cannot fail but here.
            let options = self.options.lock().clone().ok_or_else(|| self.unusable("closed"))?;
            options
                .connect(self.connection.servers.clone())
                .await
                .map_err(|error| self.unusable(&error.kind().to_string()))
        };
        self.client.get_or_try_init(connect).await
    }

    fn unusable(&self, reason: &str) -> Failure {
        Failure::Down { servers: self.servers(), reason: reason.to_owned() }
    }

    /// Lets what was written leave, and closes the connection.
    pub async fn close(&self) {
        self.options.lock().take();
        let Some(client) = self.client.get() else { return };
        if client.connection_state() == connection::State::Connected {
            let _ = tokio::time::timeout(FLUSH, client.flush()).await;
        }
        let _ = tokio::time::timeout(FLUSH, client.drain()).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.seen.over.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen { state: watch::Sender::default(), over: AtomicBool::new(false) }
    }

    fn forbidden(subject: &str) -> Event {
        Event::ServerError(ServerError::Other(format!("Permissions Violation for Publish to \"{subject}\"")))
    }

    /// Scenario: attempts to connect, many of them; a refused login; a link that nobody wants any more.
    /// Guarantee: the first attempt is made at once, the others after a growing, drawn and bounded time; after a refused login it
    /// is longer; at the end there is none.
    #[test]
    fn delays_grow_and_are_drawn() {
        let seen = seen();
        assert_eq!(seen.delay(1), Duration::ZERO);
        for attempt in [2, 3, 7, 8, 100, usize::MAX] {
            let delay = seen.delay(attempt);
            let nominal = DELAYS.0.saturating_mul(1 << (attempt - 2).min(16)).min(DELAYS.1);
            assert!(nominal / 2 <= delay && delay <= nominal, "{attempt}: {delay:?}");
        }
        seen.note(Event::ClientError(ClientError::Other(ConnectErrorKind::AuthorizationViolation.to_string())));
        assert_eq!(seen.state.borrow().condition, Condition::Denied);
        assert!(seen.delay(1) >= DENIED_DELAY / 2);
        seen.over.store(true, Relaxed);
        assert_eq!(seen.delay(1), Duration::MAX);
    }

    /// Scenario: the server refuses many subjects, one of them before anybody asked; then the connection is made anew.
    /// Guarantee: only refusals after the question count, for exactly that subject; few are kept; a new connection starts afresh.
    #[test]
    fn refusals_are_told_to_whom_they_concern() {
        let seen = seen();
        seen.note(forbidden("old"));
        let before = seen.state.borrow().refusals();
        seen.note(forbidden("falco.a"));
        let state = seen.state.borrow().clone();
        assert!(state.forbids("falco.a", before) && !state.forbids("falco", before) && !state.forbids("old", before));
        (0..1000).for_each(|number| seen.note(forbidden(&number.to_string())));
        assert_eq!(seen.state.borrow().forbidden.len(), REFUSALS);
        seen.note(Event::Connected);
        assert!(!seen.state.borrow().forbids("999", before));
    }
}
