//! `k8s_audit` and API servers: the timing, the retries and the parallelism of the real client, over TLS.
//!
//! Real sockets on a paused clock: time stands while there is work, however busy the machine is, and passes when everything
//! waits. [`trickle`] lets it pass in small steps, so that bytes on their way between two sockets are not overtaken.
//!
//! Guarantee of all: what a server counts as delivered was taken at least once, what was taken several times has one id,
//! and no two events share one.

#![allow(clippy::unwrap_used, reason = "tests, helpers included")]

#[path = "apiserver/mod.rs"]
mod apiserver;
#[path = "../../tests/support/port.rs"]
mod port;
#[path = "apiserver/sink.rs"]
mod sink;

use apiserver::{ApiServer, Fate};
use bytes::Bytes;
use futures_util::future::join_all;
use lanner_engine::{
    component::{Factory, Intake, Planned},
    config::plan_body,
    prelude::*,
};
use lanner_receivers::k8s_audit::K8sAudit;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sink::Sink;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// The receiver's default: how long it waits for the pipeline.
const HOLD: Duration = Duration::from_secs(5);
/// Above any answer: the hold, and what the steps of the clock add to it. An attempt has 30 s.
const BOUND: Duration = Duration::from_secs(10);
/// Above the five attempts of a batch together.
const ALL_ATTEMPTS: Duration = Duration::from_secs(300);

/// Lets the paused clock pass in steps.
#[allow(clippy::disallowed_methods, reason = "real time for the kernel, while the clock of the runtime stands")]
fn trickle() {
    tokio::spawn(async {
        loop {
            sleep(Duration::from_millis(50)).await;
            // The kernel may need a moment to bring bytes to the other socket.
            std::thread::sleep(Duration::from_micros(100));
        }
    });
}

/// A cluster: a receiver that may be down, a pipeline, and API servers.
struct Cluster {
    ca: String,
    identity: (String, String),
    address: SocketAddr,
    sink: Arc<Sink>,
    telemetry: lanner_engine::telemetry::Telemetry,
    running: Option<(JoinHandle<Result<(), BoxError>>, Drain)>,
}

impl Cluster {
    fn new(sink: Sink) -> Self {
        // Only the first test of the process can install it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        trickle();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        let identity = (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem());
        Self {
            ca,
            identity,
            address: (Ipv4Addr::LOCALHOST, port::free()).into(),
            sink: Arc::new(sink),
            telemetry: Default::default(),
            running: None,
        }
    }

    /// Starts the receiver.
    async fn start(&mut self, hold: Duration) {
        let yaml = serde_json::json!({
            "endpoint": format!("localhost:{}", self.address.port()),
            "hold": format!("{}s", hold.as_secs()),
            "tls": {"cert_pem": self.identity.0, "key_pem": self.identity.1},
        });
        let trial = plan_body(&Factory::receiver::<K8sAudit>(), &yaml.to_string());
        let Some(Planned::Receiver(plan)) = trial.planned else { panic!("{}", trial.rendered()) };
        let cx = BuildCx::new(Kind::Receiver, "k8s_audit".parse().unwrap(), self.telemetry.clone(), Default::default());
        let out = Consumer::new(Arc::clone(&self.sink) as Arc<dyn Intake>);
        let drain = Drain::new();
        let receiver = plan.build(&cx).await.unwrap();
        self.running = Some((tokio::spawn(receiver.run(out, drain.clone())), drain));
    }

    async fn stop(&mut self) {
        let Some((running, drain)) = self.running.take() else { return };
        drain.request();
        timeout(BOUND, running).await.expect("ends on drain").unwrap().unwrap();
        assert_eq!(self.sink.admitted(), 0, "all room is given back");
    }

    fn server(&self, number: usize) -> Arc<ApiServer> {
        ApiServer::new(number, &self.ca, self.address)
    }

    fn connections(&self) -> i64 {
        self.telemetry.metric("lanner_http_server_connections").map_or(0, |metric| metric.series[0].1)
    }

    /// What must hold at the end: see the head of this file.
    fn check(&self, fates: &[Fate], events: usize) {
        let taken = self.sink.taken();
        let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for uid in taken.keys() {
            let (event, digest) = uid.split_once('/').unwrap();
            ids.entry(event).or_default().insert(digest);
        }
        assert!(ids.values().all(|digests| digests.len() == 1), "an event has one id");
        assert_eq!(ids.values().flatten().collect::<BTreeSet<_>>().len(), ids.len(), "no two events share one");
        for fate in fates.iter().filter(|fate| fate.delivered) {
            for event in 0..events {
                let name = event_name(fate.server, fate.batch, event);
                assert!(ids.contains_key(name.as_str()), "{name} counts as delivered and is not here");
            }
        }
        assert!(self.telemetry.metric("lanner.audit.id_collisions").is_none());
    }
}

