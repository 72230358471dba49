//! Kafka and the Lanners at both its ends are killed.

use super::{broker::Broker, lanners};
use crate::support::{
    load::{Door, Load},
    oracle::{Books, Oracle},
    oracle_sink::OracleSink,
    wait,
};
use std::time::{Duration, Instant};

/// Alerts a second, and how many wait for their answer at a time.
const RATE: u32 = 500;
const SENDERS: u32 = 8;
/// So many alerts are taken before a kill, which is longer than what was read goes uncommitted, and after it.
const BETWEEN: u64 = 1500;
/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kill {
    Nobody,
    Broker,
    Front,
    Back,
    Everybody,
}

/// Scenario: alerts flow from Falco through a Lanner, Kafka and a second Lanner to a sink. Under this load Kafka, the first
/// Lanner, the second one and then all three are killed (SIGKILL), and started again.
/// Guarantee: every alert that was acknowledged arrives, whole, and nothing else does. Without a kill none comes twice; with
/// one, only alerts of that time do, and under the same id. Both books close with nothing rejected.
#[test]
fn a_kill_anywhere_loses_nothing() {
    let (oracle, books) = (Oracle::new(300), Books::default());
    let sink = OracleSink::listen(0, &oracle, &books);
    let mut broker = Broker::start();
    let port = wait::free_port();
    let mut front = lanners::start(&lanners::front(port, &broker.address(), "alerts", ""));
    let mut back = lanners::start(&lanners::back(sink.port, &broker.address(), "alerts", ""));
    for kill in [Kill::Nobody, Kill::Broker, Kill::Front, Kill::Back, Kill::Everybody] {
        let (first, taken, started) = (oracle.issued(), oracle.count(), Instant::now());
        let twice = books.twice();
        let load = Load::start(Door::Falco, port, &oracle, SENDERS, RATE);
        let until = |count| wait::until("alerts are taken", ARRIVAL, || (oracle.count() >= count).then_some(()));
        until(taken + BETWEEN);
        if matches!(kill, Kill::Front | Kill::Everybody) {
            front.kill();
        }
        if matches!(kill, Kill::Back | Kill::Everybody) {
            back.kill();
        }
        if matches!(kill, Kill::Broker | Kill::Everybody) {
            broker.kill();
            broker.start_again();
        }
        if matches!(kill, Kill::Front | Kill::Everybody) {
            front.start_again();
        }
        if matches!(kill, Kill::Back | Kill::Everybody) {
            back.start_again();
        }
        until(oracle.count() + BETWEEN);
        load.stop();
        oracle.wait_for(&books, ARRIVAL);
        let new: Vec<_> = books.twice().difference(&twice).copied().collect();
        println!(
            "{kill:?} killed: {} alerts, {} of them twice, {:.1?}; {}",
            oracle.issued() - first,
            new.len(),
            started.elapsed(),
            oracle.judge(&books)
        );
        assert!(kill != Kill::Nobody || new.is_empty(), "{new:?}");
        assert!(new.iter().all(|number| *number >= first), "of before {first}: {new:?}");
    }
    oracle.judge(&books).assert_clean();
    assert!(books.ids_agree(), "what comes again has its id");
    let (front, back) = (front.stop(), back.stop());
    for row in [front.row("logs -> kafka"), back.row("logs -> otlp_grpc")] {
        assert_eq!((row.queued, row.discarded, row.rejected), (0, 0, 0), "{}", row.text);
    }
}
