//! Scenarios of the mapping of audit events. Expectations follow `docs/mapping.md`.

mod corpus;
mod encoded;

use super::*;
use crate::semantics::is_audit;

/// Time of receipt in these tests: 2026-01-01.
const NOW: u64 = 1_767_225_600_000_000_000;

fn mapped_with(options: &AuditOptions, cluster: Option<&str>, text: &str) -> (Origin, Mapped) {
    let mapper = AuditMapper::new(options).unwrap();
    let origin = mapper.origin(cluster);
    let mapped = mapper.map(&origin, Item { text: &text.into(), removed: None }, NOW);
    (origin, mapped)
}

fn mapped(text: &str) -> Mapped {
    mapped_with(&AuditOptions::default(), None, text).1
}

fn get<'a>(mapped: &'a Mapped, name: &str) -> Option<&'a Value> {
    mapped.record.attrs.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value)
}

fn text<'a>(mapped: &'a Mapped, name: &str) -> Option<&'a str> {
    get(mapped, name).and_then(Value::as_str)
}

const EXEC: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods/shop-1/exec?command=sh","verb":"create","user":{"username":"jane","uid":"u7","groups":["dev","system:authenticated"],"extra":{"scopes":["a","b"]}},"impersonatedUser":{"username":"root","groups":["system:masters"]},"sourceIPs":["203.0.113.9","10.0.0.1"],"userAgent":"kubectl/v1.34","objectRef":{"resource":"pods","namespace":"web","name":"shop-1","apiVersion":"v1","subresource":"exec"},"responseStatus":{"metadata":{},"code":403,"reason":"Forbidden"},"requestReceivedTimestamp":"2025-06-01T00:00:00.000001Z","stageTimestamp":"2025-06-01T00:00:00.250001Z","annotations":{"authorization.k8s.io/decision":"forbid","authorization.k8s.io/reason":""}}"#;

/// Scenario: an event with every key that the table names.
/// Guarantee: each attribute, the time of the stage, the severity of the code, one line as body.
#[test]
fn a_whole_event_fills_the_record() {
    let (origin, mapped) = mapped_with(&AuditOptions::default(), Some("prod"), EXEC);
    assert!(mapped.plain.is_none() && mapped.degraded.is_empty(), "{:?}", mapped.degraded);
    assert!(is_audit(&mapped.record));
    assert_eq!(mapped.record.time_unix_nano, 1_748_736_000_250_001_000);
    assert_eq!((mapped.record.severity_number.0, mapped.record.severity_text.as_str()), (13, ""));
    assert_eq!(mapped.record.body.as_str(), Some("jane create pods/exec web/shop-1 403"));
    for (name, value) in [
        ("k8s.audit.event.stage", "ResponseComplete"),
        ("k8s.audit.event.id", "a-1"),
        ("k8s.audit.event.level", "Request"),
        ("k8s.audit.event.request.verb", "create"),
        ("k8s.audit.event.request.uri", "/api/v1/namespaces/web/pods/shop-1/exec?command=sh"),
        ("url.path", "/api/v1/namespaces/web/pods/shop-1/exec"),
        ("url.query", "command=sh"),
        ("http.request.method", "POST"),
        ("k8s.audit.event.user_agent", "kubectl/v1.34"),
        ("user_agent.original", "kubectl/v1.34"),
        ("k8s.user.username", "jane"),
        ("user.name", "jane"),
        ("user.id", "u7"),
        ("k8s.audit.event.impersonated_user.username", "root"),
        ("client.address", "203.0.113.9"),
        ("k8s.audit.event.object_ref.resource", "pods"),
        ("k8s.audit.event.object_ref.subresource", "exec"),
        ("k8s.audit.event.object_ref.api_version", "v1"),
        ("k8s.namespace.name", "web"),
        ("k8s.pod.name", "shop-1"),
        ("error.type", "Forbidden"),
        ("k8s.audit.event.annotation.authorization.k8s.io/decision", "forbid"),
    ] {
        assert_eq!(text(&mapped, name), Some(value), "{name}");
    }
    let list = |items: &[&str]| Value::Array(items.iter().map(|item| Value::text(*item)).collect());
    assert_eq!(get(&mapped, "k8s.user.groups"), Some(&list(&["dev", "system:authenticated"])));
    assert_eq!(get(&mapped, "k8s.audit.event.source_ips"), Some(&list(&["203.0.113.9", "10.0.0.1"])));
    assert_eq!(get(&mapped, "k8s.audit.event.user.extra.scopes"), Some(&list(&["a", "b"])));
    assert_eq!(get(&mapped, "http.response.status_code"), Some(&Value::Int(403)));
    assert_eq!(get(&mapped, "k8s.audit.event.response.code"), Some(&Value::Int(403)));
    assert_eq!(get(&mapped, "k8s.audit.event.duration"), Some(&Value::Double(0.25)));
    assert_eq!(get(&mapped, "k8s.audit.event.annotation.authorization.k8s.io/reason"), None, "empty is left out");
    let resource = &origin.resource().attrs;
    assert_eq!(resource.get_str(&keys::SERVICE_NAME), Some("kube-apiserver"));
    assert_eq!(resource.get_str(&keys::CLUSTER_NAME), Some("prod"));
    assert!(!resource.contains(&keys::HOST_NAME));
}

