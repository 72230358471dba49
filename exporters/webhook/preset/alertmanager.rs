//! Alertmanager: an array of alerts, as the exporter `alertmanager` makes them with its defaults.
//!
//! A 400 says that some were refused while the others were stored; storing one again changes nothing, so halving finds them.

use crate::{
    alertmanager::Alerts,
    webhook::shape::{Frame, Shape, Unwritable, bytes_of},
};
use jiff::Timestamp;
use lanner_conditions::Seen;
use lanner_engine::event::otlp::LogReader;

#[derive(Default)]
pub struct Alertmanager {
    alerts: Alerts,
}

impl Shape for Alertmanager {
    fn frame(&self) -> Frame {
        Frame {
            content_type: "application/json".into(),
            open: "[",
            between: ",",
            close: "]",
            max_records: 64,
            max_bytes: 1 << 20,
        }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let (resource, record) = records.decode()?;
        bytes_of(&self.alerts.alert(Seen { resource: &resource, record: &record }, Timestamp::now()))
    }
}
