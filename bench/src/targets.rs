//! The targets: every scenario beside its reference, in turns, with a verdict for each.
//!
//! A round measures every scenario once, each with fresh processes. A row is the median over the rounds of the ratio within the same
//! round, which means the same on a busy machine. What happens at rest is measured once, after that.

use crate::{
    Bench, Error, at_rest, catalogue, disk,
    measure::{Measured, measure},
    median,
    payload::Request,
    pinning::Pinning,
    results::{Conditions, Figures, Row, Targets, rounded},
    scenario::Scenario,
};
use std::path::PathBuf;

/// Falco's rules for audit events.
const RULES: &str = "../shared/conformance/k8saudit/rules/k8s_audit_rules.yaml";

/// What of the targets is measured.
#[derive(clap::Args)]
#[group(id = "targets")]
pub struct Args {
    /// Only these scenarios, and what they are compared with; besides their names `idle`, `start` and `size`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Falco's rules for audit events; Lanner's own where that file is missing.
    #[arg(long, default_value = RULES)]
    rules: PathBuf,
}

/// What is compared.
#[derive(Clone, Copy)]
enum Ratio {
    /// CPU time of an event.
    Cpu,
    /// Events of a second of CPU time.
    Events,
    /// Events of a second.
    Throughput,
}
use Ratio::{Cpu, Events, Throughput};

/// Scenario, reference, ratio, must, aim.
type Target = (&'static str, &'static str, Ratio, f64, Option<f64>);

const TARGETS: [Target; 12] = [
    ("S1", "floor", Cpu, 1.6, Some(1.3)),
    ("S1 durable", "S1", Cpu, 1.35, Some(1.2)),
    ("S1-256 durable", "S1-256", Cpu, 1.35, Some(1.2)),
    ("S1-256 durable", "S1-256", Throughput, 0.6, None),
    ("S2", "S1", Cpu, 1.9, Some(1.7)),
    ("S3-100", "floor", Events, 6.5, Some(9.0)),
    ("S3-1000", "floor", Events, 10.0, Some(14.0)),
    ("S3-1000 filter", "S3-1000", Cpu, 4.0, Some(2.5)),
    ("S3-1000 attributes", "S3-1000", Cpu, 4.0, Some(2.5)),
    ("S4", "floor", Cpu, 1.6, Some(1.3)),
    ("S5", "floor", Events, 0.9, Some(1.1)),
    ("S6", "S5", Cpu, 1.8, Some(1.4)),
];

impl Ratio {
    fn of(self, scenario: &Measured, reference: &Measured) -> f64 {
        match self {
            Cpu => scenario.cpu_per_million() / reference.cpu_per_million(),
            Events => reference.cpu_per_million() / scenario.cpu_per_million(),
            Throughput => scenario.throughput() / reference.throughput(),
        }
    }

    fn unit(self, reference: &str) -> String {
        match self {
            Cpu => format!("x the CPU per event of {reference}"),
            Events => format!("x the events per CPU second of {reference}"),
            Throughput => format!("x the events per second of {reference}"),
        }
    }
}

