//! `strace`, which breaks system calls: it kills the process at one, makes one fail or slow, and says which there were.

use std::{collections::BTreeMap, path::Path, process::Command};

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

/// Every call that `inject=<call>:...:when=<number>` can hit: strace counts for each call and thread by itself.
pub fn points(log: &str) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some((call, _))) = (words.next(), words.next().and_then(|word| word.split_once('('))) else {
            continue;
        };
        *counts.entry((call, thread)).or_default() += 1;
    }
    let mut most = BTreeMap::<&str, usize>::new();
    for ((call, _), count) in counts {
        let most = most.entry(call).or_default();
        *most = count.max(*most);
    }
    most.into_iter().flat_map(|(call, count)| (1..=count).map(|number| (call.to_owned(), number))).collect()
}
