//! `k8s_audit` and a body of 200 MiB. Alone in its process, because the memory of the process is what it measures.

#![allow(clippy::unwrap_used, reason = "tests, helpers included")]

#[path = "../../tests/support/port.rs"]
mod port;

use lanner_engine::{
    component::{Admission, Factory, Intake, Planned, Room, Taking},
    config::plan_body,
    prelude::*,
};
use lanner_receivers::k8s_audit::K8sAudit;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Counts what comes and keeps none of it.
#[derive(Default)]
struct Sink {
    events: AtomicUsize,
    others: AtomicUsize,
    admitted: Arc<AtomicUsize>,
    most_admitted: AtomicUsize,
}

impl Intake for Sink {
    fn take(&self, batch: Batch, _: Duration) -> Taking<'_> {
        Taking::waits(async move {
            for record in batch.records() {
                let counter = if lanner_engine::semantics::is_audit(record) { &self.events } else { &self.others };
                counter.fetch_add(1, Relaxed);
            }
            Ok(())
        })
    }

    fn take_patiently<'t>(&'t self, batch: Batch, _: &'t Drain) -> Taking<'t> {
        self.take(batch, Duration::ZERO)
    }

    fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        let now = self.admitted.fetch_add(bytes, Relaxed) + bytes;
        self.most_admitted.fetch_max(now, Relaxed);
        Ok(Admission::new(Arc::clone(&self.admitted) as Arc<dyn Room>, bytes))
    }

    fn failed(&self, _: u64, _: &'static str) {}
}

/// The most memory that this process ever had resident, in bytes; `None` where the kernel does not tell.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
}

/// Scenario: K3: one EventList of over 200 MiB, made while it is sent: usual events and events of 2 MiB.
/// Guarantee: 200, every event is a record, resident memory grows by less than 64 MiB, and the room asked for covers
/// no more than that and is given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k3_a_large_body_takes_little_memory() {
    const ROUNDS: usize = 100;
    let port = port::free();
    let trial = plan_body(&Factory::receiver::<K8sAudit>(), &format!("endpoint: localhost:{port}"));
    let Some(Planned::Receiver(plan)) = trial.planned else { panic!("{}", trial.rendered()) };
    let cx = BuildCx::new(Kind::Receiver, "k8s_audit".parse().unwrap(), Default::default(), Default::default());
    let (sink, drain) = (Arc::new(Sink::default()), Drain::new());
    let receiver = plan.build(&cx).await.unwrap();
    let running = tokio::spawn(receiver.run(Consumer::new(Arc::clone(&sink) as Arc<dyn Intake>), drain.clone()));

    let filler = "x".repeat(64 << 10);
    let event = |size: usize, id: usize| {
        let start = format!(
            r#"{{"level":"Request","auditID":"{id}","stage":"ResponseComplete","verb":"create","requestObject":{{"data":""#
        );
        (start, size, "\"}}")
    };
    let before = peak();
    let mut wire = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    wire.write_all(
        b"POST /k8s-audit HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    )
    .await
    .unwrap();
    let mut sent = 0;
    let send = async |wire: &mut TcpStream, part: &str| {
        wire.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await.unwrap();
        wire.write_all(part.as_bytes()).await.unwrap();
        wire.write_all(b"\r\n").await.unwrap();
        part.len()
    };
    sent += send(&mut wire, r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":["#).await;
    for round in 0..ROUNDS {
        for (fillers, comma) in [(1, ","), (32, if round + 1 < ROUNDS { "," } else { "" })] {
            let (start, fillers, end) = event(fillers, round * 100 + fillers);
            sent += send(&mut wire, &start).await;
            for _ in 0..fillers {
                sent += send(&mut wire, &filler).await;
            }
            sent += send(&mut wire, end).await;
            if !comma.is_empty() {
                sent += send(&mut wire, comma).await;
            }
        }
    }
    sent += send(&mut wire, "]}").await;
    wire.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 12];
    tokio::time::timeout(Duration::from_secs(60), wire.read_exact(&mut answer)).await.unwrap().unwrap();
    let after = peak();

    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 200");
    assert!(sent > 200 << 20, "{sent}");
    assert_eq!((sink.events.load(Relaxed), sink.others.load(Relaxed)), (2 * ROUNDS, 0));
    assert!(sink.most_admitted.load(Relaxed) < 64 << 20, "{}", sink.most_admitted.load(Relaxed));
    match (before, after) {
        (Some(before), Some(after)) => assert!(after - before < 64 << 20, "grew by {} bytes", after - before),
        _ => println!("skipped: this kernel does not tell the resident memory"),
    }
    drop(wire);
    drain.request();
    tokio::time::timeout(Duration::from_secs(60), running).await.unwrap().unwrap().unwrap();
    assert_eq!(sink.admitted.load(Relaxed), 0);
}