/// Measures, and says on the way what comes out.
pub fn run(bench: &Bench, args: &Args) -> Result<Targets, Error> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let rows: Vec<&Target> = TARGETS.iter().filter(|(scenario, ..)| wanted(scenario)).collect();
    let rules = args.rules.exists().then(|| args.rules.canonicalize()).transpose()?;
    if rules.is_none() {
        println!("{} is missing: S6 takes Lanner's own rules", args.rules.display());
    }
    let mut scenarios = catalogue::scenarios(rules.as_deref())?;
    scenarios.retain(|scenario| rows.iter().any(|(of, to, ..)| *of == scenario.name || *to == scenario.name));

    let pinning = Pinning::halves(&bench.cpus);
    let conditions = Conditions::now(pinning.to_string(), bench.cpus.len(), bench.length.as_secs_f64(), bench.rounds);
    println!("{} s per measurement, {} rounds, {}", conditions.seconds, conditions.rounds, conditions.pinning);
    for Scenario { name, load, .. } in &scenarios {
        let sum = |of: fn(&Request) -> u64| load.requests.iter().map(of).sum::<u64>();
        let (events, arrivals) = (sum(|request| request.events), sum(|request| request.arrivals));
        if arrivals < events {
            println!("{name}: {arrivals} of {events} events are to arrive");
        }
    }
    println!("{HEAD}");
    let mut problems = Vec::new();
    let mut measured: Vec<Vec<Measured>> = scenarios.iter().map(|_| Vec::new()).collect();
    for round in 1..=bench.rounds {
        for (scenario, all) in scenarios.iter().zip(&mut measured) {
            let one = measure(bench, &pinning, scenario)?;
            println!("{}", line(round, &scenario.name, &one));
            problems.extend(one.problem(&scenario.name));
            all.push(one);
        }
    }

    let of = |name: &str| scenarios.iter().position(|scenario| scenario.name == name).map(|index| &measured[index]);
    let ratios = rows.iter().filter_map(|&&(scenario, reference, ratio, must, aim)| {
        let rounds = of(scenario)?.iter().zip(of(reference)?);
        let measured = median(rounds.map(|(scenario, reference)| ratio.of(scenario, reference)).collect());
        Some(row(scenario, &ratio.unit(reference), !matches!(ratio, Cpu), must, aim, measured))
    });
    let mut rows: Vec<Row> = ratios.collect();
    let figures: Vec<Figures> =
        scenarios.iter().zip(&measured).map(|(scenario, measured)| figures(&scenario.name, measured)).collect();
    let peaks = figures.iter().filter(|figures| figures.scenario != "floor").map(|figures| figures.peak_memory);
    if let Some(peak) = peaks.max_by(f64::total_cmp) {
        rows.push(row("most memory in any of these", "MB", false, 60.0, None, peak));
    }
    if wanted("idle") {
        let (memory, wake_ups) = at_rest::idle(bench, &pinning)?;
        rows.push(row("idle: memory", "MiB", false, 20.0, None, memory));
        rows.push(row("idle: wake-ups", "per second", false, 2.0, None, wake_ups));
    }
    if wanted("start") {
        let ready = at_rest::start_to_ready(bench, &pinning)?;
        rows.push(row("start to ready, quickstart", "ms", false, 100.0, None, ready));
    }
    if wanted("size") {
        let size = at_rest::size(&bench.lanner, &bench.directory)?;
        rows.push(row("program without symbols", "MiB", false, 35.0, None, size));
    }
    Ok(Targets { conditions, fdatasync: rounded(disk::bare_sync(&bench.directory)?), rows, figures, problems })
}

fn row(what: &str, unit: &str, at_least: bool, must: f64, aim: Option<f64>, measured: f64) -> Row {
    let (what, unit) = (what.to_owned(), unit.to_owned());
    Row { what, unit, at_most: !at_least, must, aim, measured: rounded(measured) }
}

const HEAD: &str = "round  scenario            CPU us/event  events/CPU s  events/s  p50 ms   p99 ms  refused  peak MB";

fn line(round: u32, name: &str, measured: &Measured) -> String {
    let one = figures(name, std::slice::from_ref(measured));
    format!(
        "{round:>5}  {name:<18}  {:>12}  {:>12.0}  {:>8}  {:>6}  {:>7}  {:>7}  {:>7}",
        one.cpu_per_event,
        1e6 / one.cpu_per_event.max(f64::MIN_POSITIVE),
        one.events_per_second,
        one.p50,
        one.p99,
        one.refused,
        one.peak_memory
    )
}

fn figures(name: &str, measured: &[Measured]) -> Figures {
    let of = |value: &dyn Fn(&Measured) -> f64| rounded(median(measured.iter().map(value).collect()));
    let latency = |share| of(&|measured| measured.sent.latency(share).as_secs_f64() * 1e3);
    Figures {
        scenario: name.to_owned(),
        cpu_per_event: of(&Measured::cpu_per_million),
        events_per_second: of(&Measured::throughput),
        p50: latency(0.5),
        p99: latency(0.99),
        peak_memory: of(&|measured| measured.peak_memory as f64 * 1024.0 / 1e6),
        refused: measured.iter().map(|measured| measured.sent.refused).sum(),
    }
}
