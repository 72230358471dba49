//! Which CPUs the peer gets, and which load and sink.

use std::{
    fmt, fs,
    path::Path,
    process::{Command, Stdio},
};

/// Two halves of the CPUs, or nothing when they cannot be kept apart.
pub struct Pinning(Option<[String; 2]>);

/// Keeps this process and the children it starts from now on to the second half.
pub fn halves() -> Pinning {
    let cpus = allowed();
    if cpus.len() < 2 {
        return Pinning(None);
    }
    let list = |cpus: &[usize]| cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let (peer, load) = cpus.split_at(cpus.len() / 2);
    let (peer, load) = (list(peer), list(load));
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-p", "-c", &load, &own]).stdout(Stdio::null()).status();
    Pinning(pinned.is_ok_and(|status| status.success()).then_some([peer, load]))
}

/// The CPUs this process may use.
fn allowed() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    let mut cpus = Vec::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse()) {
            cpus.extend(first..=last);
        }
    }
    cpus
}

impl Pinning {
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
            None => f.write_str("CPUs shared by all (one CPU, or no taskset)"),
        }
    }
}
