//! Fields of audit events: where they are, what is corrected, and hostile JSON.

use super::*;
use crate::{
    compile::Compiler,
    evaluate::{Arena, Run},
    language::{Limits, parse_operand},
};

const POD: &str = r#"{"auditID":"a-1","stage":"ResponseComplete","verb":"create","requestURI":"/api/v1/pods?limit=500&x=a%20b+c&x=2",
"stageTimestamp":"2018-10-26T13:42:46.808261Z","sourceIPs":["10.0.0.1","10.0.0.2"],
"user":{"username":"j\u00f6rg \"x\"","groups":["dev","ops"]},"annotations":{"authorization.k8s.io/decision":"allow","a~/b":1},
"objectRef":{"resource":"pods","namespace":"web","name":"p"},"responseStatus":{"code":201},
"responseObject":{"metadata":{"name":"p-xyz"}},
"requestObject":{"kind":"Pod","spec":{"hostNetwork":true,"securityContext":{"runAsUser":7,"supplementalGroups":[1, 2]},
"volumes":[{"name":"v","hostPath":{"path":"/etc/x"}},{"name":"w","emptyDir":{}}],
"ports":[{"port":80, "name":"a b"}],
"containers":[{"name":"a","image":"reg:5000/app/web:1.2@sha256:ff","command":["sh","-c","ls /"],"ports":[{"hostPort":80},{"containerPort":9}],
"securityContext":{"privileged":true,"runAsUser":0,"capabilities":{"add":["SYS_ADMIN"]}}},{"name":"b","image":"nginx"}]},
"rules":[{"verbs":["get","list"],"apiGroups":[""]},{"verbs":["*"]}],
"subjects":[{"kind":"User","name":"eve"},{"kind":"ServiceAccount","name":"sa","namespace":"ns"},{"kind":"Group","name":"g"}]}}"#;

fn shown(field: &str, text: &str, parity: Parity) -> String {
    let schema = schema();
    let mut compiler = Compiler::new(&schema);
    let (operand, _) = parse_operand(field, Limits::default()).unwrap();
    let operand = compiler.operand(&operand).unwrap_or_else(|errors| panic!("{field}: {errors:?}"));
    let program = compiler.finish();
    let plan = AuditPlan::new(program.fields(), parity);
    let arena = Arena::new();
    let meta = Meta { number: 3, hostname: "h", ..Meta::default() };
    let event = AuditEvent::new(text.as_bytes(), meta, &plan, &arena).unwrap();
    Run::new(&program, &event, &arena).value(operand).to_string()
}

