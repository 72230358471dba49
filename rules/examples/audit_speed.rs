//! How many audit events a second one core decides.
//!
//! ```text
//! cargo run --release -p lanner-rules --example audit_speed -- RULES.yaml EVENTS.json [SECONDS]
//! ```
//!
//! `EVENTS.json` has one event a line. The first figure is everything from bytes to the decision, the second is the
//! decision alone, over events that were read before.

use lanner_rules::{
    audit::{AuditEvent, AuditPlan, Meta, Parity, SOURCE},
    evaluate::{Arena, FieldId, Fields, Run, Value},
    file::{Loader, Options},
};
use std::{env, error::Error, fs, time::Instant};

/// The fields of an event, read before.
struct Known<'a>(Vec<Value<'a>>);

impl Fields for Known<'_> {
    fn get(&self, field: FieldId) -> Value<'_> {
        self.0.get(field.index()).copied().unwrap_or_default()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(rules), Some(events)) = (arguments.next(), arguments.next()) else {
        return Err("usage: audit_speed RULES.yaml EVENTS.json [SECONDS]".into());
    };
    let seconds: f64 = arguments.next().map_or(Ok(2.0), |seconds| seconds.parse())?;
    let mut loader = Loader::new(Options::default());
    let report = loader.load(&rules, &fs::read_to_string(&rules)?);
    if let Some(error) = report.errors().next() {
        return Err(error.to_string().into());
    }
    let ruleset = loader.finish();
    let Some(rules) = ruleset.source(SOURCE) else { return Err("no rules for audit events".into()) };
    let text = fs::read_to_string(events)?;
    let events: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let bytes: usize = events.iter().map(|event| event.len()).sum();
    println!(
        "{} rules, {} fields, {} parts; {} events of {} bytes on average",
        rules.enabled_count(),
        rules.fields().len(),
        rules.program().len(),
        events.len(),
        bytes / events.len().max(1)
    );
    let plan = AuditPlan::new(rules.fields(), Parity::Corrected);

    let mut arena = Arena::new();
    measure("bytes to decision", events.len(), seconds, || {
        let mut hits = 0;
        for event in &events {
            arena.reset();
            if let Ok(event) = AuditEvent::new(event.as_bytes(), Meta::default(), &plan, &arena) {
                let run = Run::new(rules.program(), &event, &arena);
                hits += usize::from(rules.first(&run).is_some());
            }
        }
        hits
    });

    let keep = Arena::new();
    let read: Vec<AuditEvent<'_>> = events
        .iter()
        .filter_map(|event| AuditEvent::new(event.as_bytes(), Meta::default(), &plan, &keep).ok())
        .collect();
    let known: Vec<Known<'_>> =
        read.iter().map(|event| Known(rules.field_ids().map(|field| event.get(field)).collect())).collect();
    measure("decision alone", known.len(), seconds, || {
        let mut hits = 0;
        for event in &known {
            arena.reset();
            let run = Run::new(rules.program(), event, &arena);
            hits += usize::from(rules.first(&run).is_some());
        }
        hits
    });
    Ok(())
}

fn measure(what: &str, events: usize, seconds: f64, mut pass: impl FnMut() -> usize) {
    let hits = pass();
    let start = Instant::now();
    let mut passes = 0;
    while start.elapsed().as_secs_f64() < seconds {
        std::hint::black_box(pass());
        passes += 1;
    }
    let each = start.elapsed().as_secs_f64() / (passes * events.max(1)) as f64;
    println!("{what}: {:.0} events/s, {:.2} us each ({hits} hits of {events})", 1.0 / each, each * 1e6);
}
