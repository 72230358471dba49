//! How cost grows: with cores, connections, events of a request, the size of an event, conditions, keys and the rate of events.
//!
//! Every point is the median of the rounds; all points of a panel take turns within a round.

use crate::{
    Bench, Error,
    catalogue::{CONNECTIONS, DURABLE, EXPORT, FALCO, OTLP, WEBHOOK, floor, grpc, http},
    limits,
    load::Load,
    measure::{Measured, measure},
    median,
    payload::alerts,
    pinning::Pinning,
    results::{Conditions, Panel, Scaling, Series, rounded},
    scenario::{
        Destination::{Otlp, Webhook},
        Scenario,
    },
};
use std::num::NonZeroU32;

const CORES: [usize; 3] = [1, 2, 4];
const MANY: [usize; 3] = [1, 100, 10_000];
const BATCHES: [usize; 4] = [1, 10, 100, 1000];
const SIZES: [usize; 5] = [200, 1024, 4096, 16_384, 65_536];
const CONDITIONS: [usize; 5] = [1, 5, 10, 25, 50];
const KEYS: [usize; 4] = [10, 100, 1000, 10_000];
const RATES: [u32; 4] = [2000, 5000, 10_000, 20_000];
/// Alerts of a request where the cost of requests is to be small.
const SOME: u64 = 100;
/// Connections where requests are large.
const FEW: usize = 8;

/// A panel that is to be measured.
struct Plan {
    title: &'static str,
    x: &'static str,
    y: Value,
    log: [bool; 2],
    points: Vec<Point>,
}

struct Point {
    series: &'static str,
    x: usize,
    pinning: Pinning,
    scenario: Scenario,
}

/// What is shown.
#[derive(Clone, Copy)]
enum Value {
    Cpu,
    Throughput,
}

/// Measures, and says on the way what comes out.
pub fn run(bench: &Bench) -> Result<Scaling, Error> {
    let pinning = Pinning::halves(&bench.cpus);
    let conditions = Conditions::now(pinning.to_string(), bench.cpus.len(), bench.length.as_secs_f64(), bench.rounds);
    println!("scaling: {} s per measurement, {} rounds, {}", conditions.seconds, conditions.rounds, conditions.pinning);
    let plans = [cores, connections, batches, sizes, conditions_of_filters, keys, rates, rates_of_others];
    let mut problems = Vec::new();
    let panels: Result<_, Error> = plans.into_iter().map(|plan| measured(bench, &plan(bench), &mut problems)).collect();
    Ok(Scaling { conditions, panels: panels?, problems })
}

fn measured(bench: &Bench, plan: &Plan, problems: &mut Vec<String>) -> Result<Panel, Error> {
    println!("{}: {} over {}", plan.title, plan.y.unit(), plan.x);
    let mut values: Vec<Vec<f64>> = plan.points.iter().map(|_| Vec::new()).collect();
    for _ in 0..bench.rounds {
        for (point, values) in plan.points.iter().zip(&mut values) {
            let one = measure(bench, &point.pinning, &point.scenario)?;
            values.push(plan.y.of(&one));
            problems.extend(one.problem(&format!("{}, {} {}", point.series, point.x, plan.x)));
        }
    }
    let (mut series, mut ticks): (Vec<Series>, Vec<(f64, String)>) = (Vec::new(), Vec::new());
    for (point, values) in plan.points.iter().zip(values) {
        let (x, y) = (point.x as f64, rounded(median(values)));
        println!("  {:<24} {:>6}  {y}", point.series, point.x);
        if !ticks.iter().any(|(known, _)| *known == x) {
            ticks.push((x, label(point.x)));
        }
        match series.iter_mut().find(|series| series.name == point.series) {
            Some(series) => series.points.push((x, y)),
            None => series.push(Series { name: point.series.to_owned(), points: vec![(x, y)] }),
        }
    }
    let [log_x, log_y] = plan.log;
    let (title, x, y) = (plan.title.to_owned(), plan.x.to_owned(), plan.y.unit().to_owned());
    Ok(Panel { title, x, y, ticks, log_x, log_y, series })
}

/// A number for an axis: `200`, `64 Ki`, `10 k`.
fn label(x: usize) -> String {
    match x {
        _ if x >= 1024 && x.is_multiple_of(1024) => format!("{} Ki", x / 1024),
        _ if x >= 1000 && x.is_multiple_of(1000) => format!("{} k", x / 1000),
        _ => x.to_string(),
    }
}

impl Value {
    fn of(self, measured: &Measured) -> f64 {
        match self {
            Self::Cpu => measured.cpu_per_million(),
            Self::Throughput => measured.throughput() / 1e3,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "CPU, µs per event",
            Self::Throughput => "thousand events per second",
        }
    }
}

/// The bare server and Lanner, for each `x` the load of which is given.
fn beside_floor(bench: &Bench, xs: impl IntoIterator<Item = (usize, Load)>) -> Vec<Point> {
    let both = |(x, load): (usize, Load)| {
        let halves = || Pinning::halves(&bench.cpus);
        [
            Point { series: "bare server", x, pinning: halves(), scenario: floor(load.clone()) },
            Point { series: "Lanner", x, pinning: halves(), scenario: alone(load) },
        ]
    };
    xs.into_iter().flat_map(both).collect()
}

/// Alerts to OTLP.
fn alone(load: Load) -> Scenario {
    Scenario::logs("S1", load, [FALCO, "", EXPORT], Otlp)
}

