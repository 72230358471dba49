//! The conformance kit finds what it is there to find: a well-behaved receiver passes every row, and with one fault at a time
//! it fails the row that is about it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends with the place")]

mod mailbox;

use lanner_engine::{
    component::Factory,
    testing::receiver::{
        Clock,
        push::{self, Case, Expect, Format, Protocol, PushSubject},
    },
};
use mailbox::{Fault, Mailbox};

/// The mailbox takes lines of text; a line of a single `!` is invalid.
fn subject_with(config: fn(&lanner_engine::testing::receiver::Place) -> String) -> PushSubject {
    let busy = Expect::refused("503, Retry-After: 1", "busy", 0);
    PushSubject {
        title: "mailbox",
        factory: Factory::receiver::<Mailbox>(),
        config,
        protocol: Protocol::Http1,
        path: "/",
        content_type: "text/plain",
        encodings: &["gzip", "zstd"],
        format: Format::Json,
        one: Case::new("one", Expect::taken("200", 1)),
        several: Case::new("one\ntwo\nthree", Expect::taken("200", 3)),
        some_invalid: Case::new("one\n!\nthree", Expect { failed: 1, ..Expect::taken("200", 2) }),
        invalid: Case::new("!", Expect::refused("400", "invalid", 1)),
        too_deep: Case::new("[".repeat(10_000), Expect::taken("200", 1)),
        waits: false,
        busy,
        no_room: busy,
        draining: Expect::refused("503, Retry-After: 1", "draining", 0),
        too_large: Expect::refused("413", "too_large", 1),
        too_slow: Expect::refused("408", "body_timeout", 1),
        sender_gone: Expect::taken("", 1),
        broken_body: Expect::refused("", "broken_body", 1),
    }
}

fn subject() -> PushSubject {
    subject_with(|place| mailbox::config(place, Fault::None))
}

mod a_good_receiver_passes {
    lanner_engine::push_receiver_conformance!(super::subject);
}

/// Runs a row in a runtime of its own and tells whether it failed.
fn fails<F: Future<Output = ()>>(row: impl FnOnce(Clock) -> F) -> bool {
    let clock = Clock { pause: tokio::time::pause, advance: |by| Box::pin(tokio::time::advance(by)) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(row(clock)))).is_err()
}

/// Makes a test for a fault: the receiver has it, and the row must fail.
macro_rules! found {
    ($($(#[$doc:meta])* $fault:ident: $name:ident by $row:expr;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            let subject = subject_with(|place| mailbox::config(place, Fault::$fault));
            let row: fn(&'static PushSubject, Clock) -> std::pin::Pin<Box<dyn Future<Output = ()>>> = $row;
            assert!(fails(|clock| row(Box::leak(Box::new(subject)), clock)), "the kit did not notice");
        }
    )*};
}

found! {
    /// Scenario: a receiver answers before the pipeline took the request.
    /// Guarantee: the kit notices.
    AnswersEarly: an_early_answer by |subject, _| Box::pin(push::not_answered_before_it_is_taken(subject));
    /// Scenario: room in the memory budget is never given back.
    /// Guarantee: the kit notices.
    KeepsRoom: kept_room by |subject, _| Box::pin(push::accepted(subject));
    /// Scenario: refused requests are not counted.
    /// Guarantee: the kit notices.
    CountsNothing: uncounted_losses by |subject, _| Box::pin(push::busy(subject));
    /// Scenario: a refused request is answered as if it had been taken.
    /// Guarantee: the kit notices.
    SaysTaken: a_false_answer by |subject, _| Box::pin(push::draining(subject));
    /// Scenario: senders that break off are counted for another reason.
    /// Guarantee: the kit notices.
    MiscountsBroken: miscounted_senders by |subject, _| Box::pin(push::broken_body(subject));
    /// Scenario: bodies have no limit.
    /// Guarantee: the kit notices.
    NoBodyLimit: unlimited_bodies by |subject, _| Box::pin(push::size_is_capped(subject));
    /// Scenario: what a compressed body unpacks to has no limit.
    /// Guarantee: the kit notices.
    NoUnpackedLimit: a_bomb by |subject, _| Box::pin(push::decompression_is_capped(subject));
    /// Scenario: connections have no limit.
    /// Guarantee: the kit notices.
    NoConnectionLimit: unlimited_connections by |subject, _| Box::pin(push::connections_are_capped(subject));
    /// Scenario: heads of requests may take for ever.
    /// Guarantee: the kit notices.
    NoHeadLimit: endless_heads by |subject, clock| Box::pin(push::slow_head(subject, clock));
    /// Scenario: bodies may take for ever.
    /// Guarantee: the kit notices.
    NoBodyTime: endless_bodies by |subject, clock| Box::pin(push::slow_body(subject, clock));
    /// Scenario: a request in flight holds the drain for ever.
    /// Guarantee: the kit notices.
    EndlessDrain: an_endless_drain by |subject, clock| Box::pin(push::drain_is_bounded(subject, clock));
    /// Scenario: requests in flight are cut off on drain.
    /// Guarantee: the kit notices.
    CutsOff: a_cut_on_drain by |subject, _| Box::pin(push::draining_finishes_what_is_in_flight(subject));
    /// Scenario: a request panics.
    /// Guarantee: the kit notices.
    Panics: a_panic by |subject, _| Box::pin(push::invalid(subject));
}
