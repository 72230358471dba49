//! `lanner rules eval`: rules over a file of events.
//!
//! One pass, one thread: an event is read, evaluated, and its alerts are written before the next one is looked at.

use super::{
    super::{Format, Outcome},
    files::{self, Loaded},
    input,
    judge::{Judge, Plan},
    summary::Summary,
    wrong_usage,
};
use lanner_rules::{
    alert::{self, AlertPlan},
    audit::{self, AuditPlan},
    evaluate::Arena,
    file::{Code, Options},
    ruleset::SourceRules,
};
use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

/// Evaluates rules over events and prints one alert a line, as Falco's JSON; matches do not change the exit code
#[derive(clap::Args)]
pub struct Args {
    /// A rule file, or a folder of them; several are loaded in order
    #[arg(short = 'r', long = "rules", required = true, value_name = "FILE|DIR")]
    rules: Vec<PathBuf>,
    /// Events, one JSON value a line; `-` is standard input
    #[arg(value_name = "EVENTS")]
    events: PathBuf,
    /// What the events are, and which rules are evaluated
    #[arg(long, value_enum, default_value_t = Source::K8sAudit)]
    source: Source,
    /// Whether an event is done with the first rule that matches, in the order of the rules, as in Falco
    #[arg(long, value_enum, default_value_t = Matching::First)]
    matching: Matching,
    /// Whether mistakes of Falco's audit plugin are corrected, or kept for comparing with Falco
    #[arg(long, value_enum, default_value_t = Parity::Corrected)]
    parity: Parity,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Source {
    /// Kubernetes audit events, EventLists, or arrays of them
    #[value(name = "k8s_audit")]
    K8sAudit,
    /// Falco's alerts about system calls: rules over alerts, whose fields are the output fields
    Syscall,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Matching {
    First,
    All,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Parity {
    Corrected,
    Upstream,
}

impl Args {
    pub fn run(&self) -> Outcome {
        let is_stdin = |path: &PathBuf| path.as_os_str() == files::STDIN;
        if is_stdin(&self.events) && self.rules.iter().any(is_stdin) {
            return wrong_usage("rules and events cannot both be read from standard input; put one into a file");
        }
        let Loaded { ruleset, mut findings } = files::load(&self.rules, self.source.options());
        // There is no kernel here that would have to try every event.
        findings.retain(|finding| finding.code != Code::NoEventType);
        files::report(&findings, Format::Human)?;
        if files::has_errors(&findings) {
            return Ok(ExitCode::FAILURE);
        }
        let name = self.source.name();
        let Some(rules) = ruleset.source(name).filter(|rules| rules.enabled_count() > 0) else {
            eprintln!("lanner: no rule of the source {name} is on; load others, or choose another --source");
            return Ok(ExitCode::FAILURE);
        };
        let mut input = match input::open(&self.events) {
            Ok(input) => input,
            Err(error) => {
                eprintln!("lanner: {} cannot be read: {error}", self.events.display());
                return Ok(ExitCode::FAILURE);
            }
        };
        let judge = Judge::new(&ruleset, rules, self.plan(rules), self.matching == Matching::First);
        let mut out = BufWriter::new(io::stdout().lock());
        let mut summary = Summary::new(&ruleset);
        let mut arena = Arena::new();
        input::each(&mut *input, |line, event| {
            arena.reset();
            let number = summary.next_number();
            let judged = match event {
                Ok(event) => judge.alerts(number, event, &arena, &mut out)?,
                Err(reason) => Err(reason),
            };
            match judged {
                Ok(rules) => summary.evaluated(&rules),
                Err(reason) => summary.skipped(line, reason),
            }
            Ok(())
        })?;
        out.flush()?;
        eprintln!("{}", summary.text(&ruleset));
        Ok(ExitCode::SUCCESS)
    }

    fn plan(&self, rules: &SourceRules) -> Plan {
        let parity = match self.parity {
            Parity::Corrected => audit::Parity::Corrected,
            Parity::Upstream => audit::Parity::Upstream,
        };
        match self.source {
            Source::K8sAudit => Plan::Audit(AuditPlan::new(rules.fields(), parity)),
            Source::Syscall => Plan::Alerts(AlertPlan::new(rules.fields())),
        }
    }
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::K8sAudit => audit::SOURCE,
            Self::Syscall => alert::SOURCE,
        }
    }

    /// Rules over alerts may use the fields that only alerts have.
    fn options(self) -> Options {
        let mut options = Options::default();
        if self == Self::Syscall {
            options.sources.retain(|(known, _)| known != alert::SOURCE);
            options.sources.push((alert::SOURCE.to_owned(), Arc::new(alert::schema())));
        }
        options
    }
}
