//! Children: started, asked, measured, stopped.
//!
//! Promise: no child outlives the program; each is killed and waited for when its value is dropped, and floor and sink
//! also end by themselves when their input is closed.
//! A child of this program says its port in its first line; for every line it is sent it answers with its count.

use crate::Error;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

/// Ticks of `/proc/PID/stat` per second: USER_HZ, 100 on every architecture Rust runs on.
const TICKS: u32 = 100;

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
        // The name, in parentheses, may hold anything; behind it come fields 3 and up: 14 and 15 are the times.
        let fields = stat.rsplit_once(')').ok_or("unreadable /proc/PID/stat")?.1;
        let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
        let (Some(Ok(user)), Some(Ok(system))) = (times.next(), times.next()) else {
            return Err("unreadable /proc/PID/stat".into());
        };
        Ok(Duration::from_secs(1) / TICKS * (user + system))
    }

    /// The most memory it ever held, in KiB.
    pub fn peak_memory(&self) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("unreadable /proc/PID/status")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Floor or sink, with the way to ask for its count.
pub struct Counting {
    pub process: Process,
    pub port: u16,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Counting {
    pub fn start(mut command: Command) -> Result<Self, Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command)?;
        let (Some(ask), Some(answers)) = (process.0.stdin.take(), process.0.stdout.take()) else {
            return Err("the child has no pipes".into());
        };
        let mut answers = BufReader::new(answers);
        let port = number(&mut answers)?;
        Ok(Self { process, port: u16::try_from(port)?, ask, answers })
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
