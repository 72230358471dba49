use super::*;
use crate::testing::{Sink, Stuck, answer, body, endless_body, falco, logs, request_of};
use http::{Request as HttpRequest, Response};
use std::time::Duration;

/// One record through an exporter as the registry builds it, over a real connection.
async fn outcome(config: Json, request: &Request) -> Outcome {
    let exporter: Arc<dyn Exporter> = Box::new(plan(config).0.unwrap()).build(&build_cx()).await.unwrap().into();
    let running = Arc::clone(&exporter);
    let task = tokio::spawn(async move { running.run(Drain::new()).await });
    let outcome = exporter.export(request).await;
    task.abort();
    outcome
}

fn hook(sink: &Sink) -> Json {
    json!({"webhook_url": format!("http://{}/services/T1/B1/canary-hook", sink.address)})
}

fn web_api(sink: &Sink) -> Json {
    bot(json!({"endpoint": format!("http://{}/api/", sink.address)}))
}

/// What an answer must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Delivered,
    Again,
    Never,
}
use Class::{Again, Delivered, Never};

fn class(outcome: &Outcome) -> Class {
    match outcome {
        Outcome::Delivered => Delivered,
        Outcome::Retry { .. } => Again,
        Outcome::Reject { .. } | Outcome::Refuse { .. } | Outcome::Partial { .. } => Never,
    }
}

