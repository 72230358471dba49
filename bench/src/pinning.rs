//! Which CPUs the peer gets, and which load and sink.

use std::{
    fmt, fs,
    path::Path,
    process::{Command, Stdio},
    sync::LazyLock,
};

/// CPUs of the peer, and of load and sink; or nothing when they cannot be kept apart.
pub struct Pinning(Option<[String; 2]>);

/// The CPUs this process may use. To be asked before [`Pinning::apply`].
pub fn allowed() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    parse(list)
}

fn parse(list: &str) -> Vec<usize> {
    let mut cpus = Vec::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse()) {
            cpus.extend(first..=last);
        }
    }
    cpus
}

/// Lists of CPUs for peer and load.
fn split(cpus: &[usize], peer: usize) -> Option<[String; 2]> {
    let half = cpus.len() / 2;
    let load = if peer > half { cpus } else { &cpus[half..] };
    let list = |cpus: &[usize]| cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    Some([list(cpus.get(..peer).filter(|peer| !peer.is_empty())?), list(load)])
}

impl Pinning {
    /// The first half for the peer, the second for load and sink.
    pub fn halves(cpus: &[usize]) -> Self {
        Self::of(cpus, cpus.len() / 2)
    }

    /// The first `peer` CPUs for the peer; the second half for load and sink, or all of them when the peer has more than a half.
    pub fn of(cpus: &[usize], peer: usize) -> Self {
        static TASKSET: LazyLock<bool> = LazyLock::new(|| {
            let version = Command::new("taskset").arg("--version").stdout(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        });
        Self(split(cpus, peer).filter(|_| *TASKSET))
    }

    /// Keeps this thread, and what it starts from now on, to the CPUs of the load.
    pub fn apply(&self) {
        if let Some([_, load]) = &self.0 {
            let own = std::process::id().to_string();
            // If that fails, the load shares the peer's CPUs: no reason to measure nothing.
            let _ = Command::new("taskset").args(["-p", "-c", load, &own]).stdout(Stdio::null()).status();
        }
    }

    /// A command that runs `program` on the peer's CPUs. `taskset` becomes the program, so its id is the program's.
    pub fn peer(&self, program: &Path) -> Command {
        match &self.0 {
            None => Command::new(program),
            Some([cpus, _]) => {
                let mut command = Command::new("taskset");
                command.args(["-c", cpus]).arg(program);
                command
            }
        }
    }
}

impl fmt::Display for Pinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some([peer, load]) => write!(f, "peer on CPU {peer}, load and sink on {load}"),
            None => f.write_str("CPUs shared by all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: lists as the kernel writes them, and machines of one to four CPUs.
    /// Guarantee: peer and load share no CPU as long as the peer has at most a half.
    #[test]
    fn peer_and_load_are_kept_apart() {
        assert_eq!(parse("\t0-2,5\n"), [0, 1, 2, 5]);
        let both = |peer: &str, load: &str| Some([peer.to_owned(), load.to_owned()]);
        assert_eq!(split(&[0, 1, 2, 3], 1), both("0", "2,3"));
        assert_eq!(split(&[0, 1, 2, 3], 2), both("0,1", "2,3"));
        assert_eq!(split(&[0, 1, 2, 3], 4), both("0,1,2,3", "0,1,2,3"));
        assert_eq!(split(&[5], 1), both("5", "5"));
        assert_eq!([split(&[0], 0), split(&[0, 1], 4), split(&[], 0)], [None, None, None]);
    }
}
