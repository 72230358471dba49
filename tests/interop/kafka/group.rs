//! Two Lanners share a topic.

use super::{broker::Broker, lanners};
use crate::support::{
    load::{Door, Load},
    oracle::{Books, Oracle},
    oracle_sink::OracleSink,
    wait,
};
use std::time::Duration;

/// Alerts a second, and how many wait for their answer at a time.
const RATE: u32 = 300;
const SENDERS: u32 = 4;
/// So many arrive between two changes.
const BETWEEN: u64 = 600;
const ARRIVAL: Duration = Duration::from_secs(120);

/// Scenario: a Lanner reads a topic; a second one joins the group; the first is stopped in good order, and comes back; the
/// second is killed, and comes back. Alerts come all the time, without a key.
/// Guarantee: while there are two, both get alerts; whoever is left gets all; every alert that was acknowledged arrives,
/// whole, and what comes twice has its id.
#[test]
fn a_group_shares_and_takes_over() {
    let (oracle, books) = (Oracle::new(300), Books::default());
    let sinks = [(); 2].map(|()| OracleSink::listen(0, &oracle, &books));
    let broker = Broker::start();
    let port = wait::free_port();
    let mut front = lanners::start(&lanners::front(port, &broker.address(), "alerts", ", key: []"));
    let load = Load::start(Door::Falco, port, &oracle, SENDERS, RATE);
    let member = |index: usize| {
        let quick = ", session_timeout: 6s, heartbeat_interval: 1s";
        lanners::start(&lanners::back(sinks[index].port, &broker.address(), "alerts", quick))
    };
    let told = |what: &str| println!("{what}: {}", oracle.judge(&books));
    // Requests at these sinks come, and alerts with them.
    let goes_on = |what: &str, at: &[usize]| {
        let before: Vec<_> = at.iter().map(|sink| sinks[*sink].requests()).collect();
        let count = books.count();
        wait::until(&format!("{what}: alerts arrive"), ARRIVAL, || {
            let all = at.iter().zip(&before).all(|(sink, before)| sinks[*sink].requests() > before + 3);
            (all && books.count() > count + BETWEEN).then_some(())
        });
        told(what);
    };
    let mut first = member(0);
    goes_on("one", &[0]);
    let mut second = member(1);
    goes_on("a second joins", &[0, 1]);
    first.stop().row("logs -> otlp_grpc");
    goes_on("the first leaves", &[1]);
    first.start_again();
    goes_on("the first is back", &[0, 1]);
    second.kill();
    goes_on("the second is killed", &[0]);
    second.start_again();
    goes_on("the second is back", &[0, 1]);
    load.stop();
    oracle.wait_for(&books, ARRIVAL);
    told("at the end");
    oracle.judge(&books).assert_clean();
    assert!(books.ids_agree(), "what comes again has its id");
    for (post, route) in
        [(&mut first, "logs -> otlp_grpc"), (&mut second, "logs -> otlp_grpc"), (&mut front, "logs -> kafka")]
    {
        let ledger = post.stop();
        let row = ledger.row(route);
        assert_eq!((row.queued, row.discarded, row.rejected), (0, 0, 0), "{}", row.text);
    }
}
