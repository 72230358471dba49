//! Exporters that settle records one by one: what is settled is neither halved nor sent again.

use super::{
    dead_letters::{letters, names_in},
    durable::on_disk,
    judge::{Judge, named, names, numbered, quiet},
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

/// Scenario: the exporter has delivered two records of five, the sink has refused one, and two are open when a reload puts
/// another sender in its place; with the queue in memory, and on disk.
/// Guarantee: the successor sends the two that are open and nothing else; the refused one is kept; the books close.
#[tokio::test]
async fn what_was_delivered_before_a_reload_is_not_sent_again() {
    for disk in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
        let build = if disk { build } else { Build { disk: None, ..build } };
        let delivery = build.delivery.clone();
        let first = Arc::new(Judge::new(|request, _| {
            [0, 3].into_iter().for_each(|item| request.progress().settle(item, Settled::Delivered));
            request.progress().settle(1, rejected());
            again()
        }));
        let mut bench = build.with(&[("sink", Arc::clone(&first))]);
        bench.consumer.consume(named(numbered(5))).await.unwrap();
        super::durable::until(|| first.requests() == 1).await;
        let (queue, leave) = bench.queues.remove(0);
        leave.request();
        bench.senders.remove(0).await.unwrap();
        assert_eq!(bench.ledger.rows()[0].delivered, 2);

        let got = Arc::<Mutex<Vec<String>>>::default();
        let keep = Arc::clone(&got);
        let second: Arc<dyn Exporter> = Arc::new(Judge::new(move |request, _| {
            keep.lock().extend(names(request));
            Outcome::Delivered
        }));
        let id: ComponentId = "sink".parse().unwrap();
        let health = SinkHealth::new(bench.health.clone(), &id);
        let destination = Arc::new(Destination { id, exporter: second, delivery, health });
        let sender = Sender::new(queue, destination, &bench.telemetry);
        let (drain, deadline) = (bench.drain.clone(), bench.deadline.clone());
        bench.senders.push(tokio::spawn(async move { sender.run(drain, deadline).await.unwrap() }));
        quiet(&bench).await;
        assert_eq!(*got.lock(), ["002", "004"]);
        assert_eq!(bench.metric("otelcol_exporter_queue_size"), 0);
        let rows = bench.close().await;
        assert_eq!((rows[0].accepted, rows[0].delivered), (5, 4));
        assert_eq!(rows[0].rejected, [("partial_success".to_owned(), 1)]);
        log.close().await;
        assert_eq!(names_in(&letters(folder.path())), if disk { vec!["001"] } else { vec![] });
    }
}
