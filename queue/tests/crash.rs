//! The machine stops, anywhere (D1, D2, D3).

use super::model::{Model, Op};
use crate::fs::simulated::{Fault, Simulated, Stop};

/// Appends to one and to several queues, through several rotations, with a queue that is stuck so that segments are
/// spilled, one that drops, acknowledgements in and out of order, deletions and a restart.
fn script() -> Vec<Op> {
    let mut script = Vec::new();
    for round in 0..26 {
        script.push(Op::Append(vec![0, 1], 300 + round * 37));
        script.push(Op::Append(vec![0, 2], 900));
        if round % 3 == 1 {
            script.push(Op::Group(vec![(vec![0, 1], 520), (vec![1], 30), (vec![0], 700), (vec![3, 0], 40)]));
            script.push(Op::Settle(0, 3));
            script.push(Op::Settle(1, 2));
        }
        if round % 3 == 0 {
            script.push(Op::Append(vec![0, 1, 2, 3], 60));
        }
        script.push(Op::SettleSome(0, 4));
        script.push(Op::Settle(0, 3));
        script.push(Op::Settle(1, 2));
        if round % 4 == 1 {
            script.push(Op::WriteAcknowledgements);
            script.push(Op::Hold(1, 1));
        }
        if round % 5 == 2 {
            script.push(Op::Reclaim);
        }
        if round == 17 {
            script.push(Op::Restart);
        }
    }
    script
}

fn stops() -> impl Iterator<Item = Stop> {
    std::iter::once(Stop::Process).chain((0..6).map(Stop::Power))
}

/// Scenario: the script runs undisturbed.
/// Guarantee: it does what the other tests rely on: it rotates, spills, drops and deletes.
#[test]
fn the_script_goes_everywhere() {
    let (fs, mut model) = (Simulated::new(), Model::default());
    model.run(&fs, &script());
    model.check(&fs.after(Stop::Process), "undisturbed");
    assert_eq!(model.refused(), 0, "there is room for everything");
    let core = super::model::open(&fs).unwrap();
    let index = core.index.lock();
    let files: Vec<_> = index.files.values().map(|file| file.kind).collect();
    assert!(files.contains(&crate::format::names::FileKind::Spill), "{files:?}");
    assert!(index.sequence > 60);
    let first = *index.files.keys().next().unwrap();
    assert!(first > 3, "old segments are gone: {first}");
}

/// Scenario: the process is killed, or the power goes, at every single operation of the file system.
/// Guarantee: what was acknowledged is there, what was not is whole or absent, order holds, nothing comes twice.
#[test]
fn d2_stop_at_every_operation() {
    let script = script();
    let fs = Simulated::new();
    Model::default().run(&fs, &script);
    let operations = fs.operations();
    assert!(operations > 300, "{operations}");
    for at in 0..=operations {
        let (fs, mut model) = (Simulated::new(), Model::default());
        fs.plan(move |index, _| (index == at).then_some(Fault::Stop));
        model.run(&fs, &script);
        for stop in stops() {
            model.check(&fs.after(stop), &format!("stopped at {at}, {stop:?}"));
        }
    }
}

/// Scenario: the machine stops while the log is used, again while it recovers and begins to write, and again at the
/// next start, at every operation of the recovery.
/// Guarantee: each start finds the same; a recovery that does not finish changes nothing that matters.
#[test]
fn d2_stop_again_in_each_recovery() {
    let script = script();
    let counted = Simulated::new();
    Model::default().run(&counted, &script);
    for at in (0..counted.operations()).step_by(17) {
        let (fs, mut model) = (Simulated::new(), Model::default());
        fs.plan(move |index, _| (index == at).then_some(Fault::Stop));
        model.run(&fs, &script);
        let first = if at % 2 == 0 { Stop::Process } else { Stop::Power(at) };
        let mut again = 0;
        loop {
            // What the second life does: it recovers, settles, appends enough to rotate, and deletes.
            let second = fs.after(first);
            second.plan(move |index, _| (index == again).then_some(Fault::Stop));
            let mut second_life = model.clone();
            second_life.run(&second, &second_script());
            for stop in [Stop::Process, Stop::Power(again), Stop::Power(again + 1000)] {
                second_life.check(&second.after(stop), &format!("stopped at {at}, then at {again}, {stop:?}"));
            }
            if !second.stopped() {
                break;
            }
            again += 1;
        }
        assert!(again > 20, "the second life has {again} operations");
    }
}

fn second_script() -> Vec<Op> {
    vec![
        Op::Reclaim,
        Op::SettleSome(0, 4),
        Op::Append(vec![0, 1, 3], 700),
        Op::Group(vec![(vec![0], 600), (vec![1, 2], 1500), (vec![1], 9)]),
        Op::Settle(1, 3),
        Op::Append(vec![0, 2], 1500),
        Op::WriteAcknowledgements,
        Op::Append(vec![0], 1500),
        Op::Reclaim,
    ]
}
