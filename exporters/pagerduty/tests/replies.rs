use super::*;
use crate::testing::{Sink, Stuck, answer, endless_body};
use http::Response;

/// One alert through an exporter as the registry builds it, over a real connection.
async fn outcome(endpoint: &str) -> Outcome {
    let plan = plan(config(json!({"endpoint": endpoint}))).0.unwrap();
    let exporter: Arc<dyn Exporter> = Box::new(plan).build(&build_cx()).await.unwrap().into();
    let running = Arc::clone(&exporter);
    let task = tokio::spawn(async move { running.run(Drain::new()).await });
    let outcome = exporter.export(&request([alert("shell", Priority::Critical)])).await;
    task.abort();
    outcome
}

/// Scenario: every answer of the fact sheet, and ones that a proxy gives in PagerDuty's place (X5).
/// Guarantee: 202 is delivered; 400 and other 4xx are final and say why; 429, 408, 5xx and foreign answers are not.
#[tokio::test]
async fn x5_answers() {
    let invalid =
        r#"{"status":"invalid event","message":"Event object is invalid","errors":["'severity' is missing"]}"#;
    for (status, text, expected, told) in [
        (202, r#"{"status":"success","dedup_key":"x"}"#, "delivered", ""),
        (202, "", "delivered", ""),
        (200, r#"{"status":"success"}"#, "delivered", ""),
        (200, "<html>Sign in", "again", "no answer of PagerDuty"),
        (307, "", "never", "redirects are not followed"),
        (400, invalid, "never", "HTTP 400 Bad Request: Event object is invalid: 'severity' is missing"),
        (403, "", "never", "HTTP 403"),
        (404, "\u{1b}[2J", "never", r"\u{1b}[2J"),
        (408, "", "again", "HTTP 408"),
        (429, "", "again", "HTTP 429"),
        (500, "", "again", "HTTP 500"),
        (503, invalid, "again", "HTTP 503"),
    ] {
        let sink = Sink::start(move |_| {
            let mut answer = answer(status, text);
            if status == 429 {
                answer.headers_mut().insert("retry-after", 90.into());
            }
            answer
        })
        .await;
        let outcome = outcome(&format!("http://{}", sink.address)).await;
        let class = match &outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retry { after, .. } => {
                assert_eq!(*after, (status == 429).then_some(90 * SECOND));
                "again"
            }
            Outcome::Reject { .. } | Outcome::Refuse { .. } | Outcome::Partial { .. } => "never",
        };
        assert_eq!(class, expected, "{status} {text}: {outcome:?}");
        let reason = match &outcome {
            Outcome::Reject { reason } | Outcome::Retry { reason, .. } => reason,
            _ => "",
        };
        assert!(reason.contains(told), "{reason}");
        let seen = sink.seen();
        assert_eq!((seen.len(), seen[0].uri().path()), (1, "/v2/enqueue"));
        let event: Json = serde_json::from_slice(seen[0].body()).unwrap();
        assert_eq!((&event["routing_key"], &event["event_action"]), (&json!(ROUTING_KEY), &json!("trigger")));
    }
}

/// Scenario: nothing listens; the server hangs up; a body without end; a server that repeats the event (S4, S9).
/// Guarantee: the first three are tried again; the routing key is in no reason.
#[tokio::test]
async fn s4_s9_failures_and_echoes() {
    let gone = Sink::start(|_| answer(202, "")).await;
    let nobody = gone.address;
    gone.stop().await;
    let stuck = Stuck::start().await;
    let endless = Sink::start(|_| Response::new(endless_body())).await;
    for address in [nobody, stuck.address, endless.address] {
        let outcome = outcome(&format!("http://{address}")).await;
        assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
    }
    for status in [400, 500] {
        let sink = Sink::start(move |request| answer(status, &String::from_utf8_lossy(request.body()))).await;
        let outcome = outcome(&format!("http://{}", sink.address)).await;
        let told = format!("{outcome:?}");
        assert!(told.contains("[REDACTED]") && !told.contains("canary"), "{told}");
    }
}

/// Scenario: PagerDuty takes the event and never answers (timeout after accept).
/// Guarantee: the call ends after its own time limit, and the event is sent again with the same key.
#[tokio::test]
async fn no_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let silence = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        // From here on nothing but the clock moves.
        tokio::time::pause();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = outcome(&endpoint) => {
            assert_eq!(outcome, Outcome::Retry { after: None, reason: "no answer within 15s".into() });
        }
        () = silence => {}
    }
}
