//! Attributes that come from more than one field, and from tags.

use super::*;

fn attrs(fields: &str) -> Attributes {
    one(&alert(fields)).1.attrs
}

/// Scenario: a process with and without a path; ancestors one by one.
/// Guarantee: the executable's name is the path's last part, else the kernel's short name; ancestors are in order.
#[test]
fn process_names_and_ancestors() {
    let with_path = attrs(r#""proc.exepath":"/usr/bin/python3.11","proc.name":"python3""#);
    assert_eq!(text(&with_path, "process.executable.name"), Some("python3.11"));
    assert_eq!(text(&with_path, "falco.proc.name"), Some("python3"));
    assert_eq!(text(&attrs(r#""proc.name":"python3""#), "process.executable.name"), Some("python3"));
    let family = attrs(r#""proc.aname[10]":"init","proc.aname[2]":"bash","proc.aname[3]":null,"proc.aname[4]":"sshd""#);
    assert_eq!(texts(&family, "falco.process.ancestors"), ["bash", "sshd", "init"]);
    assert!(family.iter().all(|(key, _)| !key.as_str().starts_with("falco.output_fields.")));
}

/// Scenario: terminals, log-in ids that mean nobody, user ids.
/// Guarantee: the documented types, and no attribute for nobody.
#[test]
fn users_and_terminals() {
    let nobody = attrs(r#""user.loginuid":-1,"proc.tty":0,"user.uid":0"#);
    assert_eq!(get(&nobody, "falco.user.login_id"), None);
    assert_eq!(get(&nobody, "process.interactive"), Some(&Value::Bool(false)));
    assert_eq!(get(&nobody, "process.user.id"), Some(&Value::Int(0)));
    assert_eq!(text(&nobody, "user.id"), Some("0"));
    assert_eq!(get(&attrs(r#""user.loginuid":4294967295"#), "falco.user.login_id"), None);
}

/// Scenario: descriptors that are files, sockets and directories; paths in arguments.
/// Guarantee: only a file's path becomes `file.path`, with its parts; a socket's name is kept under its own name.
#[test]
fn files_are_told_from_sockets() {
    let file = attrs(r#""fd.name":"/var/log/app.tar.gz","evt.arg.path":"/other""#);
    assert_eq!(text(&file, "file.path"), Some("/var/log/app.tar.gz"));
    assert_eq!(text(&file, "file.name"), Some("app.tar.gz"));
    assert_eq!(text(&file, "file.directory"), Some("/var/log"));
    assert_eq!(text(&file, "file.extension"), Some("gz"));
    assert_eq!(text(&file, "falco.evt.arg.path"), Some("/other"));
    let hidden = attrs(r#""evt.arg.name":"/.bashrc""#);
    assert_eq!((text(&hidden, "file.directory"), text(&hidden, "file.extension")), (Some("/"), None));
    let socket = attrs(r#""fd.name":"10.0.0.1:4444->10.96.0.1:443","fd.type":"ipv4""#);
    assert_eq!(text(&socket, "file.path"), None);
    assert_eq!(text(&socket, "falco.output_fields.fd.name"), Some("10.0.0.1:4444->10.96.0.1:443"));
    assert_eq!(text(&attrs(r#""fd.name":"/run/x.sock","fd.type":"unix""#), "file.path"), None);
}

/// Scenario: an audit rule's fields.
/// Guarantee: parts of the URI, method, client, error and target pod as for an audit event.
#[test]
fn audit_fields_are_joined() {
    let body = alert(r#""ka.uri":"/api/v1/pods?limit=5","ka.verb":"deletecollection","ka.sourceips":["10.1.1.1","10.2.2.2"],"ka.response.code":"403","ka.response.reason":"Forbidden","ka.target.resource":"pods","ka.target.name":"web-0""#)
        .replace("syscall", "k8s_audit").replace("[\"shell\"]", "[\"k8s\"]").replace("A rule", "Attach/Exec Pod");
    let attrs = one(&body).1.attrs;
    for (name, value) in [
        ("url.path", "/api/v1/pods"),
        ("url.query", "limit=5"),
        ("http.request.method", "DELETE"),
        ("client.address", "10.1.1.1"),
        ("error.type", "Forbidden"),
        ("k8s.pod.name", "web-0"),
        ("lanner.threat.origin", "overlay"),
    ] {
        assert_eq!(text(&attrs, name), Some(value), "{name}");
    }
    assert_eq!(get(&attrs, "http.response.status_code"), Some(&Value::Int(403)));
    assert_eq!(texts(&attrs, "threat.technique.id"), ["T1609"]);
    let fine = one(&alert(r#""ka.response.code":201,"ka.response.reason":"Created""#)).1.attrs;
    assert_eq!(text(&fine, "error.type"), None);
    assert_eq!(text(&fine, "falco.output_fields.ka.response.reason"), Some("Created"));
}

/// Scenario: containers in and out of Kubernetes, and the host.
/// Guarantee: the resource says which container; the host is none.
#[test]
fn containers_and_pods_are_resources() {
    let fields = r#""container.id":"5892b41bcf46","container.name":"app","container.image.repository":"reg/app","container.image.tag":"1.2","container.image.digest":"sha256:ab""#;
    let (plain, record, _) = one(&alert(fields));
    assert_eq!(text(&plain.attrs, "container.id"), Some("5892b41bcf46"));
    assert_eq!(text(&plain.attrs, "container.image.name"), Some("reg/app"));
    assert_eq!(texts(&plain.attrs, "container.image.tags"), ["1.2"]);
    assert_eq!(texts(&plain.attrs, "container.image.repo_digests"), ["reg/app@sha256:ab"]);
    assert_eq!(text(&plain.attrs, "k8s.container.name"), None);
    assert!(record.attrs.iter().all(|(key, _)| !key.as_str().contains("container")));
    let (pod, ..) = one(&alert(&format!(
        r#"{fields},"container.full_id":"5892b41bcf46aa","k8s.pod.name":"web-0","k8s.pod.id":"u-1""#
    )));
    for (name, value) in [
        ("container.id", "5892b41bcf46aa"),
        ("k8s.pod.name", "web-0"),
        ("k8s.pod.uid", "u-1"),
        ("k8s.container.name", "app"),
        ("k8s.node.name", "node-1"),
    ] {
        assert_eq!(text(&pod.attrs, name), Some(value), "{name}");
    }
    let (host, record, _) = one(&alert(r#""container.id":"host","container.name":"host""#));
    assert!(host.attrs.iter().all(|(key, _)| !key.as_str().starts_with("container.")));
    assert_eq!(record, one(&alert("")).1);
}

/// Scenario: tags of every kind.
/// Guarantee: ATT&CK ids with names, parents of sub-techniques, compliance, maturity and categories; tactics only
/// from tags, unknown ids without a name.
#[test]
fn tags_say_what_they_say() {
    let tags = r#"["maturity_stable","mitre_execution","T1059.004","T1059","T1999","TA0005","PCI_DSS_10.2.5","NIST_800-53_AC-2","cis","network"]"#;
    let attrs = one(&alert("").replace("[\"shell\"]", tags)).1.attrs;
    assert_eq!(text(&attrs, "falco.rule.maturity"), Some("stable"));
    assert_eq!(text(&attrs, "threat.framework"), Some("MITRE ATT&CK"));
    assert_eq!(texts(&attrs, "threat.tactic.id"), ["TA0002", "TA0005"]);
    assert_eq!(texts(&attrs, "threat.tactic.name"), ["Execution", "Defense Evasion"]);
    assert_eq!(texts(&attrs, "threat.technique.id"), ["T1059", "T1999"]);
    assert_eq!(texts(&attrs, "threat.technique.name"), ["Command and Scripting Interpreter"]);
    assert_eq!(texts(&attrs, "threat.technique.subtechnique.id"), ["T1059.004"]);
    assert_eq!(texts(&attrs, "threat.technique.subtechnique.name"), ["Unix Shell"]);
    assert_eq!(texts(&attrs, "falco.compliance.pci_dss"), ["10.2.5"]);
    assert_eq!(texts(&attrs, "falco.compliance.nist_800_53"), ["AC-2"]);
    assert_eq!(get(&attrs, "falco.compliance.cis"), Some(&Value::Bool(true)));
    assert_eq!(texts(&attrs, "lanner.categories"), ["Network", "Execution"]);
    assert_eq!(get(&attrs, "lanner.threat.origin"), None);
}

/// Scenario: alerts without tags.
/// Guarantee: fields decide the category.
#[test]
fn without_tags_fields_decide() {
    for (fields, category) in [
        (r#""fd.sip":"10.0.0.1""#, "Network"),
        (r#""fd.name":"/etc/shadow""#, "FileSystem"),
        (r#""evt.type":"execve""#, "Execution"),
        ("", "Other"),
    ] {
        let body = alert(fields).replace("[\"shell\"]", "[]");
        assert_eq!(text(&one(&body).1.attrs, "security_rule.category"), Some(category), "{fields}");
    }
}
