use super::{Config, DebugExporter, alerts::write_logs, config::Verbosity, points};
use crate::testing::{build_cx, counted, logs, metrics, traces};
use lanner_engine::{event::SeverityNumber, prelude::*};
use parking_lot::Mutex;
use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

fn alert(body: &str) -> (Resource, LogRecord) {
    let resource = Resource {
        attrs: [
            (Key::intern("k8s.namespace.name"), "shop".into()),
            (Key::intern("k8s.pod.name"), "cart-1".into()),
            (Key::intern("container.name"), "cart".into()),
        ]
        .into_iter()
        .collect(),
        ..Default::default()
    };
    let record = LogRecord {
        time_unix_nano: 1_700_000_000_000_000_000,
        severity_number: SeverityNumber(13),
        severity_text: "Warning".into(),
        event_name: "falco.alert".into(),
        body: body.into(),
        attrs: [(Key::intern("security_rule.name"), "Terminal shell".into()), ("proc.pid".into(), 7.into())]
            .into_iter()
            .collect(),
        ..Default::default()
    };
    (resource, record)
}

fn shown(resource: Resource, record: LogRecord, detailed: bool, colour: bool) -> String {
    let mut out = String::new();
    write_logs(&Logs::one(Arc::new(resource), Arc::default(), record), detailed, colour, &mut out);
    out
}

/// Scenario: an alert, a plain line without anything, an alert on a terminal.
/// Guarantee: one line with time, priority, rule, place and output; what is missing is left out.
#[test]
fn an_alert_is_a_line() {
    let (resource, record) = alert("A shell was spawned");
    let line = "2023-11-14T22:13:20Z Warning \"Terminal shell\" [shop/cart-1/cart] A shell was spawned\n";
    assert_eq!(shown(resource.clone(), record.clone(), false, false), line);
    assert_eq!(shown(Resource::default(), LogRecord::default(), false, false), "- -\n");
    assert!(shown(resource.clone(), record.clone(), false, true).contains("\u{1b}[33mWarning\u{1b}[0m"));
    let detailed = shown(resource, record, true, false);
    for part in ["resource\n    k8s.namespace.name: shop\n", line, "    proc.pid: 7\n"] {
        assert!(detailed.contains(part), "{detailed}");
    }
}

/// Scenario: escape sequences, line breaks, a hyperlink, bidi marks and a megabyte in every field (S11).
/// Guarantee: one line, no control character, bounded.
#[test]
fn hostile_fields_stay_data() {
    for hostile in ["\u{1b}[2J\u{1b}]8;;http://x\u{7}", "a\r\nb\n2026 Emergency", "\u{9b}31m", "x\u{202e}y", "\0\u{7f}"]
    {
        let (mut resource, mut record) = alert(hostile);
        record.severity_text = hostile.into();
        record.attrs.set(Key::intern("security_rule.name"), hostile);
        record.attrs.push(Key::from_event(hostile.into()), Value::Map(vec![(hostile.into(), hostile.into())]));
        resource.attrs.set(Key::intern("k8s.pod.name"), hostile);
        let normal = shown(resource.clone(), record.clone(), false, false);
        assert_eq!(normal.matches('\n').count(), 1, "{normal:?}");
        let detailed = shown(resource, record, true, false);
        for letter in detailed.chars().filter(|letter| *letter != '\n') {
            assert!(!letter.is_control() && letter != '\u{202e}', "{detailed:?}");
        }
        assert_eq!(detailed.lines().count(), 9, "{detailed}");
    }
    let (resource, record) = alert(&"x".repeat(1 << 20));
    assert!(shown(resource, record, false, false).len() < 5000);
}

/// Scenario: metrics and traces.
/// Guarantee: a line per data point and span.
#[test]
fn points_and_spans_are_lines() {
    let mut out = String::new();
    points::write_metrics(metrics().bytes(), &mut out).unwrap();
    points::write_traces(traces().bytes(), &mut out).unwrap();
    let spans = format!("incident 1ms {}/{}\n", "01".repeat(16), "02".repeat(8));
    assert_eq!(out, format!("falco.alerts 9007199254740993 {{alert}}\n{spans}"));
    assert!(points::write_metrics(&[0xff], &mut out).is_err());
}

/// Scenario: ten requests in a second, sampling 2 then every 3rd; another second; sampling off after the first.
/// Guarantee: those are printed, the rest is delivered and counted.
#[tokio::test(start_paused = true)]
async fn sampling() {
    let cx = build_cx();
    let screen = Screen::default();
    let config = Config { sampling_initial: 2, sampling_thereafter: 3, ..Default::default() };
    let exporter = DebugExporter::new(&config, Box::new(screen.clone()), false, &cx);
    for _ in 0..10 {
        assert_eq!(exporter.export(&logs(3)).await, Outcome::Delivered);
    }
    let line = format!("logs: 3 log_records, {} bytes\n", logs(3).bytes().len());
    assert_eq!(screen.text(), line.repeat(4));
    assert_eq!(counted(&cx, "lanner_debug_unprinted"), 6);
    tokio::time::advance(Duration::from_secs(1)).await;
    exporter.export(&logs(3)).await;
    assert_eq!(screen.text(), line.repeat(5));

    let screen = Screen::default();
    let config = Config { sampling_initial: 1, sampling_thereafter: 0, ..Default::default() };
    let exporter = DebugExporter::new(&config, Box::new(screen.clone()), false, &cx);
    for _ in 0..5 {
        exporter.export(&traces()).await;
    }
    assert_eq!(screen.text().lines().count(), 1);
}

/// Scenario: each signal in detail; bytes that are no request; a terminal that is gone.
/// Guarantee: printed whole, rejected with a reason, delivered and counted.
#[tokio::test]
async fn detailed_damaged_and_gone() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let cx = build_cx();
    let screen = Screen::default();
    let config = Config { verbosity: Verbosity::Detailed, ..Default::default() };
    let exporter = DebugExporter::new(&config, Box::new(screen.clone()), false, &cx);
    assert_eq!(exporter.export(&metrics()).await, Outcome::Delivered);
    assert!(screen.text().contains("\"asInt\":\"9007199254740993\""), "{}", screen.text());
    let damaged = lanner_engine::event::OtlpRequest {
        signal: Signal::Metrics,
        bytes: bytes::Bytes::from_static(&[0xff]),
        items: 1,
    };
    assert!(matches!(exporter.export(&Request::new(damaged)).await, Outcome::Reject { .. }));

    let exporter = DebugExporter::new(&Config::default(), Box::new(Gone), false, &cx);
    assert_eq!(exporter.export(&logs(1)).await, Outcome::Delivered);
    assert_eq!(counted(&cx, "lanner_debug_unprinted"), 1);
}
