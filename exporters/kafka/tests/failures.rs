//! What becomes of messages when something fails.

use super::{kafka_cluster::Cluster, *};
use crate::{
    kafka::{
        producer::Sent,
        verdict::{Topics, Verdict},
    },
    testing::{broken_request, logs, records, request_of},
};
use lanner_engine::testing::log;
use rdkafka::{
    error::RDKafkaErrorCode as Code,
    types::{RDKafkaApiKey::Produce, RDKafkaRespErr as Failure},
};

/// An exporter whose client gives a message up after this time.
async fn impatient(cluster: &Cluster, limit: Duration, keys: Json) -> Box<dyn Exporter> {
    build(Plan { message_limit: limit, ..plan(cluster, keys) }).await
}

/// Records whose bodies are so long, without a place, so that they share a message.
fn long(lengths: &[usize]) -> Request {
    let long = lengths.iter().enumerate().map(|(number, length)| {
        let body = "x".repeat(*length);
        log().attr("log.record.uid", format!("uid-{number}").as_str()).body(body.as_str())
    });
    request_of(records(Resource::default(), long))
}

/// Scenario: every error that a broker or the client may give.
/// Guarantee: only what will never be taken is rejected; everything else, unknown errors included, is tried again.
#[test]
fn errors_have_their_class() {
    let topics = Topics::new(Duration::from_secs(300));
    let judge = |code| topics.judge("t", Sent::Failed(code));
    for code in [Code::MessageSizeTooLarge, Code::MessageBatchTooLarge] {
        assert_eq!(judge(code), Verdict::TooLarge, "{code}");
    }
    for code in [Code::InvalidMessage, Code::TopicAuthorizationFailed, Code::InvalidTopic, Code::PolicyViolation] {
        assert!(matches!(judge(code), Verdict::Reject(_)), "{code}");
    }
    let passing = [
        Code::NotEnoughReplicas,
        Code::NotEnoughReplicasAfterAppend,
        Code::LeaderNotAvailable,
        Code::NotLeaderForPartition,
        Code::RequestTimedOut,
        Code::MessageTimedOut,
        Code::BrokerTransportFailure,
        Code::Authentication,
        Code::SaslAuthenticationFailed,
        Code::QueueFull,
        Code::PurgeInflight,
        Code::Fatal,
        Code::Unknown,
        Code::UnknownTopicOrPartition,
    ];
    for code in passing {
        assert!(matches!(judge(code), Verdict::Retry(_)), "{code}");
    }
}

/// Scenario: a topic is missing for five minutes; another comes in time.
/// Guarantee: both are waited for; what is for the first is then rejected, with the remedy; the second starts anew.
#[tokio::test(start_paused = true)]
async fn a_missing_topic_is_waited_for() {
    let topics = Topics::new(Duration::from_secs(300));
    let judge = |topic, sent| topics.judge(topic, sent);
    for _ in 0..3 {
        assert!(matches!(judge("never", Sent::Failed(Code::UnknownTopic)), Verdict::Retry(_)));
        assert!(matches!(judge("late", Sent::Failed(Code::UnknownTopicOrPartition)), Verdict::Retry(_)));
        tokio::time::advance(Duration::from_secs(100)).await;
    }
    assert_eq!(judge("late", Sent::Delivered), Verdict::Delivered);
    tokio::time::advance(Duration::from_secs(1)).await;
    let Verdict::Reject(reason) = judge("never", Sent::Failed(Code::UnknownTopic)) else { panic!("still waiting") };
    assert!(reason.contains("`never`") && reason.contains("create it"), "{reason}");
    assert!(matches!(judge("late", Sent::Failed(Code::UnknownTopic)), Verdict::Retry(_)));
    // Another failure says nothing about the topic, and the wait starts anew.
    assert!(matches!(judge("never", Sent::Failed(Code::MessageTimedOut)), Verdict::Retry(_)));
    assert!(matches!(judge("never", Sent::Failed(Code::UnknownTopic)), Verdict::Retry(_)));
}

