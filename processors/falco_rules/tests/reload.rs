//! Rule files that change while their rules are used. The clock is paused: an interval passes when nothing else is to do.

use super::rig::{Folder, record, rules_of, surroundings};
use crate::falco_rules::FalcoRules;
use lanner_engine::{prelude::*, telemetry::Status, testing::TransformTest};
use std::{sync::Arc, time::Duration};

const EVENT: &str = r#"{"auditID":"a","stage":"ResponseComplete","verb":"create","user":{"username":"jane"},"stageTimestamp":"2025-06-01T00:00:00Z"}"#;

fn rule(name: &str) -> String {
    format!(
        "- rule: {name}\n  desc: d\n  condition: ka.verb = create\n  output: o\n  priority: INFO\n  source: k8s_audit\n"
    )
}

/// A running processor that looks at a folder.
struct Running {
    folder: Folder,
    cx: BuildCx,
    test: TransformTest,
    drain: Drain,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(name: &str, files: &[(&str, &str)], pattern: &str) -> Self {
        let folder = Folder::new(name);
        files.iter().for_each(|(name, text)| folder.write(name, text));
        let cx = surroundings();
        let yaml = format!("rules_files: ['{}{pattern}']\nrule_matching: all", folder.path().display());
        let built = TransformTest::built::<FalcoRules>(&yaml, &cx).await.unwrap();
        let drain = Drain::new();
        let task = tokio::spawn({
            let (built, drain) = (Arc::clone(&built), drain.clone());
            async move { built.run(drain).await.unwrap() }
        });
        Self { folder, cx, test: TransformTest::new(built), drain, task }
    }

    fn matching(&self) -> Vec<String> {
        rules_of(&self.test.run([record(EVENT)]))
    }

    fn status(&self) -> Option<Status> {
        self.cx.health.components().pop().map(|(_, status, _)| status)
    }

    fn reloads(&self, outcome: &str) -> i64 {
        let metric = self.cx.telemetry.metric("lanner_falco_rules_reloads").unwrap();
        let is_it = |labels: &[(&str, String)]| labels.iter().any(|(_, value)| value == outcome);
        metric.series.iter().filter(|(labels, _)| is_it(labels)).map(|(_, count)| count).sum()
    }

    /// Waits a few intervals for something.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..30 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{what}: {:?}, {:?}", self.matching(), self.status());
    }

    async fn stop(self) {
        self.drain.request();
        self.task.await.unwrap();
    }
}

/// Scenario: a rule file is changed; then made wrong; stays so; then put right.
/// Guarantee: other rules replace the old ones; wrong ones do not, and the health says where the mistake is until there is
/// none. Each change counts once.
#[tokio::test(start_paused = true)]
async fn only_right_rules_replace_others() {
    let running = Running::start("replace", &[("a.yaml", &rule("One"))], "/a.yaml").await;
    assert_eq!(running.matching(), ["One"]);
    running.folder.write("a.yaml", &rule("Other"));
    running.until("other rules", |now| now.matching() == ["Other"]).await;
    assert_eq!((running.reloads("success"), running.reloads("failure")), (1, 0));

    running.folder.write("a.yaml", &rule("Wrong").replace("ka.verb", "ka.vreb"));
    running.until("a status", |now| matches!(now.status(), Some(Status::Recoverable(_)))).await;
    let status = running.status().unwrap();
    let error = status.error().unwrap();
    assert!(error.contains("a.yaml:3:14: ") && error.contains("did you mean `ka.verb`?"), "{error}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(running.matching(), ["Other"]);
    assert_eq!((running.reloads("success"), running.reloads("failure")), (1, 1));

    running.folder.write("a.yaml", &rule("Right"));
    running.until("right rules", |now| now.matching() == ["Right"]).await;
    assert_eq!(running.status(), Some(Status::Ok));
    running.stop().await;
}

/// Scenario: a file comes to a pattern, another goes; the last one goes, and comes back as it was.
/// Guarantee: files that come and go count as changes; without any file the rules stay and the health says so, until there
/// is one.
#[tokio::test(start_paused = true)]
async fn files_come_and_go() {
    let running = Running::start("come", &[("a.yaml", &rule("A"))], "/*.yaml").await;
    running.folder.write("b.yaml", &rule("B"));
    running.folder.write("notes.txt", "no rules");
    running.until("both", |now| now.matching() == ["A", "B"]).await;
    running.folder.remove("a.yaml");
    running.until("the second", |now| now.matching() == ["B"]).await;
    running.folder.remove("b.yaml");
    running.until("a status", |now| matches!(now.status(), Some(Status::Recoverable(_)))).await;
    assert_eq!(running.matching(), ["B"]);
    running.folder.write("b.yaml", &rule("B"));
    running.until("well again", |now| now.status() == Some(Status::Ok)).await;
    assert_eq!(running.matching(), ["B"]);
    running.stop().await;
}

/// Scenario: a named file is away for a while and comes back as it was; a file is written anew with the same text.
/// Guarantee: the first is told once and over when the file is back; the second is no change.
#[tokio::test(start_paused = true)]
async fn the_same_text_is_no_change() {
    let text = rule("A");
    let running = Running::start("same", &[("a.yaml", &text)], "/a.yaml").await;
    running.folder.remove("a.yaml");
    running.until("a status", |now| matches!(now.status(), Some(Status::Recoverable(_)))).await;
    assert!(running.status().unwrap().error().unwrap().contains("a.yaml"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    running.folder.write("a.yaml", &text);
    running.until("well again", |now| now.status() == Some(Status::Ok)).await;
    running.folder.write("a.yaml", &text);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(running.matching(), ["A"]);
    assert_eq!((running.reloads("success"), running.reloads("failure")), (0, 1));
    running.stop().await;
}
