//! `Running`: a receiver as the engine would run it, on a free port, with a [`Capture`] behind it.
//!
//! Promises: the configuration goes through the receiver's own factory, so what is tested is what a user gets; a port that
//! somebody else took in the meantime is replaced; stopping is bounded and its failure names the receiver.

use crate::{
    component::{BuildCx, Drain, Factory, Planned},
    config::plan_body,
    telemetry::Telemetry,
    testing::Capture,
};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

/// Far more than anything here should take.
pub(super) const SOON: Duration = Duration::from_secs(60);

/// How often another port is tried.
const PORTS: usize = 10;

/// Where a receiver runs, and how long it may wait; goes into its configuration.
#[derive(Clone, Debug)]
pub struct Place {
    /// A free port of localhost.
    pub port: u16,
    /// An empty folder, removed afterwards.
    pub dir: PathBuf,
    /// How long a request may wait for the pipeline, for receivers that have such a setting.
    pub patience: Duration,
}

impl Place {
    /// `patience` as it is written in YAML.
    pub fn patience(&self) -> String {
        format!("{}ms", self.patience.as_millis())
    }
}

/// A running receiver. Dropping it cuts it off, as a crash would.
pub struct Running {
    pub capture: Capture,
    pub telemetry: Telemetry,
    pub drain: Drain,
    /// Where it listens, when it does.
    pub address: SocketAddr,
    name: &'static str,
    task: JoinHandle<Result<(), String>>,
    _folder: Folder,
}

/// Removes itself.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lanner-receiver-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary folder can be written to");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// Plans, builds and runs a receiver of the type `factory` with the body that `config` writes.
    ///
    /// # Panics
    /// The configuration does not pass, or the receiver cannot be built.
    pub async fn start(factory: &Factory, patience: Duration, config: impl Fn(&Place) -> String) -> Self {
        let folder = Folder::new();
        let mut problem = String::new();
        for _ in 0..PORTS {
            let place = Place { port: free_port(), dir: folder.0.clone(), patience };
            let yaml = config(&place);
            let trial = plan_body(factory, &yaml);
            let Some(Planned::Receiver(plan)) = trial.planned else {
                panic!("the configuration of {} does not pass:\n{yaml}\n{}", factory.type_name, trial.rendered());
            };
            let telemetry = Telemetry::default();
            let id = factory.type_name.parse().expect("a type name is an id");
            let cx = BuildCx::new(factory.kind, id, telemetry.clone(), Default::default());
            let receiver = match plan.build(&cx).await {
                Ok(receiver) => receiver,
                Err(error) => {
                    problem = error.to_string();
                    continue;
                }
            };
            let (capture, drain) = (Capture::new(), Drain::new());
            let running = receiver.run(capture.consumer(), drain.clone());
            let task = tokio::spawn(async move { running.await.map_err(|error| error.to_string()) });
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
            return Self { capture, telemetry, drain, address, name: factory.type_name, task, _folder: folder };
        }
        panic!("{} cannot be built: {problem}", factory.type_name);
    }

    /// Drains and waits for the end.
    ///
    /// # Panics
    /// It does not end, or ends with an error or a panic.
    pub async fn stop(&mut self) {
        self.drain.request();
        self.ended().await;
    }

    /// Waits for the end of a receiver that was told to drain.
    ///
    /// # Panics
    /// As [`Running::stop`].
    pub async fn ended(&mut self) {
        match timeout(SOON, &mut self.task).await {
            Err(_) => panic!("{} does not end on drain", self.name),
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => panic!("{} ended with an error: {error}", self.name),
            Ok(Err(error)) => panic!("{} broke: {error}", self.name),
        }
    }

    /// Whether the receiver still runs.
    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }

    /// Drops the receiver in the middle of what it does, and waits until it is gone.
    pub async fn cut_off(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// The sum of a metric over the series that have `label`; an empty one takes all.
    pub fn metric(&self, name: &str, label: &str) -> i64 {
        let has =
            |labels: &[(&'static str, String)]| label.is_empty() || labels.iter().any(|(_, value)| value == label);
        let metric = self.telemetry.metric(name);
        let series = metric.iter().flat_map(|metric| &metric.series);
        series.filter(|(labels, _)| has(labels)).map(|(_, value)| value).sum()
    }
}

fn free_port() -> u16 {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.expect("localhost has a free port").port()
}

/// Polls until `done`, for a bounded time.
///
/// # Panics
/// With `what` when the time is over.
pub(super) async fn eventually(what: &str, done: impl Fn() -> bool) {
    let look = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(SOON, look).await.is_ok(), "{what}");
}