fn event_name(server: usize, batch: usize, event: usize) -> String {
    format!("s{server}-b{batch}-e{event}")
}

/// A batch of `events` events, each with an id of its own.
fn batch(server: usize, batch: usize, events: usize) -> Bytes {
    let items: Vec<_> = (0..events)
        .map(|event| {
            let name = event_name(server, batch, event);
            format!(r#"{{"level":"Metadata","auditID":"{name}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods/{name}","verb":"get","user":{{"username":"system:serviceaccount:web:default","groups":["system:serviceaccounts","system:authenticated"]}},"sourceIPs":["10.0.0.{server}"],"userAgent":"kubelet/v1.34.0","objectRef":{{"resource":"pods","namespace":"web","name":"{name}","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":200}},"requestReceivedTimestamp":"2026-01-01T00:00:00.000001Z","stageTimestamp":"2026-01-01T00:00:00.250001Z","annotations":{{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC"}}}}"#)
        })
        .collect();
    let items = items.join(",");
    format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{items}]}}"#).into()
}

/// Scenario: K1: the receiver is down for 75 s of the API server's time while batches come; then for 120 s.
/// Guarantee: after 75 s nothing is lost. After 120 s exactly those batches are lost whose five attempts were over by then;
/// whatever was tried once more is here.
#[tokio::test(start_paused = true)]
async fn k1_an_outage_loses_nothing_but_what_is_too_old() {
    const EVENTS: usize = 20;
    for (outage, some_lost) in [(75, false), (120, true)] {
        let mut cluster = Cluster::new(Sink::new(64 << 20));
        let server = cluster.server(0);
        let mut sending = Vec::new();
        for second in 0..outage {
            let number = usize::try_from(second).unwrap();
            sending.push(tokio::spawn(Arc::clone(&server).send(number, batch(0, number, EVENTS))));
            sleep(Duration::from_secs(1)).await;
        }
        cluster.start(HOLD).await;
        let up = Instant::now();
        let fates: Vec<Fate> = join_all(sending).await.into_iter().map(Result::unwrap).collect();
        cluster.check(&fates, EVENTS);
        let lost: Vec<_> = fates.iter().filter(|fate| !fate.delivered).collect();
        println!("outage {outage} s: {} of {} batches lost", lost.len(), fates.len());
        assert_eq!(!lost.is_empty(), some_lost);
        // A try that began a little before the listener was there may have been refused.
        let tried_after = |fate: &Fate| fate.attempts.iter().any(|attempt| *attempt > up);
        assert!(lost.iter().all(|fate| !tried_after(fate)), "a batch that was tried while we were up is lost");
        assert!(fates.iter().any(|fate| fate.delivered && fate.attempts.len() > 1), "or nothing was repeated");
        let missing = fates
            .iter()
            .filter(|fate| !cluster.sink.taken().keys().any(|uid| uid.starts_with(&format!("s0-b{}-", fate.batch))));
        assert_eq!(missing.count(), lost.len(), "lost is what the server says is lost");
        cluster.stop().await;
    }
}

/// Scenario: K2: the pipeline is full for 200 s of the API server's time; batches come all the while.
/// Guarantee: 429 and nothing else until there is room; every batch is delivered in the end.
#[tokio::test(start_paused = true)]
async fn k2_overload_is_waited_out() {
    const EVENTS: usize = 20;
    let mut cluster = Cluster::new(Sink::new(64 << 20));
    cluster.sink.set_open(false);
    cluster.start(HOLD).await;
    let server = cluster.server(0);
    let mut sending = Vec::new();
    for number in 0..40 {
        sending.push(tokio::spawn(Arc::clone(&server).send(number, batch(0, number, EVENTS))));
        sleep(Duration::from_secs(5)).await;
    }
    let before = server.answers.lock().statuses.clone();
    assert_eq!(before.keys().collect::<Vec<_>>(), [&429], "{before:?}");
    cluster.sink.set_open(true);
    let fates: Vec<Fate> = join_all(sending).await.into_iter().map(Result::unwrap).collect();
    assert!(fates.iter().all(|fate| fate.delivered), "{fates:?}");
    assert!(fates[0].attempts.len() > 1, "or it was no overload");
    println!("full for 200 s: {:?}, then {:?}", before, server.answers.lock().statuses);
    cluster.check(&fates, EVENTS);
    cluster.stop().await;
}

