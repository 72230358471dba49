//! A processor with rule files of its own, and audit events as `k8s_audit` maps them.

use crate::{falco_rules::FalcoRules, testing::OBSERVED};
use lanner_engine::{
    component::ComponentId,
    event::LogGroup,
    prelude::*,
    semantics::{AuditMapper, AuditOptions, audit::Item},
    telemetry::{Health, Telemetry},
    testing::{TransformTest, Transformed},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder; `test` tells those of one process apart.
    pub fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lanner-falco-rules-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, at once: the processor may be reading just now. A name with a dot in front is no rule file.
    pub fn write(&self, name: &str, text: &str) {
        let fresh = self.0.join(".fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.0.join(name)).unwrap();
    }

    /// Takes a file away.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.0.join(name)).unwrap();
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Surroundings, to look into what is reported to them.
pub fn surroundings() -> BuildCx {
    let id = "falco_rules".parse::<ComponentId>().unwrap();
    BuildCx::new(Kind::Processor, id, Telemetry::default(), Health::default())
}

/// The processor of this configuration.
pub async fn built(yaml: &str) -> TransformTest {
    let built = TransformTest::built::<FalcoRules>(yaml, &surroundings()).await.unwrap();
    TransformTest::new(built)
}

/// The processor of these rules and further keys.
pub async fn with_rules(test: &str, rules: &str, keys: &str) -> TransformTest {
    let folder = Folder::new(test);
    folder.write("rules.yaml", rules);
    built(&format!("rules_files: [{}]\n{keys}", folder.path().display())).await
}

/// The record that `k8s_audit` makes of an event.
pub fn record(event: &str) -> LogRecord {
    let mapper = AuditMapper::new(&AuditOptions::default()).unwrap();
    let mapped = mapper.map(&mapper.origin(None), Item { text: &event.into(), removed: None }, OBSERVED);
    assert_eq!(mapped.plain, None, "{event}");
    mapped.record
}

/// The same after a hop over OTLP: the text is not there any more.
pub fn hopped(event: &str) -> LogRecord {
    let mut batch =
        Batch::logs(Logs { groups: vec![LogGroup { records: vec![record(event)], ..LogGroup::default() }] });
    batch = Batch::otlp(batch.to_otlp());
    batch.decode().unwrap();
    let record = batch.records().next().unwrap().clone();
    assert_eq!(record.raw.text(), None);
    record
}

/// An attribute as JSON.
pub fn get(record: &LogRecord, name: &str) -> Option<String> {
    record.attrs.get(&Key::from_event(name.into())).map(Value::to_json)
}

/// The names of the rules that matched, in order.
pub fn rules_of(out: &Transformed) -> Vec<String> {
    let name = Key::intern("security_rule.name");
    out.records().iter().filter_map(|record| record.attrs.get_str(&name)).map(str::to_owned).collect()
}

/// A resource with a cluster.
pub fn resource() -> Arc<Resource> {
    let attrs = [("k8s.cluster.name".into(), Value::from("prod"))].into_iter().collect();
    Arc::new(Resource { attrs, ..Resource::default() })
}

/// What is reported about a configuration.
pub fn findings(yaml: &str) -> Vec<lanner_engine::config::Diagnostic> {
    lanner_engine::config::plan_body(&Factory::built_transform::<FalcoRules>(), yaml).findings
}
