//! A real Docker engine for tests, started by hand and isolated: its own data, sockets and containerd in a temporary
//! folder, no bridge, no firewall rules, nothing pulled. Include it with `#[path]`.
//!
//! Needs root and the programs `dockerd`, `containerd`, `runc`, `docker`, `busybox` (static), `tar` and `unshare`
//! (Debian: `docker.io`, `busybox-static`). Where one is missing, `shared` says why and returns `None`, and the test
//! passes without having tested anything; with `CI` set it panics instead.
//!
//! Measured: Docker 20.10.24 with overlay2 answers after 2 s inside a virtual machine that mounts nothing but
//! `/proc` and `/sys`: the cgroup hierarchy is mounted here, in a mount namespace of the daemon's own.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread::park_timeout,
    time::{Duration, Instant},
};

/// A running daemon. It and all its containers end when this is dropped.
pub struct Dockerd {
    child: Child,
    dir: PathBuf,
    driver: &'static str,
}

/// Makes a cgroup hierarchy where there is none, then becomes the daemon.
const START: &str = r#"
if ! grep -q ' /sys/fs/cgroup' /proc/mounts; then
    if awk '$2 != 0 && !/^#/ { used = 1 } END { exit !used }' /proc/cgroups; then
        mount -t tmpfs cgroup /sys/fs/cgroup
        for name in $(awk '$4 == 1 && !/^#/ { print $1 }' /proc/cgroups); do
            mkdir -p /sys/fs/cgroup/$name && mount -t cgroup -o $name cgroup /sys/fs/cgroup/$name
        done
    else
        mount -t cgroup2 cgroup /sys/fs/cgroup
    fi
fi
exec dockerd "$@"
"#;

static SHARED: Mutex<Weak<Dockerd>> = Mutex::new(Weak::new());

impl Dockerd {
    /// The daemon that the tests of this program share; started for the first, ended with the last.
    pub fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let started = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&started);
        Some(started)
    }

    /// A daemon of one's own.
    pub fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(daemon) => Some(daemon),
            Err(why) if std::env::var_os("CI").is_some() => panic!("no Docker engine: {why}"),
            Err(why) => {
                eprintln!("SKIPPED: no Docker engine: {why}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let uid = run(Command::new("id").arg("-u"))?;
        if uid.trim() != "0" {
            return Err("this needs root".into());
        }
        for program in ["dockerd", "containerd", "runc", "docker", "busybox", "tar", "unshare"] {
            let found = run(Command::new("sh").args(["-c", &format!("command -v {program}")]));
            found.map_err(|_| format!("`{program}` is not installed"))?;
        }
        let mut why = String::new();
        for driver in ["overlay2", "vfs"] {
            match Self::start_with(driver) {
                Ok(daemon) => return Ok(daemon),
                Err(error) => why = format!("{why}{driver}: {error}; "),
            }
        }
        Err(why)
    }

    fn start_with(driver: &'static str) -> Result<Self, String> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Short, because the path of a socket may have 107 bytes.
        let dir = std::env::temp_dir().join(format!("lanner-dockerd-{}-{count}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        let child = spawn(&dir, driver)?;
        let mut daemon = Self { child, dir, driver };
        daemon.wait_until_it_answers()?;
        daemon.build_image()?;
        Ok(daemon)
    }

    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.answers() {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) || Instant::now() > deadline {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(3).collect();
                return Err(format!("dockerd did not start: {}", tail.join(" | ")));
            }
            park_timeout(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Stops the daemon, as for an upgrade, and starts it again on the same data.
    ///
    /// # Panics
    /// It does not come back.
    pub fn restart(&mut self) {
        self.stop();
        self.child = spawn(&self.dir, self.driver).unwrap_or_else(|why| panic!("{why}"));
        self.wait_until_it_answers().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Asks it to end, and insists after a while.
    fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        // The shells in its containers do not listen to it, and get ten seconds.
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            park_timeout(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn answers(&self) -> bool {
        let Ok(mut socket) = UnixStream::connect(self.socket()) else { return false };
        let mut answer = String::new();
        socket.write_all(b"GET /_ping HTTP/1.0\r\n\r\n").is_ok()
            && socket.read_to_string(&mut answer).is_ok()
            && answer.ends_with("OK")
    }

    /// An image of nothing but busybox, from a local tar: [`Dockerd::IMAGE`].
    fn build_image(&self) -> Result<(), String> {
        let script = r#"set -e
            mkdir -p "$1/bin"
            cp "$(command -v busybox)" "$1/bin/busybox"
            for name in sh cat sleep echo; do ln -sf busybox "$1/bin/$name"; done
            tar -C "$1" -c . | docker -H "$2" import - "$3""#;
        let root = self.dir.join("image");
        run(self.cli(Command::new("sh").args(["-c", script, "sh"])).arg(root).arg(self.host()).arg(Self::IMAGE))?;
        Ok(())
    }

    /// Name of the image.
    pub const IMAGE: &'static str = "lanner-test/busybox:1";

    /// Path of the daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// `unix://` and the path of the socket.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Runs `docker` with these arguments and returns what it prints.
    ///
    /// # Panics
    /// It fails.
    pub fn docker(&self, args: &[&str]) -> String {
        let output = run(self.cli(&mut Command::new("docker")).args(["-H", &self.host()]).args(args));
        output.unwrap_or_else(|why| panic!("docker {}: {why}", args.join(" "))).trim().to_owned()
    }

    /// Runs a detached container of the image without network; `command` is for its shell. Returns its id.
    ///
    /// # Panics
    /// It fails.
    pub fn run(&self, name: &str, options: &[&str], command: &str) -> String {
        let mut args = vec!["run", "--detach", "--network", "none", "--name", name];
        args.extend(options);
        args.extend([Self::IMAGE, "/bin/sh", "-c", command]);
        self.docker(&args)
    }

    /// A folder that is removed with the daemon, for files to mount.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The user's own settings for the client play no part.
    fn cli<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DOCKER_CONFIG", self.dir.join("config")).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT")
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn spawn(dir: &Path, driver: &str) -> Result<Child, String> {
    let log = fs::File::options().create(true).append(true).open(dir.join("log")).map_err(|error| error.to_string())?;
    let at = |name: &str| dir.join(name).display().to_string();
    Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", START, "sh"])
        .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
        .args(["--host", &format!("unix://{}", at("docker.sock")), "--storage-driver", driver])
        .args(["--bridge=none", "--iptables=false", "--ip-forward=false", "--shutdown-timeout=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| error.to_string())
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