/// Scenario: K6: the pipeline takes the batch and is slower with its acknowledgement than the API server waits, three times.
/// Guarantee: the batch is delivered in the end; each of its events came again with the same id.
#[tokio::test(start_paused = true)]
async fn k6_a_server_that_does_not_hear_us_repeats_the_same() {
    const EVENTS: usize = 400;
    let mut cluster = Cluster::new(Sink::paced(64 << 20, 100, Duration::from_secs(60)));
    cluster.start(Duration::from_secs(20)).await;
    let sending = tokio::spawn(cluster.server(0).send(0, batch(0, 0, EVENTS)));
    let thrice = async {
        while cluster.sink.taken().values().next().is_none_or(|times| *times < 3) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(ALL_ATTEMPTS, thrice).await.expect("it is repeated");
    cluster.sink.hurry();
    let fate = sending.await.unwrap();
    assert!(fate.delivered && fate.attempts.len() > 1, "{fate:?}");
    let taken = cluster.sink.taken();
    assert_eq!(taken.len(), EVENTS);
    assert!(taken.values().all(|times| *times >= 4), "{taken:?}");
    cluster.check(&[fate], EVENTS);
    cluster.stop().await;
}

/// Scenario: K7: 300 batches at once on one connection, of 400 events, or of 40 where the build is ten times slower.
/// Guarantee: one connection carries them all, each is answered 200 at the first try, nothing is missing.
#[tokio::test(start_paused = true)]
async fn k7_three_hundred_at_once() {
    const EVENTS: usize = if cfg!(debug_assertions) { 40 } else { 400 };
    let mut cluster = Cluster::new(Sink::new(1 << 30));
    cluster.start(HOLD).await;
    let server = cluster.server(0);
    let first = Arc::clone(&server).send(0, batch(0, 0, EVENTS)).await;
    assert!(first.delivered);
    let bodies: Vec<Bytes> = (1..=300).map(|number| batch(0, number, EVENTS)).collect();
    let start = std::time::Instant::now();
    let sending =
        bodies.into_iter().zip(1..).map(|(body, number)| tokio::spawn(Arc::clone(&server).send(number, body)));
    let fates: Vec<Fate> = join_all(sending.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect();
    let all = start.elapsed();
    let again = fates.iter().filter(|fate| !fate.delivered || fate.attempts.len() > 1).count();
    assert_eq!(again, 0, "batches that were not taken at the first try; answers: {:?}", server.answers.lock().statuses);
    assert_eq!(cluster.connections(), 1);
    let slowest = server.answers.lock().took.iter().max().copied().unwrap_or_default();
    println!("300 x {EVENTS} events at once, client and server on one thread: {all:?} of real time");
    assert!(slowest < BOUND, "waited for {slowest:?}");
    cluster.check(&fates, EVENTS);
    cluster.stop().await;
}

/// Scenario: K7: three API servers with 500 batches each, at once, in front of a slow pipeline with a small memory budget.
/// Guarantee: no answer takes longer than its bound; 200 or 429, nothing else; the budget holds; all is delivered in the
/// end; when half of all is delivered, each server has at least half of its share.
#[tokio::test(start_paused = true)]
async fn k7_fifteen_hundred_from_three_servers() {
    const EVENTS: usize = 10;
    const BUDGET: usize = 16 << 20;
    let mut cluster = Cluster::new(Sink::paced(BUDGET, 2, Duration::from_millis(30)));
    cluster.start(HOLD).await;
    let servers: Vec<_> = (0..3).map(|number| cluster.server(number)).collect();
    let warm = join_all(servers.iter().map(|server| Arc::clone(server).send(9999, batch(server.number, 9999, EVENTS))));
    assert!(warm.await.iter().all(|fate| fate.delivered));
    let mut sending = Vec::new();
    for number in 0..500 {
        for server in &servers {
            let body = batch(server.number, number, EVENTS);
            sending.push(tokio::spawn(Arc::clone(server).send(number, body)));
        }
    }
    let mut fates: Vec<Fate> = join_all(sending).await.into_iter().map(Result::unwrap).collect();
    assert!(fates.iter().all(|fate| fate.delivered), "lost: {}", fates.iter().filter(|fate| !fate.delivered).count());
    assert_eq!(cluster.connections(), 3);
    let mut statuses = BTreeMap::<u16, usize>::new();
    let mut longest = Duration::ZERO;
    for server in &servers {
        let answers = server.answers.lock();
        answers.statuses.iter().for_each(|(status, count)| *statuses.entry(*status).or_default() += count);
        longest = longest.max(answers.took.iter().max().copied().unwrap_or_default());
    }
    println!(
        "3 x 500 at once: {statuses:?}, slowest answer {longest:?}, at most {} bytes",
        cluster.sink.most_admitted()
    );
    assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200, &429], "{statuses:?}");
    assert!(longest < BOUND, "{longest:?}");
    assert!(cluster.sink.most_admitted() <= BUDGET);
    fates.sort_by_key(|fate| fate.ended);
    for server in 0..3 {
        let early = fates[..750].iter().filter(|fate| fate.server == server).count();
        assert!(early >= 125, "server {server} has {early} of the first 750");
    }
    cluster.check(&fates, EVENTS);
    cluster.stop().await;
}
