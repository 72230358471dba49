use super::Stamp;
use lanner_engine::testing::{TransformTest, log};

/// Scenario: a record already has the attribute.
/// Guarantee: without `overwrite` the old value stays and the record is not lost.
#[test]
fn keeps_the_existing_value() {
    let out = TransformTest::of::<Stamp>("key: env\nvalue: prod").run([log().attr("env", "dev")]);
    assert_eq!(out.records(), [log().attr("env", "dev")]);
}

/// Scenario: one record lacks the attribute, one has it, and `overwrite` is on.
/// Guarantee: both have the value afterwards.
#[test]
fn writes_and_overwrites() {
    let test = TransformTest::of::<Stamp>("key: env\nvalue: prod\noverwrite: true");
    let out = test.run([log(), log().attr("env", "dev")]);
    assert_eq!(out.records(), [log().attr("env", "prod"), log().attr("env", "prod")]);
}
