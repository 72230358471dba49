//! Exporters that settle records one by one: what is settled is not halved.

use super::{
    judge::{Judge, named, numbered, quiet},
    *,
};
use crate::component::Settled;

/// An exporter that sends a request in bodies of so many records, as a sink may take them: a body with a bad record in it is
/// refused as a whole, and left open.
fn in_bodies(of: usize, bad: &'static str, got: &Arc<Mutex<Vec<String>>>) -> Judge {
    let got = Arc::clone(got);
    Judge::new(move |request, names| {
        let open: Vec<usize> = request.progress().open();
        let mut refused = false;
        for body in open.chunks(of) {
            match body.iter().any(|item| names[*item] == bad) {
                true if body.len() == 1 => request.progress().settle(body[0], rejected()),
                true => refused = true,
                false => {
                    body.iter().for_each(|item| request.progress().settle(*item, Settled::Delivered));
                    got.lock().extend(body.iter().map(|item| names[*item].clone()));
                }
            }
        }
        match refused {
            true => Outcome::Reject { reason: "HTTP 400".into() },
            false => request.progress().outcome().unwrap(),
        }
    })
}

fn rejected() -> Settled {
    Settled::Rejected { reason: "HTTP 400: bad".into() }
}

/// Scenario: a request goes out in bodies of 40 records, and the sink refuses the body with the bad one.
/// Guarantee: the other bodies are sent once; the engine finds the bad record among the 40, and delivers the rest.
#[tokio::test(start_paused = true)]
async fn only_what_is_open_is_halved() {
    for bad in ["000", "077", "099"] {
        let got = Arc::default();
        let sink = Arc::new(in_bodies(40, bad, &got));
        let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
        bench.consumer.consume(named(numbered(100))).await.unwrap();
        quiet(&bench).await;
        assert!(sink.requests() < 15, "{} requests", sink.requests());
        let mut got = got.lock().clone();
        got.sort();
        assert_eq!(got, numbered(100).filter(|name| name != bad).collect::<Vec<_>>());
        assert_eq!(bench.metric("otelcol_exporter_sent_log_records"), 99);
        assert_eq!(bench.metric("otelcol_exporter_send_failed_log_records"), 1);
        let rows = bench.close().await;
        assert_eq!(rows[0].rejected, [("rejected_by_sink".to_owned(), 1)]);
    }
}

/// Scenario: a sink that refuses every body, of whatever size; and one of which the first body was taken.
/// Guarantee: it is asked as often as one that says nothing about records: single ones count as tried.
#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_everything_is_given_up() {
    use crate::delivery::bisection::{IN_A_ROW, SAMPLES};
    let sink = Arc::new(Judge::new(|request, _| match request.items() {
        1 => {
            request.progress().settle(0, rejected());
            request.progress().outcome().unwrap()
        }
        _ => {
            request.progress();
            Outcome::Reject { reason: "HTTP 400".into() }
        }
    }));
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(500))).await.unwrap();
    quiet(&bench).await;
    assert_eq!(sink.requests(), IN_A_ROW + SAMPLES);
    let rows = bench.close().await;
    assert_eq!(rows[0].rejected, [("rejected_by_sink".to_owned(), 500)]);
}

/// Scenario: of eight records three are delivered and one is rejected when the exporter's credentials are refused.
/// Guarantee: these four stay settled as they are; only the other four are given up.
#[tokio::test(start_paused = true)]
async fn a_refusal_takes_back_nothing() {
    for queue in [true, false] {
        let sink = Arc::new(Judge::new(|request, _| {
            (0..3).for_each(|item| request.progress().settle(item, Settled::Delivered));
            request.progress().settle(5, rejected());
            Outcome::Refuse { reason: "HTTP 401".into() }
        }));
        let mut build = Build::default();
        build.delivery.sending_queue.enabled = Some(queue);
        let bench = build.with(&[("sink", sink)]);
        bench.consumer.consume(named(numbered(8))).await.unwrap();
        quiet(&bench).await;
        let rows = bench.close().await;
        let lost: u64 = rows[0].rejected.iter().map(|(_, items)| items).sum();
        assert_eq!((rows[0].delivered, lost), (3, 5), "with a queue: {queue}");
    }
}
