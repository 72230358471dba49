//! A log file that is written and rotated while Lanner is killed and started again.

use crate::support::{
    lanner::{Lanner, TempDir},
    otlp_sink::OtlpSink,
    wait,
};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

const LINES: usize = 4000;
/// After so many lines the file becomes `app.log.1`, and a new one begins.
const ROTATE: usize = 900;
const KILLS: usize = 4;

/// Writes the lines as an application does, with logrotate beside it.
#[allow(clippy::disallowed_methods, reason = "the pace of the writer: the kills are to fall into the writing")]
fn write(folder: &Path) {
    let path = folder.join("app.log");
    for number in 0..LINES {
        if number % ROTATE == ROTATE - 1 {
            fs::rename(&path, folder.join(format!("app.log.{}", number / ROTATE + 1))).unwrap();
        }
        let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        writeln!(file, "line {number}").unwrap();
        thread::sleep(Duration::from_millis(1));
    }
}

fn config(folder: &Path, sink: u16) -> String {
    let (logs, state): (PathBuf, PathBuf) = (folder.join("app.log*"), folder.join("state"));
    format!(
        "extensions: {{file_storage: {{directory: '{}'}}}}
receivers:
  file_log: {{include: ['{}'], start_at: beginning, poll_interval: 20ms, storage: file_storage}}
exporters:
  otlp_grpc:
    endpoint: 'localhost:{sink}'
    tls: {{insecure: true}}
    sending_queue: {{enabled: false}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [file_log], exporters: [otlp_grpc]}}}}
",
        state.display(),
        logs.display()
    )
}

/// Scenario: an application writes and rotates its log; Lanner, without a queue, is killed with SIGKILL in the middle,
/// several times, and started again with the same storage.
/// Guarantee: every line arrives; a line that arrives again has the same id.
#[test]
fn d1_a_killed_reader_goes_on_where_it_stopped() {
    let (folder, port) = (TempDir::new(), wait::free_port());
    let sink = OtlpSink::listen(port);
    let config = config(folder.path(), port);
    let distinct = |sink: &OtlpSink| {
        let mut lines: BTreeMap<String, String> = BTreeMap::new();
        let received = sink.received();
        for record in &received {
            let id = record.text("log.record.uid").to_owned();
            let before = lines.insert(record.body().to_owned(), id.clone());
            assert!(before.is_none_or(|before| before == id), "{} has two ids", record.body());
        }
        (lines.len(), received.len())
    };
    thread::scope(|scope| {
        scope.spawn(|| write(folder.path()));
        for kill in 1..=KILLS {
            let mut lanner = Lanner::start(&config);
            let share = LINES * kill / (KILLS + 2);
            wait::until("some lines arrive", Duration::from_secs(60), || (distinct(&sink).0 >= share).then_some(()));
            lanner.signal("KILL");
            lanner.wait(Duration::from_secs(10));
        }
    });
    let lanner = Lanner::start(&config);
    wait::until("all lines arrive", Duration::from_secs(60), || (distinct(&sink).0 == LINES).then_some(()));
    lanner.stop().row("logs -> otlp_grpc");
    let (lines, received) = distinct(&sink);
    assert_eq!(lines, LINES);
    println!("{KILLS} kills: {lines} lines, {} of them twice", received - lines);
}
