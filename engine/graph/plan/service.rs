//! The parts of `service` that are no pipelines: Lanner's own telemetry and the memory budget.

use super::Planner;
use crate::{
    config::{Listening, decode_section},
    delivery::budget::AdmissionConfig,
    telemetry::{TelemetryConfig, TelemetryPlan},
};

impl Planner<'_> {
    /// Checks both parts; what telemetry listens on is added to `listens`. `None` when there was an error.
    pub(super) fn service(&mut self, listens: &mut Vec<Listening>) -> Option<(TelemetryPlan, AdmissionConfig)> {
        let (document, findings) = (self.document, &mut *self.findings);
        let telemetry = decode_section::<TelemetryConfig>("service::telemetry", &document.telemetry, findings)
            .and_then(|config| config.check(&document.telemetry, findings, listens));
        let admission = decode_section("service::admission", &document.admission, findings);
        telemetry.zip(admission)
    }
}