/// Scenario: a pod is created; every kind of field is asked for.
/// Guarantee: each has the value of the table: text as it is meant, anything else as compact JSON.
#[test]
fn every_kind_of_field() {
    for (field, expected) in [
        ("ka.verb", "create"),
        ("ka.user.name", "jörg \"x\""),
        ("ka.user.groups", "(dev,ops)"),
        ("ka.auth.decision", "allow"),
        ("ka.response.code", "201"),
        ("ka.uri.param[limit]", "500"),
        ("ka.uri.param[x]", "a b c"),
        ("ka.uri.param[y]", "<NA>"),
        ("ka.target.pod.name", "p-xyz"),
        ("ka.target.subresource", "<NA>"),
        ("ka.sourceips[1]", "(10.0.0.2)"),
        ("ka.sourceips[2]", "<NA>"),
        ("ka.req.pod.host_network", "true"),
        ("ka.req.pod.supplemental_groups", "(1,2)"),
        ("ka.req.pod.containers.name", "(a,b)"),
        ("ka.req.pod.containers.image[1]", "(nginx)"),
        ("ka.req.pod.containers.image.repository", "(reg:5000/app/web,nginx)"),
        ("ka.req.container.image.repository", "reg:5000/app/web"),
        ("ka.req.pod.containers.command", "(sh -c ls /)"),
        ("ka.req.pod.containers.args", "<NA>"),
        ("ka.req.pod.containers.privileged", "(true)"),
        ("ka.req.container.privileged", "true"),
        ("ka.req.pod.containers.add_capabilities", "([\"SYS_ADMIN\"])"),
        ("ka.req.pod.containers.eff_run_as_user", "(0,7)"),
        ("ka.req.pod.containers.eff_run_as_group", "(0,0)"),
        ("ka.req.pod.containers.host_port", "(80,9)"),
        ("ka.req.pod.initContainers.image", "<NA>"),
        ("ka.req.pod.volumes.hostpath", "(/etc/x)"),
        ("ka.req.pod.volumes.volume_type", "(hostPath,emptyDir)"),
        ("ka.req.volume.hostpath[/etc*]", "true"),
        ("ka.req.volume.hostpath[/etc]", "false"),
        ("ka.req.service.ports[5]", "([{\"port\":80,\"name\":\"a b\"}])"),
        ("ka.req.role.rules.verbs", "(get,list,*)"),
        ("ka.req.role.rules.verbs[1]", "(*)"),
        ("ka.req.role.rules.apiGroups", "()"),
        ("ka.req.role.rules", "({\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"]},{\"verbs\":[\"*\"]})"),
        ("ka.req.binding.subjects.user_names", "(eve)"),
        ("ka.req.binding.subjects.group_names", "(g)"),
        ("ka.req.binding.subjects.serviceaccount_names", "(sa)"),
        ("ka.req.binding.subjects.serviceaccount_ns_names", "(ns:sa)"),
        ("ka.req.binding.subject.has_name[eve]", "true"),
        ("ka.req.binding.subject.has_name[bob]", "false"),
        ("jevt.value[/stage]", "ResponseComplete"),
        ("jevt.value[stage]", "ResponseComplete"),
        ("jevt.value[/annotations/authorization.k8s.io~1decision]", "allow"),
        ("jevt.value[/annotations/a~0~1b]", "1"),
        ("json.value[/sourceIPs/1]", "10.0.0.2"),
        ("jevt.value[/sourceIPs/x]", "<NA>"),
        ("jevt.rawtime", "1540561366808261000"),
        ("evt.rawtime", "1540561366808261000"),
        ("evt.num", "3"),
        ("evt.hostname", "h"),
        ("evt.source", "k8s_audit"),
        ("evt.datetime", "2018-10-26 13:42:46.808261000"),
        ("evt.time.iso8601", "2018-10-26T13:42:46.808261000+0000"),
        ("toupper(ka.verb)", "CREATE"),
    ] {
        assert_eq!(shown(field, POD, Parity::Corrected), expected, "{field}");
    }
}

/// Scenario: the same pod, with the mistakes of the plugins kept.
/// Guarantee: the fields that are corrected otherwise have the values of the plugins.
#[test]
fn parity_keeps_mistakes() {
    for (field, expected) in [
        ("ka.req.binding.subject.has_name[bob]", "true"),
        ("ka.sourceips", "<NA>"),
        ("ka.req.pod.containers.image.repository", "(reg,nginx)"),
        ("ka.req.pod.containers.eff_run_as_user", "(0,0)"),
    ] {
        assert_eq!(shown(field, POD, Parity::Upstream), expected, "{field}");
    }
}

