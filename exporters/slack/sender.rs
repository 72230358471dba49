//! The task that posts: one message at a time, at a pace that Slack takes.
//!
//! Promises: calls are at least `interval` apart, also after failures; nothing is posted before a time that Slack named; a
//! short wait is sat out with the line as it is, a long one is handed to the engine, which brings everything back then;
//! whatever a call brought is settled by its verdict, in every case.

use super::{
    client::{Api, Method, Posted, Verdict},
    digest::digest,
    line::{Job, Line, Notice},
    message::Look,
    threads::Threads,
};
use crate::{
    handover::Ticket,
    pause::{Pause, Wait},
};
use lanner_engine::telemetry::Counter;
use serde_json::{Value as Json, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait when Slack does not say.
const UNNAMED_WAIT: Duration = Duration::from_secs(10);
const GONE: &str = "Slack misses a message that was not referred to";

/// Posts what is in the line.
pub struct Sender {
    pub line: Line,
    pub api: Box<dyn Api>,
    /// Web API only: the channel, and what hangs on its messages.
    pub channel: Option<String>,
    pub threads: tokio::sync::Mutex<Threads>,
    pub look: Look,
    pub interval: Duration,
    pub cells: Cells,
    pub pause: Pause,
}

/// Own metrics.
pub struct Cells {
    /// By [`Cells::KINDS`].
    pub messages: [Counter; 4],
    pub folded: Counter,
    pub limited: Counter,
}

impl Cells {
    pub const KINDS: [&str; 4] = ["message", "reply", "update", "digest"];
}

/// What a call is about.
struct Call {
    kind: usize,
    method: Method,
    message: Json,
}

impl Sender {
    /// Posts for ever.
    pub async fn run(&self) {
        let mut next = Instant::now();
        loop {
            self.line.arrived().await;
            tokio::time::sleep_until(self.pause.not_before(next)).await;
            // Chosen now, so that the most urgent one goes first.
            let Some(job) = self.line.next() else { continue };
            next = Instant::now() + self.interval;
            match job {
                Job::Digest(folded) => {
                    let call = Call { kind: 3, method: Method::Post, message: digest(&folded, Instant::now()) };
                    match self.call(call).await {
                        Verdict::Limited { wait, reason } => self.leave_alone(wait, &reason, Job::Digest(folded)),
                        verdict => {
                            if matches!(verdict, Verdict::Posted(_)) {
                                self.cells.folded.add(folded.len() as u64);
                            }
                            settle(folded.into_iter().map(|folded| folded.ticket), &verdict);
                        }
                    }
                }
                Job::One(rank, notice) => {
                    let mut threads = self.threads.lock().await;
                    match self.post(&notice, &mut threads).await {
                        Verdict::Limited { wait, reason } => self.leave_alone(wait, &reason, Job::One(rank, notice)),
                        Verdict::Gone => self.line.put_back(Job::One(rank, notice)),
                        verdict => settle(notice.tickets.into_iter(), &verdict),
                    }
                }
            }
        }
    }

    /// Posts a record: into the thread of what it belongs to, or as its top.
    async fn post(&self, notice: &Notice, threads: &mut Threads) -> Verdict {
        let mut message = self.look.message(&notice.resource, &notice.record);
        let key = notice.thread.as_deref().filter(|_| self.channel.is_some());
        let thread = key.and_then(|key| threads.get(key));
        let mut call = match &thread {
            None => Call { kind: 0, method: Method::Post, message },
            Some(thread) => match &thread.report {
                Some(report) if notice.is_report => {
                    message["ts"] = json!(report);
                    Call { kind: 2, method: Method::Update, message }
                }
                _ => {
                    message["thread_ts"] = json!(thread.ts);
                    Call { kind: 1, method: Method::Post, message }
                }
            },
        };
        if let Some(thread) = &thread {
            call.message["channel"] = json!(thread.channel);
        }
        let (is_update, had_thread) = (call.method == Method::Update, thread.is_some());
        let verdict = self.call(call).await;
        if let Some(key) = key {
            match (&verdict, thread) {
                (Verdict::Posted(Some(Posted { channel, ts })), None) => {
                    threads.began(key, channel.clone(), ts.clone(), notice.is_report).await;
                }
                (Verdict::Posted(Some(Posted { ts, .. })), Some(thread)) if notice.is_report && !is_update => {
                    threads.reported(key, thread, ts.clone()).await;
                }
                (Verdict::Gone, Some(_)) => threads.forget(key).await,
                _ => {}
            }
        }
        match verdict {
            // Nothing was meant that could be gone.
            Verdict::Gone if !had_thread => Verdict::Refused { reason: GONE.to_owned() },
            verdict => verdict,
        }
    }

    async fn call(&self, mut call: Call) -> Verdict {
        if let (Some(channel), None) = (&self.channel, call.message.get("channel")) {
            call.message["channel"] = json!(channel);
        }
        let verdict = self.api.call(call.method, &call.message).await;
        if matches!(verdict, Verdict::Posted(_)) {
            self.cells.messages[call.kind].add(1);
        }
        verdict
    }

    /// Waits as Slack asked.
    fn leave_alone(&self, wait: Option<Duration>, reason: &str, job: Job) {
        self.cells.limited.add(1);
        let wait = wait.unwrap_or(UNNAMED_WAIT);
        self.line.put_back(job);
        if self.pause.begin(wait) == Wait::Engine {
            self.line.clear().into_iter().for_each(|ticket| ticket.retry(Some(wait), reason));
        }
    }
}

fn settle(tickets: impl Iterator<Item = Ticket>, verdict: &Verdict) {
    for ticket in tickets {
        match verdict {
            Verdict::Posted(_) => ticket.delivered(),
            Verdict::Refused { reason } => ticket.rejected(reason),
            Verdict::Later { reason } | Verdict::Limited { reason, .. } => ticket.retry(None, reason),
            Verdict::Gone => ticket.rejected(GONE),
        }
    }
}
