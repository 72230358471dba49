//! A Kafka cluster inside the test program: librdkafka's mock, on ports of its own on loopback, with real connections.
//! Crates include this file with `#[path]`.

#![allow(dead_code, clippy::unwrap_used, reason = "shared by tests")]

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::Headers as _,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

/// Longer than anything takes that is not broken.
const SOON: Duration = Duration::from_secs(60);

type Mock = MockCluster<'static, DefaultProducerContext>;
type Command = Box<dyn FnOnce(&Mock) + Send>;

/// A cluster of one broker.
pub struct Cluster {
    /// The mock may not leave its thread.
    commands: Mutex<mpsc::Sender<Command>>,
    pub brokers: String,
}

/// A message as a consumer of it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub partition: i32,
    pub key: Option<String>,
    pub value: Vec<u8>,
    pub headers: Vec<(String, String)>,
}

impl Cluster {
    /// Starts with these topics of so many partitions; others come with the first message.
    pub fn start(topics: &[(&'static str, i32)]) -> Self {
        let (commands, received) = mpsc::channel::<Command>();
        let (ready, started) = mpsc::channel();
        // Ends with the cluster that is returned.
        std::thread::spawn(move || {
            let mock = MockCluster::new(1).unwrap();
            ready.send(mock.bootstrap_servers()).unwrap();
            received.iter().for_each(|command| command(&mock));
        });
        let cluster = Self { commands: Mutex::new(commands), brokers: started.recv_timeout(SOON).unwrap() };
        for (topic, partitions) in topics.iter().copied() {
            cluster.tell(move |mock| mock.create_topic(topic, partitions, 1).unwrap());
        }
        cluster
    }

    /// Runs a command and waits for its end.
    pub fn tell(&self, command: impl FnOnce(&Mock) + Send + 'static) {
        let (done, waiting) = mpsc::channel();
        let command = move |mock: &Mock| {
            command(mock);
            done.send(()).unwrap();
        };
        self.commands.lock().unwrap().send(Box::new(command)).unwrap();
        waiting.recv_timeout(SOON).unwrap();
    }

    /// Closes every connection and takes no new ones.
    pub fn leave(&self) {
        self.tell(|mock| mock.broker_down(-1).unwrap());
    }

    /// Takes connections again.
    pub fn come_back(&self) {
        self.tell(|mock| mock.broker_up(-1).unwrap());
    }

    /// Answers the next requests of this kind with these errors.
    pub fn fail(&self, api: RDKafkaApiKey, errors: Vec<RDKafkaRespErr>) {
        self.tell(move |mock| mock.request_errors(api, &errors));
    }

    /// Answers everything so much later.
    pub fn delay(&self, delay: Duration) {
        self.tell(move |mock| mock.broker_round_trip_time(-1, delay).unwrap());
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// Adds messages to a partition and waits until they are there.
    pub fn produce(&self, topic: &str, partition: i32, values: &[Vec<u8>]) {
        let producer: BaseProducer =
            self.client().set("linger.ms", "0").set("message.max.bytes", "50000000").create().unwrap();
        for value in values {
            producer.send(BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(value)).unwrap();
        }
        producer.flush(SOON).unwrap();
    }

    /// Everything that is in a topic, partition after partition.
    pub fn messages(&self, topic: &str) -> Vec<Received> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), SOON).unwrap();
        let partitions = metadata.topics()[0].partitions().len();
        let mut all = Vec::new();
        for partition in 0..partitions as i32 {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
            consumer.assign(&list).unwrap();
            loop {
                match consumer.poll(SOON).expect("the end of the partition comes") {
                    Ok(message) => all.push(received(&message.detach())),
                    Err(KafkaError::PartitionEOF(_)) => break,
                    Err(error) => panic!("{topic}: {error}"),
                }
            }
        }
        all
    }

    /// Where a group goes on in a partition; `None` when it has committed nothing.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let committed = consumer.committed_offsets(list, SOON).unwrap();
        committed.elements().first().and_then(|element| element.offset().to_raw()).filter(|offset| *offset >= 0)
    }
}

fn received(message: &rdkafka::message::OwnedMessage) -> Received {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Received {
        partition: message.partition(),
        key: message.key().map(text),
        value: message.payload().unwrap_or_default().to_vec(),
        headers: headers.map(|header| (header.key.to_owned(), text(header.value.unwrap_or_default()))).collect(),
    }
}
