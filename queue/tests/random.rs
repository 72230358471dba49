//! Anything, in any order, on a disk that does anything (D3, D5, D6, Z5).

use super::model::{Model, Op, QUEUES};
use crate::fs::simulated::{Fault, Simulated, Stop};
use proptest::prelude::*;

fn op() -> impl Strategy<Value = Op> {
    let queue = 0..QUEUES.len();
    let queues =
        prop::collection::btree_set(0..QUEUES.len(), 1..=3).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    let append = (queues.clone(), 9usize..900);
    prop_oneof![
        3 => prop::collection::vec(append, 2..6).prop_map(Op::Group),
        8 => (queues, 9usize..1600).prop_map(|(queues, size)| Op::Append(queues, size)),
        4 => (queue.clone(), 1usize..8).prop_map(|(queue, count)| Op::Settle(queue, count)),
        3 => (queue.clone(), 1usize..8).prop_map(|(queue, count)| Op::SettleSome(queue, count)),
        // The model knows what is dropped only where nothing is held.
        1 => (prop::sample::select(vec![0, 1, 3]), 1usize..3).prop_map(|(queue, count)| Op::Hold(queue, count)),
        1 => Just(Op::WriteAcknowledgements),
        1 => Just(Op::Reclaim),
        1 => Just(Op::Restart),
    ]
}

/// Faults that a disk shows while it goes on.
fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        2 => Just(Fault::Error),
        2 => Just(Fault::NoSpace),
        1 => Just(Fault::Interrupted),
        2 => Just(Fault::Short),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Scenario: random work, writes and reads that fail, fall short or are interrupted at random operations, and in
    /// the end a stop at a random operation, with the power going or not.
    /// Guarantee: the rules of the model hold at every restart.
    #[test]
    fn d3_d5_d6_the_rules_hold(
        script in prop::collection::vec(op(), 10..90),
        faults in prop::collection::btree_map(0u64..400, fault(), 0..12),
        stop_at in 20u64..1200,
        power in prop::option::of(any::<u64>()),
    ) {
        let (fs, mut model) = (Simulated::new(), Model::default());
        model.faulty = true;
        fs.plan(move |index, _| match faults.get(&index) {
            _ if index == stop_at => Some(Fault::Stop),
            other => other.copied(),
        });
        model.run(&fs, &script);
        let stop = power.map_or(Stop::Process, Stop::Power);
        model.check(&fs.after(stop), &format!("{stop:?}"));
    }
}

/// `LANNER_QUEUE_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("LANNER_QUEUE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(400)
}
