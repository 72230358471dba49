//! Servers that are away, silent, strict or of another opinion.

use super::{NatsServer, alert, built, exporter, planned, to};
use crate::testing::{Authority, Scratch, alert_request, build_cx};
use futures_util::StreamExt;
use lanner_engine::prelude::*;
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Longer than anything takes that is not broken.
const SOON: Duration = Duration::from_secs(60);

fn one() -> Request {
    alert_request(&[alert("Shell", 1)])
}

async fn export(exporter: &dyn Exporter) -> Outcome {
    timeout(SOON, exporter.export(&one())).await.expect("an attempt ends")
}

#[track_caller]
fn assert_retry(outcome: &Outcome, because: &str) {
    assert!(matches!(outcome, Outcome::Retry { reason, .. } if reason.contains(because)), "{outcome:?}");
}

#[track_caller]
fn assert_reject(outcome: &Outcome, because: &str) {
    assert!(matches!(outcome, Outcome::Reject { reason } if reason.contains(because)), "{outcome:?}");
}

/// Scenario: the server is away, comes, is killed between two requests, and comes again.
/// Guarantee: while it is away a request is to be tried again; the same exporter delivers as soon as it is back.
#[tokio::test]
async fn the_connection_comes_back() {
    let Some(mut server) = NatsServer::start().await else { return };
    server.make_stream("ONE", &["one"], json!({})).await;
    server.kill().await;
    let exporter = exporter(&server, json!({"subject": "one", "ack_timeout": "300ms"})).await;
    assert_retry(&export(&*exporter).await, "no connection to NATS");
    for number in 0..2 {
        server.restart().await;
        let request = alert_request(&[alert("Shell", number)]);
        // The client waits a drawn time of up to four seconds between two attempts.
        let delivered = async { while exporter.export(&request).await != Outcome::Delivered {} };
        timeout(SOON, delivered).await.expect("it is delivered");
        server.kill().await;
        assert!(matches!(export(&*exporter).await, Outcome::Retry { .. }));
    }
    server.restart().await;
    assert_eq!(server.stored("ONE").await.len(), 2);
}

/// Scenario: somebody listens to the subject and no stream: he says nothing, or something that is no acknowledgement.
/// Guarantee: neither counts as delivered; both are tried again.
#[tokio::test]
async fn only_an_acknowledgement_counts() {
    let Some(server) = NatsServer::start().await else { return };
    let client = server.client().await;
    let impatient = exporter(&server, json!({"subject": "one", "ack_timeout": "300ms"})).await;
    let exporter = exporter(&server, json!({"subject": "one", "ack_timeout": "30s"})).await;
    let silent = client.subscribe("one").await.unwrap();
    // Its answer says that the server has seen what was sent before.
    let known = async || drop(super::server::ask(&client, "INFO", &Json::Null).await);
    known().await;
    assert_retry(&export(&*impatient).await, "no answer within 300ms");
    drop(silent);

    let (mut chatty, answering) = (client.subscribe("one").await.unwrap(), client.clone());
    known().await;
    let chat = tokio::spawn(async move {
        while let Some(message) = chatty.next().await {
            answering.publish(message.reply.unwrap(), "{\"seq\": 1}".into()).await.unwrap();
        }
    });
    assert_retry(&export(&*exporter).await, "is not JetStream");
    chat.abort();
    let _ = chat.await;
    known().await;
    server.make_stream("ONE", &["one"], json!({})).await;
    assert_eq!(export(&*exporter).await, Outcome::Delivered);
}

/// Scenario: no stream has the subject; the stream that is to be there is missing; it is to be made; it is there with other limits.
/// Guarantee: the first two are tried again; a stream is made with the limits as written, and made again when it vanished; one
/// that is there is not changed.
#[tokio::test]
async fn a_missing_stream_is_made_when_wanted() {
    let Some(server) = NatsServer::start().await else { return };
    let (client, config) = (server.client().await, |more: Json| to(&server, json!({"subject": "one", "stream": more})));
    assert_retry(&export(&*exporter(&server, json!({"subject": "one"})).await).await, "nobody answers for `one`");
    let missing = built(config(json!({"name": "ONE"})), &build_cx()).await;
    assert_retry(&export(&*missing).await, "there is no stream `ONE`");

    let create = json!({
        "subjects": ["one"], "max_bytes": 1_000_000, "max_msgs": 500, "max_age": "1h", "duplicate_window": "3m", "storage": "memory",
    });
    let making = built(config(json!({"name": "ONE", "create": create})), &build_cx()).await;
    assert_eq!(export(&*making).await, Outcome::Delivered);
    let info = async || super::server::ask(&client, "STREAM.INFO.ONE", &json!({})).await["config"].clone();
    let made = info().await;
    let wanted = json!({
        "subjects": ["one"], "max_bytes": 1_000_000, "max_msgs": 500, "max_age": 3_600_000_000_000u64,
        "duplicate_window": 180_000_000_000u64, "storage": "memory", "num_replicas": 1, "discard": "old", "retention": "limits",
    });
    wanted.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&made[key], value, "{key}"));

    let other = json!({"name": "ONE", "create": {"subjects": ["one"], "max_msgs": 7}});
    let other = built(config(other), &build_cx()).await;
    assert_eq!(export(&*other).await, Outcome::Delivered);
    assert_eq!(info().await, made);

    super::server::ask(&client, "STREAM.DELETE.ONE", &json!({})).await;
    assert_retry(&export(&*making).await, "nobody answers");
    assert_eq!(export(&*making).await, Outcome::Delivered);
}