/// Scenario: every stage with codes that matter.
/// Guarantee: the first rule that matches decides.
#[test]
fn severity_follows_stage_and_code() {
    for (stage, code, number) in [
        ("Panic", Some(500), 18),
        ("ResponseComplete", Some(503), 17),
        ("ResponseComplete", Some(401), 13),
        ("ResponseStarted", Some(403), 13),
        ("ResponseStarted", Some(101), 5),
        ("RequestReceived", None, 5),
        ("ResponseComplete", Some(404), 9),
        ("Odd", None, 9),
    ] {
        assert_eq!(table::severity(stage, code).0, number, "{stage} {code:?}");
    }
}

/// Scenario: K5, K6: the same bytes twice, another event under the same auditID, the same event of another cluster, and
/// an auditID with control characters and 300 bytes.
/// Guarantee: only the first two share an id; what a client chooses is cleaned and bounded.
#[test]
fn the_id_is_of_the_bytes_and_the_cluster() {
    let id = |cluster: Option<&str>, event: &str| {
        text(&mapped_with(&AuditOptions::default(), cluster, event).1, "log.record.uid").unwrap().to_owned()
    };
    let first = id(None, EXEC);
    assert!(first.starts_with("a-1/ResponseComplete/") && first.len() == "a-1/ResponseComplete/".len() + 32, "{first}");
    assert_eq!(first, id(None, EXEC));
    assert_ne!(first, id(None, &EXEC.replace("jane", "mary")));
    assert_ne!(first, id(Some("other"), EXEC));
    let hostile = id(None, &EXEC.replace("a-1", &format!("\\u0000{}", "ä".repeat(300))));
    assert!(hostile.len() <= 128 + 1 + 16 + 1 + 32 && !hostile.contains('\0'), "{hostile}");
}

