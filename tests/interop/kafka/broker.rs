//! A Kafka of one node, broker and controller, in a process of its own. It listens in the clear, with TLS, and with TLS and
//! passwords; topics come with their first message and have four partitions.

use super::{
    certificates::Authority,
    tools::{java, lengths},
};
use crate::support::{lanner::TempDir, wait};
use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

/// Who may log in, and how.
pub const USER: &str = "lanner";
pub const PASSWORD: &str = "kestrel-17";

/// How many partitions a topic has.
pub const PARTITIONS: i32 = 4;

/// A JVM on a busy machine takes its time.
const START: Duration = Duration::from_secs(120);

/// A running node. Killed when dropped.
pub struct Broker {
    dir: TempDir,
    process: Option<Child>,
    /// In the clear.
    pub plain: u16,
    /// With TLS.
    pub tls: u16,
    /// With TLS and a password.
    pub sasl: u16,
    /// Who signed the certificate for `localhost`.
    pub ca: PathBuf,
}

impl Broker {
    /// Makes an empty node and starts it.
    pub fn start() -> Self {
        let [plain, tls, sasl, controller] = std::array::from_fn(|_| wait::free_port());
        let dir = TempDir::new();
        let path = dir.path().display();
        let ca = dir.path().join("ca.pem");
        let authority = Authority::new();
        std::fs::write(&ca, authority.pem()).unwrap();
        std::fs::write(dir.path().join("node.pem"), authority.issue("localhost")).unwrap();
        let module = "org.apache.kafka.common.security";
        let settings = format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plain},SSL://127.0.0.1:{tls},SASL_SSL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SSL://localhost:{tls},SASL_SSL://localhost:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={path}/node.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
log.dirs={path}/data
num.partitions={PARTITIONS}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"
        );
        std::fs::write(dir.path().join("node.properties"), settings).unwrap();
        let mut format = java("kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config", "node.properties"]);
        format.args(["SCRAM-SHA-256", "SCRAM-SHA-512"].iter().flat_map(|mechanism| {
            ["--add-scram".to_owned(), format!("{mechanism}=[name={USER},password={PASSWORD}]")]
        }));
        let formatted = format.current_dir(dir.path()).output().unwrap();
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let mut broker = Self { dir, process: None, plain, tls, sasl, ca };
        broker.start_again();
        broker
    }

    /// Starts a node that was killed, on what it has left.
    pub fn start_again(&mut self) {
        self.kill();
        let log = File::create(self.dir.path().join("log")).unwrap();
        let mut node = java("kafka.Kafka");
        node.arg("node.properties").current_dir(self.dir.path());
        self.process = Some(node.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        wait::until("Kafka is ready", START, || {
            let process = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
            if let Some(status) = process {
                panic!("Kafka ended with {status}:\n{}", self.log());
            }
            self.log().contains("Kafka Server started").then_some(())
        });
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Where clients without TLS begin.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.plain)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed && self.process.is_some() {
            eprintln!("messages in Kafka: {:?}", lengths(self));
        }
        self.kill();
        if failed {
            let log = self.log();
            let lines: Vec<_> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
            eprintln!("of Kafka's log:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}