/// Scenario: the broker is away when a request is exported, and comes back.
/// Guarantee: the attempt ends with a retry and holds nobody up; a later one delivers everything.
#[tokio::test]
async fn broker_down_and_up() {
    let cluster = Cluster::start(&[("otlp_logs", 2)]);
    cluster.leave();
    let exporter = impatient(&cluster, Duration::from_secs(3), json!({})).await;
    let request = logs(20);
    assert!(matches!(export(&*exporter, &request).await, Outcome::Retry { .. }));
    cluster.come_back();
    assert_eq!(deliver(&*exporter, &request).await, Outcome::Delivered);
    let mut messages = cluster.messages("otlp_logs");
    // So short a limit may have made copies.
    messages.sort_by(|a, b| a.value.cmp(&b.value));
    messages.dedup_by(|a, b| a.value == b.value);
    assert_eq!(decoded(&messages).len(), 20);
}

/// Scenario: brokers say that replicas are missing, that they are not the leader, and cut connections.
/// Guarantee: the client tries again by itself; everything arrives, once.
#[tokio::test]
async fn passing_errors() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let exporter = exporter(&cluster, json!({})).await;
    let errors = vec![
        Failure::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Failure::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Failure::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        Failure::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    cluster.fail(Produce, errors);
    assert_eq!(deliver(&*exporter, &logs(20)).await, Outcome::Delivered);
    assert_eq!(decoded(&cluster.messages("otlp_logs")).len(), 20);
}

/// Scenario: two messages are on their way to a partition that knows nothing of the client yet; the broker refuses the first,
/// because it is not the leader yet, and takes the second. The client calls both delivered.
/// Guarantee: the first one is sent again; each arrives, once.
#[tokio::test]
async fn a_later_confirmation_confirms_nothing_else() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let exporter = exporter(&cluster, json!({"producer": {"max_message_bytes": 20_000}})).await;
    // The answer to the first comes when the second is on its way.
    cluster.delay(Duration::from_millis(300));
    cluster.fail(Produce, vec![Failure::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    let request = long(&[9_000, 9_001, 9_002]);
    let outcome = export(&*exporter, &request).await;
    assert!(matches!(&outcome, Outcome::Retry { reason, .. } if reason.contains("later")), "{outcome:?}");
    cluster.delay(Duration::ZERO);
    assert_eq!(deliver(&*exporter, &request).await, Outcome::Delivered);
    let messages = decoded(&cluster.messages("otlp_logs"));
    let lengths: Vec<_> = messages.iter().map(|record| record.body.as_str().unwrap().len()).collect();
    assert_eq!(lengths, [9_002, 9_000, 9_001]);
}

/// Scenario: the broker stores the message, and its answer comes too late (D10).
/// Guarantee: it is sent again, nothing is lost, and both copies have the same id.
#[tokio::test]
async fn d10_ambiguous_reply() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let exporter = impatient(&cluster, Duration::from_secs(5), json!({})).await;
    let request = long(&[10]);
    // The client knows its brokers before they get slow.
    assert_eq!(deliver(&*exporter, &long(&[20])).await, Outcome::Delivered);
    cluster.delay(Duration::from_secs(8));
    assert!(matches!(export(&*exporter, &request).await, Outcome::Retry { .. }));
    cluster.delay(Duration::ZERO);
    assert_eq!(deliver(&*exporter, &request).await, Outcome::Delivered);
    let messages = cluster.messages("otlp_logs");
    let copies: Vec<_> = messages.iter().filter(|message| message.value == request.bytes()[..]).collect();
    assert!(copies.len() >= 2, "the first copy was stored: {}", copies.len());
    assert!(copies.iter().all(|copy| copy.headers == copies[0].headers));
}

/// Scenario: a record above the limit among small ones, in a request that is larger than a message as a whole.
/// Guarantee: only that record is rejected; its neighbours arrive, in order, in messages below the limit.
#[tokio::test]
async fn one_large_record_takes_no_neighbour_along() {
    let cluster = Cluster::start(&[("otlp_proto", 1), ("otlp_json", 1), ("falco_json", 1)]);
    for encoding in ["otlp_proto", "otlp_json", "falco_json"] {
        let keys = json!({
            "logs": {"encoding": encoding, "topic": encoding},
            "producer": {"max_message_bytes": 20_000},
        });
        let exporter = exporter(&cluster, keys).await;
        let request = long(&[9_000, 10, 9_000, 30_000, 10, 9_000, 9_000]);
        let outcome = export(&*exporter, &request).await;
        let Outcome::Partial { rejected: 1, reason } = outcome else { panic!("{encoding}: {outcome:?}") };
        assert!(reason.contains("max_message_bytes"), "{reason}");
        let messages = cluster.messages(encoding);
        assert!(messages.iter().all(|message| message.value.len() < 20_000), "{encoding}");
        if encoding == "otlp_proto" {
            let lengths: Vec<_> = decoded(&messages).iter().map(|record| record.body.as_str().unwrap().len()).collect();
            assert_eq!(lengths, [9_000, 10, 9_000, 10, 9_000, 9_000]);
        }
    }
}

