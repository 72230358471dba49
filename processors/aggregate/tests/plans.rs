//! Configurations: mistakes, and what all keys are called.

use super::*;
use lanner_engine::config::plan_body;

fn factory() -> &'static Factory {
    crate::ALL.iter().find(|factory| factory.type_name == "aggregate").unwrap()
}

/// Scenario: every key stands in a body, and the body is empty.
/// Guarantee: both are accepted as they are, and a misspelt key is not.
#[test]
fn yaml_bodies() {
    let all = "condition: priority < error\ngroup_by: [rule, proc.name, k8s.namespace.name]\n\
        window: {type: sliding, size: 10m, every: 1m}\nthreshold: 5\ndedup: false\n\
        rate_limit: {events: 10, per: 1m, burst: 20}\nexemplars: 5\nmax_keys: 1000\nmax_bytes: 10000000\n\
        storage: file_storage\nflush_on_drain: true\n";
    for body in [all, "", "window: {type: sliding}\n"] {
        let trial = plan_body(factory(), body);
        assert!(trial.planned.is_some(), "{}", trial.rendered());
    }
    assert!(plan_body(factory(), "windows: 5m\n").planned.is_none());
}

/// Scenario: every mistake that can be made, each alone.
/// Guarantee: each is an error at its place, with a remedy.
#[test]
fn mistakes_are_found_before_start() {
    for (body, expected) in [
        ("dedup: false", "no record would ever be held back"),
        ("group_by: [rule, rule]", "`rule` is named twice"),
        ("group_by: [proc.nam]", "proc.nam"),
        ("group_by: [a.a,b.b,c.c,d.d,e.e,f.f,g.g,h.h,i.i,j.j,k.k,l.l,m.m,n.n,o.o,p.p,q.q]", "17 fields"),
        ("condition: rule =", "rule ="),
        ("threshold: 0", "`threshold` is 0; it can be 1 to"),
        ("exemplars: 1000", "0 to 100"),
        ("max_keys: 0", "1 to 10000000"),
        ("max_bytes: 10", "1000000 or more"),
        ("window: {size: 1ms}", "1s to 24h"),
        ("window: {every: 1s}", "a tumbling window has no steps"),
        ("window: {type: sliding, size: 5m, every: 7s}", "2 to 60 steps; write for example `30s`"),
        ("rate_limit: {events: 0}", "1 to 1000000"),
        ("rate_limit: {burst: 0}", "1 to 1000000"),
        ("rate_limit: {per: 0}", "1ms to 24h"),
    ] {
        let trial = plan_body(factory(), body);
        assert!(trial.planned.is_none(), "{body} passes");
        let said = trial.rendered();
        let plain: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let parts: Vec<&str> = expected.split("; ").collect();
        assert!(parts.iter().all(|part| plain.contains(part)), "{body}: {said}");
    }
    let trial = plan_body(factory(), "flush_on_drain: true");
    assert!(trial.planned.is_some() && trial.rendered().contains("always flushed"), "{}", trial.rendered());
}
