//! Where events arrive: the children and pages that count them, and waiting for the last one.

use crate::{
    Error,
    pause::pause,
    ports::{free_port, local},
    process::{Counter, Process},
    scenario::Destination,
};
use std::{
    env,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

/// Accepted events that have not arrived when nothing arrived for so long are lost.
const SILENCE: Duration = Duration::from_secs(3);
/// The longest wait, however slowly events come in.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);
/// A page costs the peer something.
const POLL_PAGE: Duration = Duration::from_millis(100);

/// What counts the events that arrive.
pub enum Arrivals {
    /// How a child is asked; the child itself, which lives as long, unless that is the peer.
    Child {
        counter: Counter,
        _process: Option<Process>,
    },
    Page(SocketAddr, &'static str),
    Own(Arc<dyn Fn() -> Result<u64, Error>>),
}

impl Arrivals {
    /// A destination, started where it is a program, and its address.
    pub fn at(destination: &Destination) -> Result<(Self, SocketAddr), Error> {
        let child = |role| {
            let mut command = Command::new(env::current_exe()?);
            command.arg(role);
            let (process, counter) = Counter::start(command)?;
            let address = local(counter.port);
            Ok::<_, Error>((Self::Child { counter, _process: Some(process) }, address))
        };
        match destination {
            Destination::Peer => Err("only the bare server counts by itself".into()),
            Destination::Otlp => child("sink"),
            Destination::Webhook => child("floor"),
            Destination::Page(counter) => {
                let address = local(free_port()?);
                Ok((Self::Page(address, counter), address))
            }
            Destination::Own(count) => Ok((Self::Own(Arc::clone(count)), local(0))),
        }
    }

    fn count(&mut self) -> Result<u64, Error> {
        match self {
            Self::Child { counter, .. } => counter.count(),
            Self::Page(address, counter) => Ok(sum(&get(*address, "/metrics")?, counter)),
            Self::Own(count) => count(),
        }
    }

    /// Waits until so many have come, or nothing new comes. How many have come.
    pub fn wait_for(&mut self, expected: u64) -> Result<u64, Error> {
        let start = Instant::now();
        let mut count = self.count()?;
        let mut last = start;
        while count < expected && last.elapsed() < SILENCE && start.elapsed() < PATIENCE {
            pause(if matches!(self, Self::Page(..)) { POLL_PAGE } else { POLL });
            let now = self.count()?;
            if now != count {
                (count, last) = (now, Instant::now());
            }
        }
        Ok(count)
    }
}

/// The answer, head and body, to a GET.
pub fn get(address: SocketAddr, path: &str) -> Result<String, Error> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// All series of a counter together.
fn sum(page: &str, counter: &str) -> u64 {
    let series = page.lines().filter_map(|line| line.strip_prefix(counter)).filter(|rest| rest.starts_with(['{', ' ']));
    series.filter_map(|series| series.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    /// Scenario: a page with a counter of two series, one with a similar name, and comments.
    /// Guarantee: only the series of the counter are summed.
    #[test]
    fn a_counter_is_the_sum_of_its_series() {
        let page = "HTTP/1.0 200 OK\r\n\r\n# HELP a_total Things.\n# TYPE a_total counter\na_total{rule=\"x y\"} 3\n\
                    a_total{rule=\"z\"} 4\na_total_created 9\nb_total 5\n";
        assert_eq!(super::sum(page, "a_total"), 7);
        assert_eq!(super::sum(page, "c_total"), 0);
    }
}