/// Scenario: what is no event, and events with odd parts.
/// Guarantee: a plain record with the reason and the text; an odd event stays an event and says what was odd.
#[test]
fn nothing_is_refused() {
    let long = format!("x{}", "y".repeat(100_000));
    for (item, reason) in [
        ("nonsense", reasons::NOT_JSON),
        ("{\"a\":", reasons::NOT_JSON),
        ("[1]", reasons::NOT_OBJECT),
        ("{\"kind\": 0}", reasons::NOT_EVENT),
        ("{\"kind\":\"EventList\",\"stage\":\"x\"}", reasons::NOT_EVENT),
        ("{\"stage\":\"Panic\",\"user\":\"jane\"}", reasons::WRONG_SHAPE),
        (&long, reasons::NOT_JSON),
    ] {
        let mapped = mapped(item);
        assert_eq!(mapped.plain, Some(reason), "{item:.40}");
        assert!(!is_audit(&mapped.record));
        assert_eq!(mapped.record.body.as_str(), Some(cut(item, MAX_PLAIN_BYTES)));
    }
    let deep = format!("{{\"stage\":\"Panic\",\"requestObject\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(mapped(&deep).plain, None, "objects of any depth are skipped");
    let odd = mapped(
        r#"{"stage":"Later","verb":"get","apiVersion":"audit.k8s.io/v1beta1","timestamp":"2018-10-25T13:58:49Z","sourceIPs":"::1","responseStatus":{"code":"teapot"}}"#,
    );
    let found: Vec<_> = odd.degraded.iter().map(|(reason, _)| reason).collect();
    assert_eq!(
        found,
        [
            reasons::BAD_TIME,
            reasons::NO_AUDIT_ID,
            reasons::UNKNOWN_STAGE,
            reasons::FOREIGN_API_VERSION,
            reasons::WRONG_TYPE,
            reasons::WRONG_TYPE
        ][..5]
    );
    assert_eq!(odd.record.time_unix_nano, 1_540_475_929_000_000_000);
    assert_eq!(text(&odd, "client.address"), Some("::1"));
}

/// Scenario: pointers into a Secret as an object, in a list, as a JSON patch, as text, and into its annotation; pointers into
/// a pod and at keys that the table does not know.
/// Guarantee: no value of the Secret comes out by any of them; the rest does, with its type.
#[test]
fn pointers_see_secrets_masked() {
    let pointers = [
        ("whole", "/requestObject"),
        ("value", "/requestObject/data/password"),
        ("listed", "/responseObject"),
        ("name", "/requestObject/metadata/name"),
        ("new", "/authenticationMetadata/count"),
        ("absent", "/nothing"),
    ];
    let options = AuditOptions {
        attributes: pointers.into_iter().map(|(name, pointer)| (name.into(), pointer.into())).collect(),
        ..AuditOptions::default()
    };
    let event = |resource: &str, request: &str, response: &str| {
        format!(
            r#"{{"stage":"ResponseComplete","authenticationMetadata":{{"count":7}},"objectRef":{{"resource":"{resource}"}},"requestObject":{request},"responseObject":{response}}}"#
        )
    };
    for (resource, request) in [
        ("secrets", r#"{"metadata":{"name":"n"},"data":{"password":"hunter2"},"stringData":{"a":"hunter2"}}"#),
        ("secrets", r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"hunter2"}}}"#),
        ("secrets", r#"[{"op":"add","path":"/data/password","value":"hunter2"}]"#),
        ("secrets", r#""{\"data\":{\"password\":\"hunter2\"}}""#),
        ("secrets", r#""hunter2""#),
        ("configmaps", r#"{"data":{"password":{"deep":["hunter2"]}},"binaryData":{"b":"hunter2"}}"#),
        (
            "configmaps",
            r#"{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"hunter2"}}}"#,
        ),
        ("odd", r#"{"kind":"Secret","data":{"password":"hunter2"}}"#),
    ] {
        let response = r#"{"kind":"SecretList","items":[{"data":{"k":"hunter2"}}]}"#;
        let (_, mapped) = mapped_with(&options, None, &event(resource, request, response));
        assert!(!format!("{:?}", mapped.record).contains("hunter2"), "{resource} {request}");
        assert!(text(&mapped, "whole").is_some_and(|text| text.contains("[REDACTED]")), "{request}");
        assert_eq!(get(&mapped, "new"), Some(&Value::Int(7)));
        assert_eq!(get(&mapped, "absent"), None);
    }
    let (_, mapped) =
        mapped_with(&options, None, &event("pods", r#"{"metadata":{"name":"n"},"data":{"password":"p"}}"#, "null"));
    assert_eq!((text(&mapped, "name"), text(&mapped, "value")), (Some("n"), Some("p")));
    assert!(
        !format!("{:?}", self::mapped(&event("secrets", r#"{"data":{"a":"hunter2"}}"#, "null")).record.attrs)
            .contains("hunter2")
    );
    for (name, pointer) in [("a", "requestObject"), ("", "/a"), ("a", ""), ("a", "/")] {
        let options = AuditOptions { attributes: [(name.into(), pointer.into())].into(), ..AuditOptions::default() };
        assert!(AuditMapper::new(&options).is_err(), "{name} {pointer}");
    }
}

/// Scenario: K4: keys that no version of Kubernetes had, of every type and depth; an older apiVersion; the annotation of an
/// API server that removed the objects; a level of the future.
/// Guarantee: audit events with what is known of them; unknown keys leave no trace; the rest is counted.
#[test]
fn other_versions_are_understood() {
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    let keys = format!(r#"{{"new":1,"newer":[{{"a":[1,null]}}],"text":"hunter2","deep":{deep},"#);
    let unknown = EXEC.replacen('{', &keys, 1);
    for (event, degraded) in [
        (unknown, None),
        (EXEC.replace(r#""username":"jane""#, r#""username":"jane","credential":{"id":"hunter2"}"#), None),
        (EXEC.replace("audit.k8s.io/v1", "audit.k8s.io/v1beta1"), Some(reasons::FOREIGN_API_VERSION)),
        (EXEC.replace("audit.k8s.io/v1", "audit.k8s.io/v1alpha1"), Some(reasons::FOREIGN_API_VERSION)),
        (EXEC.replace(r#""kind":"Event","apiVersion":"audit.k8s.io/v1","#, ""), None),
        (
            EXEC.replace(r#""annotations":{"#, r#""annotations":{"audit.k8s.io/truncated":"true","#),
            Some(reasons::TRUNCATED),
        ),
        (EXEC.replace(r#""annotations":{"#, r#""annotations":{"audit.k8s.io/truncated":"false","#), None),
        (EXEC.replace(r#""level":"Request""#, r#""level":"Everything""#), None),
    ] {
        assert!(event.contains("ResponseComplete") && event != EXEC, "a case that is none: {event}");
        let mapped = mapped(&event);
        assert_eq!(mapped.plain, None, "{event:.300}");
        assert_eq!(mapped.degraded.iter().map(|(reason, _)| reason).next(), degraded, "{event:.300}");
        assert_eq!(text(&mapped, "k8s.user.username"), Some("jane"));
        assert!(!format!("{:?}", mapped.record.attrs).contains("hunter2"));
    }
}

/// Scenario: S14: a pointer is configured and the objects are nested 200 deep, and 100.
/// Guarantee: both are events; what cannot be looked into is counted, never left out in silence.
#[test]
fn deep_objects_are_counted_where_they_matter() {
    let options =
        AuditOptions { attributes: [("verb.chosen".into(), "/verb".into())].into(), ..AuditOptions::default() };
    for (depth, read) in [(100, true), (200, false), (100_000, false)] {
        let object = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let event = EXEC.replacen('{', &format!(r#"{{"requestObject":{object},"#), 1);
        let (_, chosen) = mapped_with(&options, None, &event);
        assert_eq!(chosen.plain, None);
        assert_eq!(text(&chosen, "verb.chosen"), read.then_some("create"));
        assert_eq!(chosen.degraded.get(reasons::OBJECTS_UNREADABLE), usize::from(!read));
        assert!(mapped(&event).degraded.is_empty(), "nothing is looked into without a pointer");
    }
}

/// Scenario: lists with more items than are read: groups, addresses, values of `extra`; more annotations and more keys of
/// `extra` than are read.
/// Guarantee: the first are kept in order, the list is counted as cut once, annotations in `dropped_attributes_count`.
#[test]
fn lists_are_bounded_and_counted() {
    let many = |count: usize| (0..count).map(|n| format!("\"i{n}\"")).collect::<Vec<_>>().join(",");
    let options = AuditOptions { max_attributes: 4096, ..AuditOptions::default() };
    for (from, to, name) in [
        (r#""groups":["dev""#, format!(r#""groups":[{}"#, many(5000)), "k8s.user.groups"),
        (r#""sourceIPs":["203.0.113.9""#, format!(r#""sourceIPs":[{}"#, many(5000)), "k8s.audit.event.source_ips"),
        (r#""scopes":["a""#, format!(r#""scopes":[{}"#, many(5000)), "k8s.audit.event.user.extra.scopes"),
    ] {
        assert!(EXEC.contains(from));
        let (_, mapped) = mapped_with(&options, None, &EXEC.replace(from, &to));
        let Some(Value::Array(items)) = get(&mapped, name) else { panic!("{name}") };
        assert_eq!((items.len(), items[1023].as_str()), (1024, Some("i1023")), "{name}");
        assert_eq!(mapped.degraded.iter().collect::<Vec<_>>(), [(reasons::LIST_CUT, 1)], "{name}");
    }
    let count = |mapped: &Mapped| {
        let invented = |key: &Key| key.as_str().contains(".annotation.p") || key.as_str().contains(".extra.p");
        mapped.record.attrs.iter().filter(|(key, _)| invented(key)).count()
    };
    let pairs = |value: &str| (0..1500).map(|n| format!(r#""p{n}":{value},"#)).collect::<String>();
    for (from, value) in [(r#""annotations":{"#, r#""x""#), (r#""extra":{"#, r#"["x"]"#)] {
        let event = EXEC.replace(from, &format!("{from}{}", pairs(value)));
        let (_, mapped) = mapped_with(&options, None, &event);
        assert!(mapped.record.dropped_attributes_count >= 1500 - 1024, "{from}");
        assert_eq!(count(&mapped), 1024, "{from}");
        let (_, capped) = mapped_with(&AuditOptions::default(), None, &event);
        assert_eq!(capped.record.attrs.len(), 128);
        assert!(is_audit(&capped.record));
    }
}

/// Scenario: more attributes than the cap, values over theirs, a user name with line breaks.
/// Guarantee: cut and counted; the event stays recognisable; the body stays one line.
#[test]
fn caps_cut_and_count() {
    let options = AuditOptions { max_attribute_bytes: 5, max_attributes: 16, ..AuditOptions::default() };
    let (_, capped) = mapped_with(&options, None, EXEC);
    let (_, whole) = mapped_with(&AuditOptions::default(), None, EXEC);
    assert_eq!(capped.record.attrs.len(), 16);
    assert_eq!(capped.record.dropped_attributes_count as usize, whole.record.attrs.len() - 16);
    assert_eq!(text(&capped, "k8s.audit.event.stage"), Some("Respo"));
    assert!(is_audit(&capped.record));
    let broken = mapped(&EXEC.replace("jane", "ja\\nne\\r"));
    assert_eq!(broken.record.body.as_str(), Some("ja\u{fffd}ne\u{fffd} create pods/exec web/shop-1 403"));
}
