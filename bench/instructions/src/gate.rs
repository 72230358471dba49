//! The gate itself: counts what was asked for, several functions at a time, and judges.

use crate::{
    Error,
    baseline::{Baseline, MARGIN, Surroundings, Verdict},
    callgrind,
    functions::{self, Function},
};
use std::{
    env,
    sync::Mutex,
    thread::{self, available_parallelism},
};

/// A figure is the lowest of so many counts: hash seeds, allocators and threads add to one, and nothing takes away.
const COUNTS: usize = 3;

/// How to write the baseline anew.
const BLESS: &str = "LANNER_BLESS=1 make instructions";

/// Counts the functions of these names, or all, and compares them with the baseline, or makes them the baseline.
///
/// # Errors
/// A function became slower, is unknown, or failed.
pub fn check(names: &[&str]) -> Result<(), Error> {
    let functions: Vec<&Function> = match names {
        [] => functions::ALL.iter().collect(),
        names => names.iter().map(|name| functions::find(name)).collect::<Result<_, _>>()?,
    };
    let bless = env::var_os("LANNER_BLESS").is_some();
    let here = Surroundings::here();
    let baseline = match Baseline::load() {
        Ok(baseline) => baseline,
        Err(_) if bless => Baseline { surroundings: here.clone(), figures: Default::default() },
        Err(error) => return Err(error),
    };
    if !callgrind::is_installed() {
        println!("SKIPPED: valgrind is missing; `scripts/install.sh test` installs it");
        return Ok(());
    }
    if baseline.surroundings != here && !(bless && names.is_empty()) {
        let Surroundings { compiler, cpu } = &baseline.surroundings;
        println!("SKIPPED: the baseline was made by {compiler} on {cpu}, this is {} on {};", here.compiler, here.cpu);
        println!("figures of different compilers and CPUs are not comparable. To make this the baseline, run");
        println!("`{BLESS}` for the commit that the baseline is of, commit it, and then run it for yours.");
        return Ok(());
    }
    let counted = count(&functions, if bless { None } else { Some(&baseline) })?;
    if bless {
        return accept(baseline, here, counted);
    }
    judge(&baseline, &counted)
}

/// A function with its instructions per event; `None` where what it needs is not there.
type Counted<'f> = (&'f Function, Option<f64>);

/// Counts the functions on as many threads as there are CPUs. What is within the margin of a baseline is counted once.
fn count<'f>(functions: &[&'f Function], baseline: Option<&Baseline>) -> Result<Vec<Counted<'f>>, Error> {
    let left = Mutex::new(functions.iter().rev().copied().enumerate().collect::<Vec<_>>());
    let done = Mutex::new(Vec::new());
    let next = || left.lock().ok()?.pop();
    thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((place, function)) = next() {
                    let before = baseline.and_then(|baseline| baseline.figures.get(function.name).copied());
                    let figure = match (function.is_possible)() {
                        true => lowest(function, before).map(Some),
                        false => Ok(None),
                    };
                    if let Ok(mut done) = done.lock() {
                        done.push((place, function, figure));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().map_err(|_| "a thread that counts has panicked")?;
    done.sort_by_key(|(place, ..)| std::cmp::Reverse(*place));
    done.into_iter().map(|(_, function, figure)| Ok((function, figure?))).collect()
}

/// The lowest count of a function, or the first that is no slowdown.
fn lowest(function: &Function, before: Option<f64>) -> Result<f64, Error> {
    let mut lowest = f64::INFINITY;
    for _ in 0..COUNTS {
        lowest = lowest.min(callgrind::instructions_per_event(function)?);
        if before.is_some() && Verdict::of(before, lowest) != Verdict::Slower {
            break;
        }
    }
    Ok(lowest)
}

/// Makes the figures the baseline; those that were not counted stay.
fn accept(mut baseline: Baseline, here: Surroundings, counted: Vec<Counted<'_>>) -> Result<(), Error> {
    baseline.surroundings = here;
    baseline.figures.retain(|name, _| functions::find(name).is_ok());
    for (function, figure) in counted {
        let Some(now) = figure else { continue };
        let before = baseline.figures.insert(function.name.to_owned(), now.round());
        println!("{}", line(function, before, now));
    }
    baseline.save()
}

fn judge(baseline: &Baseline, counted: &[Counted<'_>]) -> Result<(), Error> {
    let (mut slower, mut faster) = (Vec::new(), Vec::new());
    println!("{:<24} {:>12} {:>12}  change", "instructions per event", "baseline", "now");
    for (function, figure) in counted {
        let Some(now) = *figure else {
            println!("{:<24} SKIPPED: what it runs on is not here: {}", function.name, function.what);
            continue;
        };
        let before = baseline.figures.get(function.name).copied();
        println!("{}", line(function, before, now));
        match Verdict::of(before, now) {
            Verdict::Same => {}
            Verdict::Faster => faster.push(function.name),
            Verdict::Slower | Verdict::New => slower.push(line(function, before, now)),
        }
    }
    if !faster.is_empty() {
        println!("cheaper by more than {:.0} %: {}; keep that with `{BLESS}`", MARGIN * 100.0, faster.join(", "));
    }
    if slower.is_empty() {
        return Ok(());
    }
    Err(format!(
        "slower than the baseline by more than {:.0} %, or without one:\n{}\nFind out why (see the head of \
         bench/instructions/src/main.rs), or accept it with `{BLESS}` and say why in the commit.",
        MARGIN * 100.0,
        slower.join("\n")
    )
    .into())
}

/// A function with its figures.
fn line(function: &Function, before: Option<f64>, now: f64) -> String {
    match before {
        None => format!("{:<24} {:>12} {now:>12.0}  new", function.name, "-"),
        Some(before) => {
            let percent = (now / before - 1.0) * 100.0;
            format!("{:<24} {before:>12.0} {now:>12.0}  {percent:>+6.1} %", function.name)
        }
    }
}
