//! `k8s_audit`: API servers send the same batch again after any error, so a bad event must not cost its neighbours.

use super::nested;
use crate::k8s_audit::K8sAudit;
use lanner_engine::{
    component::Factory,
    testing::receiver::push::{BODY_LIMIT, CONNECTIONS, Case, Expect, Format, Protocol, PushSubject},
};

const EVENT: &str = r#"{"level":"Request","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods","verb":"create","user":{"username":"jane","groups":["dev"]},"sourceIPs":["10.0.0.1"],"objectRef":{"resource":"pods","namespace":"web","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestReceivedTimestamp":"2025-06-01T00:00:00.000001Z","stageTimestamp":"2025-06-01T00:00:00.250001Z"}"#;

fn list(items: &[&str]) -> String {
    format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{}]}}"#, items.join(","))
}

/// As API servers send: HTTP/2.
pub fn subject() -> PushSubject {
    let deep = EVENT.replace(r#""stage""#, &format!(r#""requestObject":{},"stage""#, nested(10_000)));
    PushSubject {
        title: "`k8s_audit`",
        factory: Factory::receiver::<K8sAudit>(),
        config: |place| {
            format!(
                "{{endpoint: 'localhost:{}', hold: {}, max_request_body_size: {BODY_LIMIT}, max_connections: {CONNECTIONS}}}",
                place.port,
                place.patience()
            )
        },
        protocol: Protocol::Http2,
        path: "/k8s-audit",
        content_type: "application/json",
        encodings: &["gzip", "deflate", "zstd"],
        format: Format::Json,
        one: Case::new(list(&[EVENT]), Expect::taken("200", 1)),
        several: Case::new(list(&[EVENT; 3]), Expect::taken("200", 3)),
        some_invalid: Case::new(list(&[EVENT, r#"{"kind":0}"#, EVENT]), Expect::taken("200", 3)),
        invalid: Case::new("Falco is alive", Expect::taken("400", 1)),
        too_deep: Case::new(list(&[&deep]), Expect::taken("200", 1)),
        waits: true,
        busy: Expect::refused("429, Retry-After: 3", "held_too_long", 0),
        no_room: Expect::refused("429, Retry-After: 3", "held_too_long", 1),
        draining: Expect::refused("503, Retry-After: 3", "draining", 1),
        too_large: Expect::refused("413", "too_large", 1),
        too_slow: Expect::refused("429, Retry-After: 3", "body_timeout", 1),
        sender_gone: Expect::refused("", "sender_gone", 1),
        broken_body: Expect::refused("", "broken_body", 1),
    }
}
