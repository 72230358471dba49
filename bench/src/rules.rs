//! Scenario `audit_rules`: what it costs to judge a Kubernetes audit event by Falco's rules, on one thread.
//!
//! Two figures: from bytes to the decision, which is what a pipeline pays, and the decision alone, over fields that were
//! looked up before, which is what the conditions cost. Both are events per second of CPU time of this thread
//! (`/proc/thread-self/schedstat`), so that neighbours on the machine count little; medians over the rounds.
//! Fails when the rules do not load or match nothing.
//!
//! 4-vCPU Xeon, busy with other work (load 18), 2026-11-22, medians of 3 rounds of 2 s over 203 events of 1.6 KB and the 48
//! stock rules of k8saudit 0.18: bytes to decision 139,000, decision alone 1,236,000 events per CPU second; the goals of
//! 75,000 and 500,000 are reached. Command: `cargo run --release -p lanner-bench -- --seconds 2 rules`.

use crate::{Bench, Error, median};
use lanner_rules::{
    audit::{AuditEvent, AuditPlan, Meta, Parity, SOURCE},
    builtin,
    evaluate::{Arena, FieldId, Fields, Run, Value},
    file::{Loader, Options},
    ruleset::{Ruleset, SourceRules},
};
use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::Duration,
};

/// Measures Falco's rules over Kubernetes audit events.
#[derive(clap::Args)]
pub struct Args {
    /// Rule files, in order; the stock rules by default.
    #[arg(long, default_values = ["../shared/conformance/k8saudit/rules/k8s_audit_rules.yaml"])]
    rules: Vec<PathBuf>,
    /// Audit events, one a line.
    #[arg(long, default_value = "../shared/data/dev/k8s_audit_events.jsonl")]
    events: PathBuf,
}

/// Says which events match: those that a pipeline with these rules is to make alerts of.
pub struct Judge {
    ruleset: Ruleset,
}

impl Judge {
    /// Of this rule file; of Lanner's own rules without one.
    pub fn new(file: Option<&Path>) -> Result<Self, Error> {
        let ruleset = match file {
            Some(file) => load(&[file.to_owned()])?,
            None => parse(&[(builtin::K8S_AUDIT.file.to_owned(), builtin::K8S_AUDIT.text.to_owned())])?,
        };
        Ok(Self { ruleset })
    }

    /// Whether a rule matches.
    pub fn matches(&self, event: &str) -> Result<bool, Error> {
        let rules = self.ruleset.source(SOURCE).ok_or("there is no rule for audit events")?;
        let plan = AuditPlan::new(rules.fields(), Parity::Corrected);
        let arena = Arena::new();
        let event = AuditEvent::new(event.as_bytes(), Meta::default(), &plan, &arena)?;
        Ok(matches(rules, &event, &arena))
    }
}

/// The fields of an event, looked up before.
struct Known<'a>(Vec<Value<'a>>);

impl Fields for Known<'_> {
    fn get(&self, field: FieldId) -> Value<'_> {
        self.0.get(field.index()).copied().unwrap_or_default()
    }
}

/// Measures for as long as `bench` says in each round.
pub fn run(bench: &Bench, args: &Args) -> Result<(), Error> {
    let ruleset = load(&args.rules)?;
    let rules = ruleset.source(SOURCE).ok_or("there is no rule for audit events")?;
    let text = read(&args.events)?;
    let events: Vec<&[u8]> = text.lines().filter(|line| !line.trim().is_empty()).map(str::as_bytes).collect();
    let bytes: usize = events.iter().map(|event| event.len()).sum();
    println!(
        "audit_rules: {} rules, {} fields; {} events of {} bytes on average",
        rules.enabled_count(),
        rules.fields().len(),
        events.len(),
        bytes / events.len().max(1)
    );
    let plan = AuditPlan::new(rules.fields(), Parity::Corrected);
    let whole = || {
        let mut arena = Arena::new();
        let judge = |event: &&[u8]| {
            arena.reset();
            let event = AuditEvent::new(event, Meta::default(), &plan, &arena);
            event.is_ok_and(|event| matches(rules, &event, &arena))
        };
        measure(&events, bench.length, judge)
    };
    let keep = Arena::new();
    let read: Result<Vec<_>, _> =
        events.iter().map(|event| AuditEvent::new(event, Meta::default(), &plan, &keep)).collect();
    let read = read?;
    let known = read.iter().map(|event| Known(rules.field_ids().map(|field| event.get(field)).collect()));
    let known: Vec<Known<'_>> = known.collect();
    let alone = || {
        let mut arena = Arena::new();
        let judge = |event: &Known<'_>| {
            arena.reset();
            matches(rules, event, &arena)
        };
        measure(&known, bench.length, judge)
    };
    let (mut wholes, mut alones) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds {
        let (whole, alone) = (whole()?, alone()?);
        println!("round {round}: bytes to decision {whole:.0} events/CPU s, decision alone {alone:.0} events/CPU s");
        wholes.push(whole);
        alones.push(alone);
    }
    println!("median: bytes to decision {:.0}, decision alone {:.0} events/CPU s", median(wholes), median(alones));
    Ok(())
}

fn matches(rules: &SourceRules, event: &impl Fields, arena: &Arena) -> bool {
    rules.first(&Run::new(rules.program(), event, arena)).is_some()
}

fn read(path: &PathBuf) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn load(paths: &[PathBuf]) -> Result<Ruleset, Error> {
    let files: Result<Vec<_>, Error> = paths.iter().map(|path| Ok((path.display().to_string(), read(path)?))).collect();
    parse(&files?)
}

/// Files, each with its name and its text.
fn parse(files: &[(String, String)]) -> Result<Ruleset, Error> {
    let mut loader = Loader::new(Options::default());
    for (name, text) in files {
        let report = loader.load(name, text);
        if let Some(error) = report.errors().next() {
            return Err(error.to_string().into());
        }
    }
    Ok(loader.finish())
}

/// Goes over the events until the time is up. How many a second of CPU time judges.
fn measure<E>(events: &[E], length: Duration, mut judge: impl FnMut(&E) -> bool) -> Result<f64, Error> {
    // Warms up, too.
    if events.iter().filter(|event| judge(event)).count() == 0 {
        return Err("no rule matches any event: nothing that could be measured".into());
    }
    let start = cpu()?;
    let mut judged = 0;
    loop {
        for event in events {
            black_box(judge(black_box(event)));
        }
        judged += events.len();
        let spent = cpu()?.saturating_sub(start);
        if spent >= length {
            return Ok(judged as f64 / spent.as_secs_f64());
        }
    }
}

/// CPU time of this thread.
fn cpu() -> Result<Duration, Error> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("unreadable /proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
