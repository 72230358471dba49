//! Counting the instructions of a function: this program under valgrind, with two numbers of rounds.

use crate::{Error, functions::Function};
use std::process::{Command, Stdio};

/// Instructions of one event, on average; `None` if the function cannot run here.
pub fn instructions_per_event(function: &Function) -> Result<f64, Error> {
    let (once, twice) = (count(function, function.rounds)?, count(function, 2 * function.rounds)?);
    let difference = twice.checked_sub(once).ok_or("more rounds took fewer instructions")?;
    Ok(difference as f64 / (function.rounds * function.events) as f64)
}

/// Instructions of a process of so many rounds.
fn count(function: &Function, rounds: u64) -> Result<u64, Error> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", function.name, &rounds.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} failed:\n{told}", function.name).into());
    }
    collected(&told).ok_or_else(|| format!("valgrind did not count {}:\n{told}", function.name).into())
}

/// What callgrind says that it has collected: `==12== Collected : 123456`.
fn collected(told: &str) -> Option<u64> {
    let (_, behind) = told.rsplit_once("Collected : ")?;
    behind.split_whitespace().next()?.parse().ok()
}

/// Whether valgrind is there.
pub fn is_installed() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::collected;

    /// Scenario: valgrind writes what it always writes at the end, or was cut off.
    /// Guarantee: the count is found; without one there is none.
    #[test]
    fn the_count_is_found() {
        let told = "==7== Events    : Ir\n==7== Collected : 50613102\n==7== \n==7== I   refs:      50,613,102\n";
        assert_eq!(collected(told), Some(50_613_102));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