/// Scenario: events without an audit id, with nulls, with values of other types than the fields have.
/// Guarantee: without an id no `ka.*` is there; a null is the text `null`; what has another shape is missing.
#[test]
fn unusual_events() {
    let shown = |field: &str, text: &str| shown(field, text, Parity::Corrected);
    assert_eq!(shown("ka.verb", r#"{"verb":"get"}"#), "<NA>");
    assert_eq!(shown("jevt.value[/verb]", r#"{"verb":"get"}"#), "get");
    assert_eq!(shown("ka.verb", r#"{"auditID":"x","verb":null}"#), "null");
    assert_eq!(shown("ka.user.groups", r#"{"auditID":"x","user":{"groups":"a"}}"#), "<NA>");
    assert_eq!(shown("ka.user.groups", r#"{"auditID":"x","user":{"groups":[]}}"#), "<NA>");
    assert_eq!(shown("ka.user.name", r#"{"auditID":"x","user":[1]}"#), "<NA>");
    assert_eq!(shown("ka.verb", r#"{"auditID":"x","verb":"a","verb":"b"}"#), "a");
    assert_eq!(shown("ka.response.code", r#"{"auditID":"x","responseStatus":{"code":1.50e3}}"#), "1.50e3");
    assert_eq!(shown("jevt.rawtime", r#"{"stageTimestamp":"soon"}"#), "<NA>");
    assert_eq!(
        shown("jevt.obj", r#"{"a":[1,{}],"b":"x:{ y"}"#),
        "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x:{ y\"\n}"
    );
    let image = r#"{"auditID":"x","requestObject":{"spec":{"containers":[{"image":"a"},{}]}}}"#;
    assert_eq!(shown("ka.req.pod.containers.image", image), "<NA>");
    assert_eq!(shown("ka.req.container.image", image), "a");
}

/// Scenario: texts that are no JSON object, in whole or inside, and nesting a hundred thousand deep.
/// Guarantee: an error or a missing value, never a panic.
#[test]
fn hostile_json() {
    let arena = Arena::new();
    let plan = AuditPlan::new(&[], Parity::Corrected);
    let deep = "[".repeat(100_000);
    for text in ["", "[]", "7", "{", "{}x", "{\"a\":}", "{\"a\":[1,}", &format!("{{\"a\":{deep}"), "\"x"] {
        assert!(AuditEvent::new(text.as_bytes(), Meta::default(), &plan, &arena).is_err(), "{text:.20}");
    }
    assert!(AuditEvent::new(b"{\"a\":\"\xff\"}", Meta::default(), &plan, &arena).is_err());
    let nested = format!(r#"{{"auditID":"x","requestObject":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(shown("ka.req.pod.host_network", &nested, Parity::Corrected), "<NA>");
    assert_eq!(shown("jevt.value[/requestObject]", &nested, Parity::Corrected).len(), 20_000);
    assert!(shown("jevt.obj", &nested, Parity::Corrected).len() < 100 * nested.len());
    let surrogate = r#"{"auditID":"x","verb":"\ud800"}"#;
    assert_eq!(shown("ka.verb", surrogate, Parity::Corrected), "\\ud800");
}

/// Scenario: an event that is cut off anywhere, and one in which any byte is another one; every field is asked for.
/// Guarantee: an error or values, never a panic.
#[test]
fn damaged_events() {
    use crate::{
        language::{FieldRef, Operand, Span},
        schema::{ArgumentSpec, Schema},
    };
    let schema = schema();
    let mut compiler = Compiler::new(&schema);
    let operands: Vec<_> = schema
        .names()
        .into_iter()
        .map(|name| {
            let needs_key = schema.field(name).is_some_and(|field| field.argument == ArgumentSpec::Key);
            let field = FieldRef {
                name: name.to_owned(),
                argument: needs_key.then(|| "/requestObject/spec".to_owned()),
                span: Span::default(),
            };
            compiler.operand(&Operand::Field(field)).unwrap()
        })
        .collect();
    let program = compiler.finish();
    let plan = AuditPlan::new(program.fields(), Parity::Corrected);
    let mut arena = Arena::new();
    let (mut read, mut refused) = (0, 0);
    let mut ask = |text: &[u8]| {
        arena.reset();
        let Ok(event) = AuditEvent::new(text, Meta::default(), &plan, &arena) else {
            refused += 1;
            return;
        };
        read += 1;
        let run = Run::new(&program, &event, &arena);
        for operand in &operands {
            std::hint::black_box(run.value(*operand).to_string());
        }
    };
    for at in 0..POD.len() {
        ask(&POD.as_bytes()[..at]);
        for byte in [b'"', b'{', b']', b'\\', b'0', 0xff] {
            let mut text = POD.as_bytes().to_vec();
            text[at] = byte;
            ask(&text);
        }
    }
    assert!(read > 1000 && refused > 1000, "{read} {refused}");
}
