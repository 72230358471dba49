//! `lanner-instructions`: fails when a hot function needs more instructions than it did.
//!
//! Promises
//! - A function of [`functions`] whose instructions per event grew by more than [`baseline::MARGIN`] over the committed
//!   `baseline.toml` fails the run, with both figures and what to do. One that became that much cheaper is told of.
//! - The figures are those of the event, not of what was prepared for it: each function runs N rounds in one process and 2N
//!   in another, and the difference counts. One count varies by about 1 % between runs, of functions with threads and patterns
//!   by up to 4 %, always upwards, so a figure is the lowest of up to three.
//! - Figures that cannot be compared are not: with another compiler, another kind of CPU, or without valgrind the run says
//!   `SKIPPED`, why, and what to do.
//!
//! Why instructions: they are the same on every machine of a kind, whoever else is at work, and so a change of a few percent
//! shows; time, which also knows caches and waiting, is measured by `lanner-bench`. Valgrind shows every program the same
//! CPU (with AVX2, without AVX-512), so that libraries that choose code by CPU choose the same. Instructions of the
//! kernel are not counted. `HashMap` seeds differ from run to run.
//!
//! Commands: `make instructions`; `LANNER_BLESS=1 make instructions` writes the baseline anew; `make instructions
//! FUNCTIONS="falco_encode filter"` looks at some. To see where a function's instructions go, run what the gate runs:
//! `valgrind --tool=callgrind target/release/lanner-instructions run falco_encode 20`, built with
//! `CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_PROFILE_RELEASE_STRIP=none`.

mod baseline;
mod callgrind;
mod functions;
mod gate;
mod http;
mod pipeline;

use lanner_bench::Error;
use std::process::ExitCode;

/// That of Lanner.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["run", name, rounds] => functions::run(name, rounds),
        names => gate::check(names),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lanner-instructions: {error}");
            ExitCode::FAILURE
        }
    }
}
