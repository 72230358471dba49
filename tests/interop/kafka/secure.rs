//! TLS and passwords.

use super::{
    broker::{Broker, PASSWORD, USER},
    certificates::Authority,
    lanners::{Post, QUEUED},
};
use crate::support::{
    lanner::TempDir,
    load::{Door, Sender},
    oracle::{Books, Oracle},
    oracle_sink::OracleSink,
    wait,
};
use std::time::Duration;

const ARRIVAL: Duration = Duration::from_secs(120);
/// Alerts of a case.
const ALERTS: usize = 50;

/// How one speaks to Kafka.
struct Access {
    broker: String,
    /// In YAML's flow form.
    tls: String,
    auth: String,
}

impl Access {
    fn sasl(broker: &Broker, mechanism: &str, password: &str) -> Self {
        let auth = format!("sasl: {{mechanism: {mechanism}, username: {USER}, password: {password}}}");
        Self { broker: format!("localhost:{}", broker.sasl), tls: format!("ca_file: '{}'", broker.ca.display()), auth }
    }

    /// From Falco's port to a topic, and from there to the sink.
    fn parts(&self, port: u16, sink: u16) -> [String; 3] {
        let Self { broker, tls, auth } = self;
        let access = format!("brokers: ['{broker}'], tls: {{{tls}}}, auth: {{{auth}}}");
        [
            format!(
                "falco_http: {{endpoint: 'localhost:{port}'}}, \
                 kafka: {{{access}, initial_offset: earliest, logs: {{topics: [alerts]}}}}"
            ),
            format!(
                "kafka: {{{access}, {QUEUED}, logs: {{topic: alerts}}}}, \
                 otlp_grpc: {{endpoint: 'localhost:{sink}', tls: {{insecure: true}}, {QUEUED}}}"
            ),
            "logs/in: {receivers: [falco_http], exporters: [kafka]}, \
             logs/out: {receivers: [kafka], exporters: [otlp_grpc]}"
                .to_owned(),
        ]
    }
}

/// An access that is refused, and the words that say why.
type Wrong = (Access, &'static [&'static str]);

/// Scenario: TLS alone, and TLS with each SASL mechanism; then a CA that did not sign, a certificate for another host, and
/// wrong passwords, until the log has said so, and at last with what is right.
/// Guarantee: what is right works. What is wrong is told by exporter and receiver with the reason and the key to look at;
/// alerts are taken meanwhile, wait on disk, and arrive, all of them, and only once when they were sent once.
#[test]
fn tls_and_passwords() {
    let broker = Broker::start();
    let ca = format!("ca_file: '{}'", broker.ca.display());
    let tls = |tls: &str, host: &str| Access {
        broker: format!("{host}:{}", broker.tls),
        tls: tls.to_owned(),
        auth: String::new(),
    };
    let folder = TempDir::new();
    let stranger = folder.path().join("stranger.pem");
    std::fs::write(&stranger, Authority::new().pem()).unwrap();
    let stranger = format!("ca_file: '{}'", stranger.display());
    let right = || tls(&ca, "localhost");
    let scram = || Access::sasl(&broker, "SCRAM-SHA-512", PASSWORD);
    let cases: [(&str, Option<Wrong>, Access); 8] = [
        ("tls", None, right()),
        ("scram-sha-512", None, scram()),
        ("scram-sha-256", None, Access::sasl(&broker, "SCRAM-SHA-256", PASSWORD)),
        ("plain", None, Access::sasl(&broker, "PLAIN", PASSWORD)),
        ("another-ca", Some((tls(&stranger, "localhost"), &["certificate", "`tls"])), right()),
        ("another-host", Some((tls(&ca, "127.0.0.1"), &["certificate", "`tls"])), right()),
        ("wrong-scram", Some((Access::sasl(&broker, "SCRAM-SHA-512", "wrong"), &["`auth.sasl"])), scram()),
        (
            "wrong-plain",
            Some((Access::sasl(&broker, "PLAIN", "wrong"), &["`auth.sasl"])),
            Access::sasl(&broker, "PLAIN", PASSWORD),
        ),
    ];
    let (oracle, books, port) = (Oracle::new(300), Books::default(), wait::free_port());
    let sink = OracleSink::listen(0, &oracle, &books);
    let parts = |access: &Access| access.parts(port, sink.port);
    for (name, wrong, right) in cases {
        let before = books.count();
        let [receivers, exporters, pipelines] = parts(wrong.as_ref().map_or(&right, |(access, _)| access));
        let mut post = Post::start(&receivers, &exporters, &pipelines);
        let mut sender = Sender::new(Door::Falco, port, &oracle);
        (0..ALERTS).for_each(|_| _ = sender.send_until_taken(ARRIVAL));
        if let Some((_, words)) = &wrong {
            for component in ["exporter", "receiver"] {
                post.wait_for_line(&[words, &[component][..]].concat());
            }
            assert_eq!(books.count(), before, "{name}");
            let ledger = post.stop();
            let row = ledger.row("logs/in -> kafka");
            assert!(row.accepted >= ALERTS as u64 && row.queued == row.accepted, "{name}: {}", row.text);
            let [receivers, exporters, pipelines] = parts(&right);
            post.start_as(&receivers, &exporters, &pipelines);
        }
        oracle.wait_for(&books, ARRIVAL);
        post.stop();
        let verdict = oracle.judge(&books);
        println!("{name:>14}: {verdict}");
        verdict.assert_clean();
        assert_eq!(verdict.delivered, before + ALERTS as u64, "{name}");
        // What was sent again for want of an answer on a busy machine may come twice.
        assert!(verdict.duplicates <= verdict.refused + verdict.unanswered, "{name}");
    }
}
