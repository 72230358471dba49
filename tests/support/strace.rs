//! `strace`, which breaks system calls: it kills the process at one, makes one fail or slow, and says which there were.

use std::{path::Path, process::Command};

/// Calls that change what is on disk.
pub const WRITES: &str =
    "pwrite64,pwritev,pwritev2,fdatasync,fsync,fallocate,ftruncate,unlink,unlinkat,rename,renameat,renameat2";

/// Whether processes can be traced here; says so where not.
///
/// # Panics
/// With `CI` set, where they must be.
pub fn available() -> bool {
    let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let works = traced.is_ok_and(|output| output.status.success());
    if !works {
        assert!(std::env::var_os("CI").is_none(), "strace is missing or must not trace");
        eprintln!("SKIPPED: strace is missing or must not trace here");
    }
    works
}

/// A command that runs `program` under strace, with these options; what it sees goes to `log`, with the paths of files.
/// The process that is started is the program itself, so that its id and its end are the program's.
pub fn traced(program: &Path, log: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-y", "-o"]).arg(log).args(options).arg("--").arg(program);
    command
}

/// How many of these calls the busiest thread made: strace counts for each thread by itself.
pub fn most_calls(log: &str) -> usize {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next()) else { continue };
        // The second half of a call that was interrupted by another thread's, signals and ends do not count.
        if !call.starts_with(['<', '+', '-']) {
            *counts.entry(thread).or_default() += 1;
        }
    }
    counts.values().max().copied().unwrap_or(0)
}