fn cores(bench: &Bench) -> Plan {
    let load = http(alerts::single(), 2 * CONNECTIONS);
    // On more CPUs than a half, load and sink share them with the peer.
    let fitting = CORES.into_iter().filter(|cores| *cores <= bench.cpus.len());
    let mut points = beside_floor(bench, fitting.map(|cores| (cores, load.clone())));
    points.iter_mut().for_each(|point| point.pinning = Pinning::of(&bench.cpus, point.x));
    Plan { title: "Cores", x: "cores of the peer", y: Value::Throughput, log: [false, false], points }
}

fn connections(bench: &Bench) -> Plan {
    let load = http(alerts::single(), CONNECTIONS);
    let fitting = MANY.map(|wanted| match limits::connections(wanted) {
        fits if fits < wanted => {
            println!("{wanted} connections need more file descriptors than the system allows: {fits} instead");
            fits
        }
        _ => wanted,
    });
    let loads = fitting.map(|connections| (connections, Load { connections, ..load.clone() }));
    let points = beside_floor(bench, loads);
    Plan { title: "Connections", x: "connections", y: Value::Cpu, log: [true, false], points }
}

fn batches(bench: &Bench) -> Plan {
    let point = |series, x, scenario| Point { series, x, pinning: Pinning::halves(&bench.cpus), scenario };
    let points = BATCHES.into_iter().flat_map(|size| {
        let json = http(alerts::batches(size as u64, alerts::DISTINCT), FEW);
        let untouched = Scenario::logs("S3", grpc(size), [OTLP, "", EXPORT], Otlp);
        [point("alerts in JSON", size, alone(json)), point("OTLP, untouched", size, untouched)]
    });
    let points = points.collect();
    Plan { title: "Batches", x: "events of a request", y: Value::Cpu, log: [true, true], points }
}

fn sizes(bench: &Bench) -> Plan {
    let points = beside_floor(bench, SIZES.map(|bytes| (bytes, http(alerts::sized(bytes), CONNECTIONS))));
    Plan { title: "Size of an event", x: "bytes of an alert", y: Value::Cpu, log: [true, true], points }
}

fn conditions_of_filters(bench: &Bench) -> Plan {
    let load = http(alerts::batches(SOME, alerts::DISTINCT), FEW);
    let points = CONDITIONS.map(|count| {
        let filter = format!("filter: {{condition: '{}'}}", condition(count));
        let scenario = Scenario::logs("filter", load.clone(), [FALCO, &filter, EXPORT], Otlp);
        Point { series: "filter", x: count, pinning: Pinning::halves(&bench.cpus), scenario }
    });
    let points = points.into();
    Plan { title: "Filter", x: "conditions, none of which holds", y: Value::Cpu, log: [true, false], points }
}

/// So many comparisons in front of every alert, all of which have to be made.
fn condition(count: usize) -> String {
    let one = |index: usize| match index % 4 {
        0 => format!("proc.name = tool-{index}"),
        1 => format!("proc.cmdline contains --option-{index}"),
        2 => format!("k8s.ns.name in (team-{index}, team-{index}-test)"),
        _ => format!("container.image.repository startswith mirror-{index}.example.com"),
    };
    format!("not ({})", (0..count).map(one).collect::<Vec<_>>().join(" or "))
}

fn keys(bench: &Bench) -> Plan {
    // Every alert passes, so that what arrives can be counted; each is counted under its pod all the same.
    let aggregate =
        "aggregate: {group_by: [k8s.pod.name], rate_limit: {events: 1000000, per: 1m, burst: 1000000}, dedup: false}";
    let points = KEYS.map(|keys| {
        // One that comes again is known, and not counted.
        let load = http(alerts::unique(alerts::batches(SOME, keys as u64)), FEW);
        let scenario = Scenario::logs("aggregate", load, [FALCO, aggregate, EXPORT], Otlp);
        Point { series: "aggregate", x: keys, pinning: Pinning::halves(&bench.cpus), scenario }
    });
    Plan { title: "Aggregation", x: "keys", y: Value::Cpu, log: [true, false], points: points.into() }
}

/// The axis of what a steady rate costs.
const RATE: &str = "events per second";

/// An alert for each request, at these rates.
fn at_rates() -> [(usize, Load); RATES.len()] {
    let load = http(alerts::single(), CONNECTIONS);
    RATES.map(|rate| (rate as usize, Load { rate: NonZeroU32::new(rate), ..load.clone() }))
}

fn rates(bench: &Bench) -> Plan {
    let points = beside_floor(bench, at_rates());
    Plan { title: "Rate", x: RATE, y: Value::Cpu, log: [true, false], points }
}

fn rates_of_others(bench: &Bench) -> Plan {
    let point = |series, x, scenario| Point { series, x, pinning: Pinning::halves(&bench.cpus), scenario };
    let points = at_rates().into_iter().flat_map(|(rate, load)| {
        let durable = Scenario::logs("S1 durable", load.clone(), [FALCO, "", DURABLE], Otlp);
        let webhook = Scenario::logs("S2", load, [FALCO, "", WEBHOOK], Webhook);
        [point("S1 durable", rate, durable), point("S2", rate, webhook)]
    });
    let points = points.collect();
    Plan { title: "Rate, disk and webhook", x: RATE, y: Value::Cpu, log: [true, false], points }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: numbers as the axes have them.
    /// Guarantee: they are short, and powers of two are told from powers of ten.
    #[test]
    fn labels_are_short() {
        let shown = [1, 200, 1000, 10_000, 1024, 65_536].map(label);
        assert_eq!(shown, ["1", "200", "1 k", "10 k", "1 Ki", "64 Ki"]);
    }
}