/// Scenario: every answer that a webhook gives by the fact sheet, and ones that a proxy gives in its place (X1).
/// Guarantee: only `ok` is success, whatever the status; words of Slack and 4xx are final, 5xx are not; the reason names the
/// word and never the URL.
#[tokio::test]
async fn x1_answers_of_a_webhook() {
    for (status, text, expected) in [
        (200, "ok", Delivered),
        (200, "ok\n", Delivered),
        (200, "invalid_token", Never),
        (200, "no_service", Never),
        (200, r#"{"ok":false,"error":"invalid_blocks"}"#, Never),
        (200, r#"{"ok":true}"#, Again),
        (200, "", Again),
        (200, "<html>Sign in", Again),
        (302, "", Never),
        (400, "invalid_payload", Never),
        (400, "", Never),
        (403, "action_prohibited", Never),
        (404, "no_team", Never),
        (408, "", Again),
        (410, "channel_is_archived", Never),
        (500, "rollup_error", Again),
        (500, "some_new_word", Again),
        (503, "<html>", Again),
    ] {
        let sink = Sink::start(move |_| answer(status, text)).await;
        let outcome = outcome(hook(&sink), &logs(1)).await;
        assert_eq!(class(&outcome), expected, "{status} {text}: {outcome:?}");
        if let Outcome::Reject { reason } | Outcome::Retry { reason, .. } = &outcome {
            assert!(reason.contains(&status.to_string()) && !reason.contains("canary"), "{reason}");
        }
        assert_eq!(sink.seen().len(), 1);
    }
}

/// Scenario: every kind of answer that the Web API gives (X1).
/// Guarantee: `ok: false` is an error although the status is 200; what a person must repair is told with the remedy.
#[tokio::test]
async fn x1_answers_of_the_web_api() {
    let error = |word: &str| format!(r#"{{"ok":false,"error":"{word}"}}"#);
    let cases = [
        (200, r#"{"ok":true,"channel":"C1","ts":"1.0"}"#.to_owned(), Delivered, ""),
        (200, error("invalid_auth"), Never, "renew `bot_token`"),
        (200, error("channel_not_found"), Never, "invite the bot"),
        (200, error("not_in_channel"), Never, "invite the bot"),
        (200, error("missing_scope"), Never, "chat:write"),
        (200, error("msg_too_long"), Never, "msg_too_long"),
        (200, error("message_not_found"), Never, "misses a message"),
        (200, error("internal_error"), Again, "internal_error"),
        (503, error("service_unavailable"), Again, "service_unavailable"),
        (200, "ok".to_owned(), Again, "no answer of Slack"),
        (200, error("Bad <word>"), Again, "no answer of Slack"),
        (404, "not found".to_owned(), Never, "HTTP 404"),
    ];
    for (status, text, expected, told) in cases {
        let said = text.clone();
        let sink = Sink::start(move |_| answer(status, &said)).await;
        let outcome = outcome(web_api(&sink), &logs(1)).await;
        assert_eq!(class(&outcome), expected, "{status} {text}: {outcome:?}");
        assert!(format!("{outcome:?}").contains(told), "{outcome:?}");
    }
}

/// Scenario: 429 with a long Retry-After, in both ways (X1).
/// Guarantee: the engine is told that time, give or take a second.
#[tokio::test]
async fn x1_retry_after_reaches_the_engine() {
    for (text, is_hook) in [("", true), (r#"{"ok":false,"error":"ratelimited"}"#, false)] {
        let sink = Sink::start(move |_| {
            let mut answer = answer(429, text);
            answer.headers_mut().insert("retry-after", 500.into());
            answer
        })
        .await;
        let config = if is_hook { hook(&sink) } else { web_api(&sink) };
        let Outcome::Retry { after: Some(after), .. } = outcome(config, &logs(1)).await else { panic!("{text}") };
        assert_eq!(after, Duration::from_secs(500));
    }
}

/// Scenario: nothing listens; the server hangs up; it sends a body without end (S4).
/// Guarantee: each is tried again, none is read without end.
#[tokio::test]
async fn s4_failures_of_the_connection_are_tried_again() {
    let gone = Sink::start(|_| answer(200, "ok")).await;
    let nobody = gone.address;
    gone.stop().await;
    let stuck = Stuck::start().await;
    let endless = Sink::start(|_| Response::new(endless_body())).await;
    for address in [nobody, stuck.address, endless.address] {
        let config = json!({"webhook_url": format!("http://{address}/services/canary-hook")});
        let outcome = outcome(config, &logs(1)).await;
        assert_eq!(class(&outcome), Again, "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
    }
}

/// Scenario: Slack takes the request and never answers (X1: timeout after accept).
/// Guarantee: the call ends after its own time limit, and the alert is tried again.
#[tokio::test]
async fn x1_no_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = json!({"webhook_url": format!("http://{}/services/x", listener.local_addr().unwrap())});
    let request = logs(1);
    let export = outcome(config, &request);
    let silence = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        // From here on nothing but the clock moves.
        tokio::time::pause();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = export => {
            assert_eq!(outcome, Outcome::Retry { after: None, reason: "no answer within 10s".into() });
        }
        () = silence => {}
    }
}

/// Scenario: a sink that repeats what it was sent, path, headers and body, in its answer and in a redirect (S9).
/// Guarantee: neither the token nor the webhook's path is in the reason.
#[tokio::test]
async fn s9_an_echo_does_not_leak_the_secret() {
    for status in [307, 400, 500] {
        let echo = move |request: &HttpRequest<bytes::Bytes>| {
            let mut answer =
                answer(status, &format!("{} {:?} {request:?}", request.uri(), request.headers().get("authorization")));
            let location = format!("https://elsewhere{}?{}", request.uri(), token(request));
            answer.headers_mut().insert("location", location.parse().unwrap());
            *answer.body_mut() = body(format!("{} {}", request.uri(), token(request)));
            answer
        };
        let sink = Sink::start(echo).await;
        for config in [hook(&sink), web_api(&sink)] {
            let outcome = outcome(config, &logs(1)).await;
            let told = format!("{outcome:?}");
            assert!(told.contains(&status.to_string()) && !told.contains("canary"), "{told}");
        }
    }
}

fn token(request: &HttpRequest<bytes::Bytes>) -> String {
    request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Scenario: an alert through a webhook, and as a bot.
/// Guarantee: the request has the right path, type and token; the body is the message.
#[tokio::test]
async fn what_slack_gets() {
    let sink = Sink::start(|request| match request.uri().path() {
        "/api/chat.postMessage" => answer(200, r#"{"ok":true,"channel":"C1","ts":"1.0"}"#),
        _ => answer(200, "ok"),
    })
    .await;
    let alert = r#"{"rule":"Shell","output":"x","priority":"Alert","time":"2026-11-22T10:00:00Z"}"#;
    for (config, path, sent) in [
        (hook(&sink), "/services/T1/B1/canary-hook", ""),
        (web_api(&sink), "/api/chat.postMessage", "Bearer xoxb-canary-token"),
    ] {
        assert_eq!(outcome(config, &request_of(falco(alert))).await, Outcome::Delivered);
        let seen = sink.seen().pop().unwrap();
        assert_eq!((seen.uri().path(), token(&seen).as_str()), (path, sent));
        assert_eq!(seen.headers()["content-type"], "application/json");
        assert!(seen.headers()["user-agent"].to_str().unwrap().starts_with("Lanner/"));
        let message: Json = serde_json::from_slice(seen.body()).unwrap();
        assert_eq!(message["text"], "*Alert* Shell");
        assert_eq!(check(&message), BTreeSet::new());
    }
}
