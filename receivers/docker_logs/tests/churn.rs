//! Many containers that come and go.

use super::{
    fake_engine::{FakeContainer, FakeEngine},
    reconnect::{NOW, Running, bodies, poll_for},
};
use crate::docker_logs::watch::RECONCILE;
use std::{collections::BTreeSet, time::Duration};

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(30);

/// Scenario: C7: the stream of events says nothing while 500 containers start, of which most stop and some are removed; then
/// all it has missed comes at once, late and in part about containers that are gone.
/// Guarantee: with the next look at the list, 30 s later at the most, exactly those that run are followed, and it stays so;
/// each line of those that the daemon still has arrives once.
#[tokio::test]
async fn c7_a_stalled_stream_of_events_is_made_up_for() {
    let engine = FakeEngine::start();
    let running = Running::start_with(&engine, |config| config.max_containers = 200).await;
    // Which of both it asks for first is chance; what matters is that it has looked since it listens.
    let looked = || {
        let asked = engine.requests("");
        let listens = asked.iter().position(|path| path.contains("/events"));
        asked.iter().rposition(|path| path.contains("/containers/json")) > listens
    };
    poll_for(SLACK, || engine.listeners() == 1 && looked()).await;
    let (mut runs, mut kept, mut events) = (BTreeSet::new(), 0, Vec::new());
    for number in 0..500 {
        let (id, name) = (format!("c{number}"), format!("falco-{number}"));
        let mut container = FakeContainer::running(&name);
        container.write(1, NOW + number, &format!("line of {id}\n"));
        events.push(("start", id.clone(), name.clone()));
        match number % 5 {
            0 => drop(runs.insert(id.clone())),
            1 => {
                events.push(("destroy", id, name));
                continue;
            }
            _ => {
                container.exit();
                events.push(("die", id.clone(), name));
            }
        }
        kept += 1;
        engine.add(&id, container);
    }
    let followed = || running.metric("lanner.docker_logs.streams") == runs.len() as i64;
    poll_for(RECONCILE + SLACK, || running.capture.records().len() == kept && followed()).await;
    for (action, id, name) in &events {
        engine.event(action, id, name);
    }
    for id in &runs {
        engine.write(id, 1, NOW + 1_000_000, &format!("second line of {id}\n"));
    }
    running.items(kept + runs.len()).await;
    poll_for(SLACK, followed).await;
    let mut found = bodies(&running.stop().await);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), kept + runs.len(), "each came once");
}
