//! A running receiver with a capture behind it.

use super::{SOON, fake_falco::FakeFalco};
use crate::falco_grpc::{Config, Plan};
use lanner_engine::{
    component::ReceiverPlan,
    config::Duration,
    prelude::*,
    telemetry::{Health, Status, Telemetry},
    testing::{Capture, planning},
};
use std::collections::BTreeSet;
use tokio::{task::JoinHandle, time::timeout};

pub struct Running {
    pub capture: Capture,
    pub telemetry: Telemetry,
    pub health: Health,
    pub drain: Drain,
    task: JoinHandle<Result<(), BoxError>>,
}

/// Asks often, so that tests are quick.
pub fn config(endpoint: impl Into<String>) -> Config {
    Config { endpoint: endpoint.into(), interval: Duration::from_millis(20), ..Config::default() }
}

pub fn plan(config: Config) -> Plan {
    let (plan, findings) = planning(|cx| config.check(cx));
    plan.unwrap_or_else(|| panic!("{findings:?}"))
}

impl Running {
    pub async fn of(falco: &FakeFalco) -> Self {
        Self::start(config(falco.endpoint())).await
    }

    pub async fn start(config: Config) -> Self {
        let (telemetry, health) = (Telemetry::default(), Health::default());
        let cx = BuildCx::new(Kind::Receiver, "falco_grpc".parse().unwrap(), telemetry.clone(), health.clone());
        let receiver = Box::new(plan(config)).build(&cx).await.unwrap();
        let (capture, drain) = (Capture::new(), Drain::new());
        let task = tokio::spawn(receiver.run(capture.consumer(), drain.clone()));
        Self { capture, telemetry, health, drain, task }
    }

    /// Returns once so many records came.
    pub async fn items(&self, count: usize) {
        let waited = timeout(SOON, self.capture.items(count)).await;
        assert!(waited.is_ok(), "{} of {count} records came", self.capture.records().len());
    }

    /// The process numbers of the alerts that came; each but once.
    pub fn numbers(&self) -> BTreeSet<i64> {
        let records = self.capture.records();
        let pid = Key::intern("process.pid");
        let numbers: BTreeSet<i64> = records
            .iter()
            .map(|record| match record.attrs.get(&pid) {
                Some(Value::Int(number)) => *number,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(numbers.len(), records.len(), "an alert came twice");
        numbers
    }

    /// The value of a metric, of the series with this label value when one is named.
    pub fn metric(&self, name: &str, label: &str) -> i64 {
        let metric = self.telemetry.metric(name).unwrap_or_else(|| panic!("no metric {name}"));
        let series =
            metric.series.iter().filter(|(labels, _)| label.is_empty() || labels.iter().any(|(_, v)| v == label));
        series.map(|(_, value)| value).sum()
    }

    /// Returns once the health says so.
    pub async fn status(&self, is: impl Fn(&Status) -> bool) -> Status {
        let mut last = None;
        for _ in 0..3000 {
            last = self.health.components().into_iter().map(|(name, status, _)| (name, status)).next();
            if let Some((name, status)) = &last
                && is(status)
            {
                assert_eq!(&**name, "receiver:falco_grpc");
                return status.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the health stays {last:?}");
    }

    /// Drops the receiver in the middle of what it does.
    pub async fn abort(self) -> Capture {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
        self.capture
    }

    /// Stops the receiver.
    pub async fn stop(self) -> Capture {
        self.drain.request();
        timeout(SOON, self.task).await.expect("ends on drain").unwrap().unwrap();
        self.capture
    }
}
