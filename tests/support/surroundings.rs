//! Surroundings of a process's own: mounts that only it sees, limits of memory and processes.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// What a shell does in front of the program, in a mount namespace of its own, with these variables.
pub struct Surroundings {
    script: String,
    variables: Vec<(&'static str, String)>,
    /// The name of its control group, removed when dropped.
    group: Option<String>,
}

/// Limits this shell and what it becomes: `limit CONTROLLER FILE-OF-VERSION-1 FILE-OF-VERSION-2 VALUE`. The hierarchies are
/// mounted once more, because there are machines that mount none.
const LIMIT: &str = r#"
attach() {
    mkdir -p "$GROUPS_AT/$1"
    mount -t cgroup -o "$1" cgroup "$GROUPS_AT/$1" 2>/dev/null && return
    mount -t cgroup2 cgroup "$GROUPS_AT/$1"
    echo "+$1" > "$GROUPS_AT/$1/cgroup.subtree_control"
}
limit() {
    attach "$1"
    mkdir -p "$GROUPS_AT/$1/$GROUP_NAME"
    if [ -e "$GROUPS_AT/$1/$GROUP_NAME/$2" ]; then file=$2; else file=$3; fi
    echo "$4" > "$GROUPS_AT/$1/$GROUP_NAME/$file"
    echo $$ > "$GROUPS_AT/$1/$GROUP_NAME/cgroup.procs"
}
GROUPS_AT=/mnt
mount -t tmpfs lanner-groups "$GROUPS_AT"
"#;

impl Surroundings {
    /// Those of the script, in which `set -e` holds.
    pub fn new(script: &str, variables: Vec<(&'static str, String)>) -> Self {
        Self { script: script.to_owned(), variables, group: None }
    }

    /// With at most so many bytes of memory and so many threads, in front of the rest.
    pub fn limited(mut self, memory: u64, threads: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lanner-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        self.script = format!(
            "{LIMIT}
limit memory memory.limit_in_bytes memory.max {memory}
limit pids pids.max pids.max {threads}
umount -R --lazy \"$GROUPS_AT\"
{}",
            self.script
        );
        self.variables.push(("GROUP_NAME", name.clone()));
        self.group = Some(name);
        self
    }

    /// A command that runs `program` there, as the process that is started.
    pub fn command(&self, program: &Path) -> Command {
        shell(&self.script, &self.variables, program)
    }

    /// Whether that is possible here; says so where not.
    ///
    /// # Panics
    /// With `CI` set, where it must be.
    pub fn available(&self) -> bool {
        let output = self.command(Path::new("true")).stdin(Stdio::null()).output();
        let why = match output {
            Ok(output) if output.status.success() => return true,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        assert!(std::env::var_os("CI").is_none(), "no surroundings of its own: {why}");
        eprintln!("SKIPPED: no surroundings of its own here: {why}");
        false
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        if let Some(name) = &self.group {
            let script = format!(
                "{LIMIT}
for controller in memory pids; do
    attach $controller
    [ ! -d \"$GROUPS_AT/$controller/$GROUP_NAME\" ] || rmdir \"$GROUPS_AT/$controller/$GROUP_NAME\"
done"
            );
            let _ = shell(&script, &[("GROUP_NAME", name.clone())], Path::new("true")).output();
        }
    }
}

fn shell(script: &str, variables: &[(&str, String)], program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command.arg(format!("set -e\n{script}\nexec \"$@\"")).arg("sh").arg(program);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}