/// Scenario: a stream that acknowledges nothing.
/// Guarantee: it is found out before anything is sent.
#[tokio::test]
async fn a_stream_without_acknowledgements_is_found_out() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream("ONE", &["one"], json!({"no_ack": true})).await;
    let exporter = exporter(&server, json!({"subject": "one", "stream": {"name": "ONE"}})).await;
    assert_retry(&export(&*exporter).await, "acknowledges nothing");
    assert_eq!(server.stored("ONE").await.len(), 0);
}

/// Scenario: servers that ask for a token, a password or an NKey; the right one, a wrong one and none.
/// Guarantee: the right one delivers; without it the request is rejected, and the secret is not in the reason.
#[tokio::test]
async fn logins_are_accepted_or_rejected() {
    let pair = nkeys::KeyPair::new_user();
    let (seed, other) = (pair.seed().unwrap(), nkeys::KeyPair::new_user().seed().unwrap());
    let nkey = format!("authorization {{ users = [ {{ nkey: {} }} ] }}", pair.public_key());
    let ways = [
        ("authorization { token: s3cret }".to_owned(), json!({"token": "s3cret"}), json!({"token": "s3crets"})),
        (
            "authorization { user: lanner, password: s3cret }".to_owned(),
            json!({"username": "lanner", "password": "s3cret"}),
            json!({"username": "lanner", "password": "s3crets"}),
        ),
        (nkey, json!({"nkey_seed": seed}), json!({"nkey_seed": other})),
    ];
    for (server_config, right, wrong) in ways {
        let Some(mut server) = NatsServer::start().await else { return };
        server.make_stream("ONE", &["one"], json!({})).await;
        server.stop().await;
        server.restart_with(&server_config).await;
        let with = async |auth: &Json| {
            let exporter = exporter(&server, json!({"subject": "one", "auth": auth})).await;
            export(&*exporter).await
        };
        assert_eq!(with(&right).await, Outcome::Delivered, "{right}");
        for auth in [&wrong, &json!({})] {
            let outcome = with(auth).await;
            assert_reject(&outcome, "refuses the login");
            assert!(!format!("{outcome:?}").contains("s3cret"), "{outcome:?}");
        }
    }
}

