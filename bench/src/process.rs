//! Children: started, asked, measured, stopped.
//!
//! Promise: no child outlives the program; each is asked to end, killed if it does not, and waited for when its value is dropped, and
//! floor and sink also end by themselves when their input is closed.
//! A child of this program says its port in its first line; for every line it is sent it answers with its count.

use crate::{Error, pause::pause};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// Ticks of `/proc/PID/stat` per second: USER_HZ, 100 on every architecture Rust runs on.
const TICKS: u32 = 100;
/// How long a child may take to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(10);

/// A running child.
pub struct Process(Child);

impl Process {
    pub fn start(mut command: Command) -> Result<Self, Error> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.spawn().map(Self).map_err(|error| format!("cannot start {name}: {error}").into())
    }

    /// CPU time used until now, in user and system mode.
    pub fn cpu(&self) -> Result<Duration, Error> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        Ok(cpu(&stat).ok_or("unreadable /proc/PID/stat")?)
    }

    /// The most memory it ever held, in KiB.
    pub fn peak_memory(&self) -> Result<u64, Error> {
        self.status("VmHWM:")
    }

    /// The memory it holds, in KiB.
    pub fn memory(&self) -> Result<u64, Error> {
        self.status("VmRSS:")
    }

    fn status(&self, key: &str) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        Ok(number_of(&status, key).ok_or("unreadable /proc/PID/status")?)
    }

    /// How often a thread of it went to sleep, which is how often one woke up. Threads that have ended are not counted.
    pub fn wake_ups(&self) -> Result<u64, Error> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            // It may have ended since.
            let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
            sum += number_of(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(sum)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first: a program that records a profile writes it when it ends.
        let asked =
            i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).map(|child| kill_process(child, Signal::TERM));
        let deadline = Instant::now() + FAREWELL;
        while matches!(asked, Some(Ok(()))) && !self.has_ended() && Instant::now() < deadline {
            pause(Duration::from_millis(5));
        }
        // It may have ended; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The times of `/proc/PID/stat`.
fn cpu(stat: &str) -> Option<Duration> {
    // The name, in parentheses, may hold anything; behind it come fields 3 and up: 14 and 15 are the times.
    let mut times = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(Duration::from_secs(1) / TICKS * (user + system))
}

/// The number behind a key of `/proc/PID/status`, without its unit.
fn number_of(status: &str, key: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}

/// How floor and sink are asked for their count.
pub struct Counter {
    pub port: u16,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Counter {
    pub fn start(mut command: Command) -> Result<(Process, Self), Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command)?;
        let (Some(ask), Some(answers)) = (process.0.stdin.take(), process.0.stdout.take()) else {
            return Err("the child has no pipes".into());
        };
        let mut answers = BufReader::new(answers);
        let port = number(&mut answers)?;
        Ok((process, Self { port: u16::try_from(port)?, ask, answers }))
    }

    pub fn count(&mut self) -> Result<u64, Error> {
        self.ask.write_all(b"\n")?;
        number(&mut self.answers)
    }
}

fn number(lines: &mut impl BufRead) -> Result<u64, Error> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    line.trim().parse().map_err(|_| "a child ended early".into())
}

/// The child's side: says `port`, then answers each line with `count`, and ends the process with its input.
pub fn report_on_request(port: u16, count: impl Fn() -> u64 + Send + 'static) {
    std::thread::spawn(move || {
        println!("{port}");
        for line in std::io::stdin().lines() {
            if line.is_err() {
                break;
            }
            println!("{}", count());
        }
        std::process::exit(0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a process whose name has parentheses and spaces.
    /// Guarantee: its times are found all the same; text that is none is no time.
    #[test]
    fn times_are_read_behind_the_name() {
        let stat = "42 (a) 1 (b c) S 1 42 42 0 -1 4194304 1 0 0 0 123 45 0 0 20 0 8 0 100 1 2 3";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1680)));
        assert_eq!(cpu("42 (a) S 1"), None);
        assert_eq!(cpu(""), None);
    }

    /// Scenario: a status with two kinds of context switches, one of whose keys ends like the other.
    /// Guarantee: each number belongs to its own key, whatever the unit.
    #[test]
    fn numbers_belong_to_their_keys() {
        let status = "VmHWM:\t   20480 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t9\n";
        assert_eq!(number_of(status, "VmHWM:"), Some(20480));
        assert_eq!(number_of(status, "voluntary_ctxt_switches:"), Some(7));
        assert_eq!(number_of(status, "VmRSS:"), None);
    }

    /// Scenario: a child that does nothing.
    /// Guarantee: the kernel of this machine writes what is read here.
    #[test]
    fn a_child_can_be_measured() {
        let mut command = Command::new("sleep");
        command.arg("5");
        let child = Process::start(command).unwrap();
        assert!(child.cpu().is_ok() && child.peak_memory().is_ok() && child.wake_ups().is_ok());
    }
}