/// Scenario: the broker finds a message too large that was not by our limit.
/// Guarantee: it is halved and arrives whole; nothing is rejected.
#[tokio::test]
async fn a_broker_that_takes_less() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let exporter = exporter(&cluster, json!({})).await;
    // The first time in company, the second time alone.
    cluster.fail(Produce, vec![Failure::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2]);
    let request = long(&[10, 20, 30]);
    assert_eq!(deliver(&*exporter, &request).await, Outcome::Delivered);
    let messages = cluster.messages("otlp_logs");
    assert_eq!(messages.len(), 2);
    let sent: Vec<_> = request.logs().unwrap().records().cloned().collect();
    assert_eq!(decoded(&messages), sent);
}

/// Scenario: the broker refuses the topic for good; a request that is no OTLP.
/// Guarantee: both are rejected with the reason, and not tried again.
#[tokio::test]
async fn permanent_errors() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let exporter = exporter(&cluster, json!({})).await;
    assert!(matches!(export(&*exporter, &broken_request()).await, Outcome::Reject { .. }));
    assert_eq!(export(&*exporter, &logs(3)).await, Outcome::Delivered);
    cluster.fail(Produce, vec![Failure::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    let outcome = export(&*exporter, &logs(3)).await;
    assert!(matches!(&outcome, Outcome::Reject { reason } if reason.contains("uthoriz")), "{outcome:?}");
}

/// Scenario: the brokers have lost track of the client's sequence, which ends a client for good.
/// Guarantee: the attempt is a retry; a new client takes over and delivers.
#[tokio::test]
async fn a_failed_client_is_replaced() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let exporter = impatient(&cluster, Duration::from_secs(5), json!({})).await;
    assert_eq!(deliver(&*exporter, &logs(1)).await, Outcome::Delivered);
    cluster.fail(Produce, vec![Failure::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    let request = long(&[10]);
    assert_eq!(deliver(&*exporter, &request).await, Outcome::Delivered);
    let copies = cluster.messages("otlp_logs").into_iter().filter(|message| message.value == request.bytes()[..]);
    assert!(copies.count() >= 1);
}

/// Scenario: an attempt is given up by the engine while its message is on its way; the broker confirms it later.
/// Guarantee: the next attempt has nothing to send.
#[tokio::test]
async fn what_arrives_late_is_not_sent_again() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let exporter = exporter(&cluster, json!({})).await;
    assert_eq!(export(&*exporter, &long(&[20])).await, Outcome::Delivered);
    cluster.delay(Duration::from_millis(300));
    let request = long(&[10]);
    let given_up = tokio::time::timeout(Duration::from_millis(50), exporter.export(&request)).await;
    assert!(given_up.is_err());
    let settled = async {
        while request.progress().outcome().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, settled).await.expect("the message arrives");
    assert_eq!(export(&*exporter, &request).await, Outcome::Delivered);
    assert_eq!(cluster.messages("otlp_logs").len(), 2);
}

/// Scenario: far more than the client may hold, while the broker is away.
/// Guarantee: the rest waits for room, without an error; all of it arrives when the broker is back.
#[tokio::test]
async fn the_clients_queue_is_bounded() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    cluster.leave();
    // The mock keeps 5 MiB of a partition, and these texts become nothing.
    let exporter = exporter(&cluster, json!({"producer": {"compression": "zstd"}})).await;
    let request = long(&[500_000; 160]);
    let attempt = export(&*exporter, &request);
    tokio::pin!(attempt);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut attempt).await.is_err(), "it waits");
    cluster.come_back();
    assert_eq!(attempt.await, Outcome::Delivered);
    assert_eq!(decoded(&cluster.messages("otlp_logs")).len(), 160);
}