/// Scenario: users that may not publish to the subject, or not subscribe where answers come to.
/// Guarantee: the request is rejected at once with what to change, not after the time for the acknowledgement; with the prefix that
/// is allowed it is delivered.
#[tokio::test]
async fn permissions_are_told() {
    let Some(mut server) = NatsServer::start().await else { return };
    server.make_stream("ONE", &["one"], json!({})).await;
    server.stop().await;
    let permissions = "authorization { users = [
        { user: elsewhere, password: p, permissions: { publish: \"two\" } },
        { user: deaf, password: p, permissions: { publish: \">\", subscribe: \"_LANNER.>\" } },
    ] }";
    server.restart_with(permissions).await;
    let with = async |user: &str, inbox: &str| {
        let auth = json!({"username": user, "password": "p"});
        let config = json!({"subject": "one", "auth": auth, "inbox_prefix": inbox, "ack_timeout": "5m"});
        let exporter = exporter(&server, config).await;
        // The second request finds what the first one learned.
        (export(&*exporter).await, export(&*exporter).await)
    };
    let (first, second) = with("elsewhere", "_INBOX").await;
    assert_reject(&first, "forbids to publish to `one`");
    assert_reject(&second, "forbids to publish to `one`");
    let (first, second) = with("deaf", "_INBOX").await;
    assert_reject(&first, "forbids to subscribe to `_INBOX.>`");
    assert_reject(&second, "forbids to subscribe to `_INBOX.>`");
    assert_eq!(with("deaf", "_LANNER").await, (Outcome::Delivered, Outcome::Delivered));
}

/// Scenario: servers with TLS, one of them asking for a certificate; a client that trusts their CA or another one, with or without a
/// certificate.
/// Guarantee: it is delivered over TLS where both sides trust each other; everywhere else nothing is sent.
#[tokio::test]
async fn tls_is_mutual_where_asked_for() {
    let (authority, stranger, folder) = (Authority::new(), Authority::new(), Scratch::new());
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (cert, key) = authority.identity("127.0.0.1");
    let files = [write("cert", &cert), write("key", &key), write("ca", &authority.pem)];
    let (client_cert, client_key) = authority.identity("lanner");
    let (other_cert, other_key) = stranger.identity("lanner");
    let trusting = json!({"ca_pem": authority.pem});
    let known = json!({"ca_pem": authority.pem, "cert_pem": client_cert, "key_pem": client_key});
    let unknown = json!({"ca_pem": authority.pem, "cert_pem": other_cert, "key_pem": other_key});
    let mistrusting = json!({"ca_pem": stranger.pem});
    for (verify, good, bad) in
        [(false, vec![&trusting], vec![&mistrusting]), (true, vec![&known], vec![&trusting, &unknown])]
    {
        let Some(mut server) = NatsServer::start().await else { return };
        server.make_stream("ONE", &["one"], json!({})).await;
        server.stop().await;
        let [cert, key, ca] = &files;
        server
            .restart_with(&format!(
                "tls {{ cert_file: \"{cert}\", key_file: \"{key}\", ca_file: \"{ca}\", verify: {verify} }}"
            ))
            .await;
        let with = async |scheme: &str, tls: &Json, patience: &str| {
            let servers = [format!("{scheme}://127.0.0.1:{}", server.port)];
            let config = json!({"subject": "one", "servers": servers, "tls": tls, "ack_timeout": patience});
            export(&*built(config, &build_cx()).await).await
        };
        for tls in good {
            assert_eq!(with("tls", tls, "30s").await, Outcome::Delivered);
            assert_eq!(with("nats", tls, "30s").await, Outcome::Delivered);
        }
        for tls in bad {
            assert_retry(&with("tls", tls, "2s").await, "no connection to NATS");
        }
    }
}

/// Scenario: `tls://` to a server that speaks no TLS.
/// Guarantee: nothing is sent in plain text.
#[tokio::test]
async fn tls_is_not_given_up() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream("ONE", &["one"], json!({})).await;
    let servers = [format!("tls://127.0.0.1:{}", server.port)];
    let config = json!({"subject": "one", "servers": servers, "ack_timeout": "1s"});
    assert_retry(&export(&*built(config, &build_cx()).await).await, "no connection to NATS");
    assert_eq!(server.stored("ONE").await.len(), 0);
}

/// Scenario: drain, with a server and without one.
/// Guarantee: the exporter ends at once, and its connection is closed.
#[tokio::test]
async fn drain_ends_it() {
    let Some(mut server) = NatsServer::start().await else { return };
    server.make_stream("ONE", &["one"], json!({})).await;
    for (away, patience) in [(false, "30s"), (true, "200ms")] {
        let exporter: Arc<dyn Exporter> =
            exporter(&server, json!({"subject": "one", "ack_timeout": patience})).await.into();
        if away {
            server.kill().await;
        }
        let drain = Drain::new();
        let running = tokio::spawn({
            let (exporter, drain) = (Arc::clone(&exporter), drain.clone());
            async move { exporter.run(drain).await }
        });
        assert_eq!(export(&*exporter).await == Outcome::Delivered, !away);
        drain.request();
        timeout(Duration::from_secs(10), running).await.expect("it ends").unwrap().unwrap();
        assert!(matches!(export(&*exporter).await, Outcome::Retry { .. }), "the connection is closed");
    }
}

/// Scenario: a credentials file that is missing or holds something else.
/// Guarantee: the exporter cannot be built, and says which file.
#[tokio::test]
async fn bad_credentials_are_found_at_start() {
    let folder = Scratch::new();
    let path = folder.path().join("lanner.creds");
    for content in [None, Some("no credentials")] {
        content.into_iter().for_each(|content| std::fs::write(&path, content).unwrap());
        let (plan, said) = planned(json!({"auth": {"credentials_file": path}}));
        let built = Box::new(plan.unwrap_or_else(|| panic!("{said:?}"))).build(&build_cx()).await;
        let error = built.err().expect("it cannot be built").to_string();
        assert!(error.contains("lanner.creds") && error.contains("nsc"), "{error}");
    }
}
