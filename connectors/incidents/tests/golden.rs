//! One attack, in every order, with a kill in the middle: one trace.

use super::bench::*;
use std::collections::BTreeSet;

/// 2026-03-02T10:00:00Z.
const ATTACK: u64 = 1_772_445_600_000_000_000;

fn storage() -> super::super::Config {
    super::super::Config { storage: Some("disk".parse().unwrap()), ..Default::default() }
}

/// Compares with the committed trace; `LANNER_BLESS=1` writes it anew.
fn assert_attack(drawn: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/incidents/testdata/attack.trace.txt");
    if std::env::var_os("LANNER_BLESS").is_some() {
        std::fs::write(path, drawn).unwrap();
    }
    assert_eq!(drawn, std::fs::read_to_string(path).unwrap_or_default());
}

/// Scenario: exec into a pod, a shell, a sensitive file, a connection to the outside; the audit event comes first, last or
/// in between, the alerts forwards or backwards, and the process is killed after each event.
/// Guarantee: one trace, always the same, with the exec above the shell above the others; every log record has the ids of
/// a span of it, and no record is lost.
#[tokio::test(start_paused = true)]
async fn an_attack_is_one_trace() {
    let alerts: Vec<&str> = FALCO.lines().collect();
    let orders: [&[usize]; 4] = [&[9, 0, 1, 2], &[0, 1, 2, 9], &[2, 9, 1, 0], &[1, 0, 9, 2]];
    for order in orders {
        for kill_after in [usize::MAX, 0, 1, 2, 3] {
            let mut bench = Bench::start(storage()).await;
            for (step, event) in order.iter().enumerate() {
                bench.send(alerts.get(*event).map_or_else(|| audit(AUDIT), |line| falco(line))).await;
                if step == kill_after {
                    bench = bench.kill(2).await;
                }
            }
            bench.pass(301.0).await;
            let capture = bench.stop().await;
            let spans = spans(&capture);
            assert_attack(&drawn(&spans, ATTACK));
            let known: BTreeSet<(Vec<u8>, Vec<u8>)> =
                spans.iter().map(|span| (span.trace_id.clone(), span.span_id.clone())).collect();
            assert_eq!(known.len(), 5, "order {order:?}");
            let records = records(&capture);
            let distinct: BTreeSet<&str> =
                records.iter().map(|record| record.attrs.get_str(&"log.record.uid".into()).unwrap()).collect();
            assert_eq!(distinct.len(), 4 + reports(&capture).len(), "{records:?}");
            for record in &records {
                assert!(known.contains(&(record.trace_id.to_vec(), record.span_id.to_vec())), "{record:?}");
            }
            let reports = reports(&capture);
            assert_eq!(reports.first().unwrap(), &("opened".to_owned(), 1));
            assert_eq!(reports.last().unwrap(), &("closed".to_owned(), 3));
        }
    }
}
