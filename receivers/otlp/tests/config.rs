//! Configurations.

use super::*;
use lanner_engine::{
    component::Factory,
    config::{Inputs, load, plan_body, print_config},
};

/// Scenario: configs with mistakes.
/// Guarantee: errors that name the place and the remedy.
#[test]
fn mistakes_are_found_before_start() {
    let factory = Factory::receiver::<Otlp>();
    for (yaml, text) in [
        ("{}", "must specify at least one protocol"),
        ("protocols:", "must specify at least one protocol"),
        ("protocols: {thrift: }", "thrift"),
        ("protocols: {grpc: {max_recv_msg_size_mib: 0}}", "max_recv_msg_size_mib"),
        ("protocols: {grpc: {keepalive: {server_parameters: {time: 1ms}}}}", "at least `1s`"),
        ("protocols: {grpc: {keepalive: {server_parameters: {max_connection_age: 1ms}}}}", "at least `1s`"),
        ("protocols: {http: {idle_timeout: 0s}}", "at least `1s`"),
        ("protocols: {grpc: {auth: {}}}", "exactly one of"),
        ("protocols: {grpc: {auth: {bearer_token: ''}}}", "credentials are empty"),
        ("protocols: {http: {auth: {basic: {username: 'a:b', password: x}}}}", "without a colon"),
        ("protocols: {http: {max_request_body_size: 0}}", "max_request_body_size"),
        ("protocols: {http: {logs_url_path: logs}}", "start it with a slash"),
        ("protocols: {http: {logs_url_path: /v1/traces}}", "give each its own"),
        ("protocols: {http: {cors: {allowed_origins: ['*.*']}}}", "one `*` at most"),
        ("protocols: {http: {cors: {allowed_headers: ['a b']}}}", "header name"),
        ("protocols: {http: {tls: {cert_file: a.pem}}}", "set `key_file`"),
    ] {
        let trial = plan_body(&factory, yaml);
        assert!(trial.planned.is_none(), "{yaml}");
        assert!(trial.rendered().contains(text), "{yaml}: {}", trial.rendered());
    }
}

/// Scenario: every key that the Collector's receiver has (v0.159), in its own place.
/// Guarantee: it is taken, or answered with what to do instead; never only "unknown key".
#[test]
fn every_key_of_the_collector_has_an_answer() {
    let factory = Factory::receiver::<Otlp>();
    let grpc = [
        "transport: tcp",
        "transport: unix",
        "tls: {cert_file: a, key_file: b, min_version: '1.2', client_ca_file: c}",
        "tls: {cert_file: a, key_file: b, ca_file: c}",
        "tls: {cert_file: a, key_file: b, ca_pem: c}",
        "tls: {cert_file: a, key_file: b, include_system_ca_certs_pool: true}",
        "tls: {cert_file: a, key_file: b, max_version: '1.3'}",
        "tls: {cert_file: a, key_file: b, cipher_suites: [x]}",
        "tls: {cert_file: a, key_file: b, include_insecure_cipher_suites: true}",
        "tls: {cert_file: a, key_file: b, curve_preferences: [x]}",
        "tls: {cert_file: a, key_file: b, reload_interval: 1h}",
        "tls: {cert_file: a, key_file: b, client_ca_file_reload: true}",
        "tls: {cert_file: a, key_file: b, tpm: {enabled: true}}",
        "max_recv_msg_size_mib: 8",
        "max_concurrent_streams: 8",
        "read_buffer_size: 1024",
        "write_buffer_size: 1024",
        "keepalive: {server_parameters: {max_connection_idle: 1m, max_connection_age: 1h, max_connection_age_grace: 1m}}",
        "keepalive: {server_parameters: {time: 1m, timeout: 10s}}",
        "keepalive: {enforcement_policy: {min_time: 1m, permit_without_stream: true}}",
        "auth: {authenticator: bearertokenauth}",
        "auth: {bearer_token: x, request_params: [token]}",
        "include_metadata: false",
        "include_metadata: true",
        "middlewares: [{id: x}]",
    ];
    let http = [
        "transport: tcp",
        "tls: {cert_file: a, key_file: b}",
        "cors: {allowed_origins: ['https://a.b'], allowed_headers: [x], exposed_headers: [y], max_age: 7}",
        "auth: {authenticator: basicauth}",
        "max_request_body_size: 1024",
        "include_metadata: true",
        "response_headers: {x: y}",
        "compression_algorithms: [gzip]",
        "read_timeout: 10s",
        "read_header_timeout: 10s",
        "write_timeout: 10s",
        "idle_timeout: 1m",
        "keep_alives_enabled: true",
        "middlewares: [{id: x}]",
        "logs_url_path: /l",
        "metrics_url_path: /m",
        "traces_url_path: /t",
    ];
    let (mut taken, mut answered) = (0, 0);
    for (protocol, keys) in [("grpc", &grpc[..]), ("http", &http[..])] {
        for key in keys {
            let trial = plan_body(&factory, &format!("protocols: {{{protocol}: {{{key}}}}}"));
            let text = trial.rendered();
            assert!(!text.contains("unknown key"), "{protocol}: {key}: {text}");
            if trial.planned.is_some() {
                taken += 1;
            } else {
                answered += 1;
                assert!(text.contains("is not offered") && text.contains("help"), "{protocol}: {key}: {text}");
            }
        }
    }
    assert_eq!((taken, answered), (17, 25));
}

/// Scenario: protocols without a value, one of them, and an address that all can reach, with TLS and without.
/// Guarantee: no findings, but a warning for the open door.
#[test]
fn a_key_without_value_is_the_defaults() {
    let factory = Factory::receiver::<Otlp>();
    let tls = "tls: {cert_file: a, key_file: b}";
    for (yaml, warned) in [
        ("protocols:\n  grpc:\n  http:\n".to_owned(), false),
        ("protocols:\n  http:\n".to_owned(), false),
        ("protocols:\n  grpc:\n    endpoint: 0.0.0.0:4317\n".to_owned(), true),
        (format!("protocols:\n  grpc:\n    endpoint: 0.0.0.0:4317\n    {tls}\n"), false),
    ] {
        let trial = plan_body(&factory, &yaml);
        assert!(trial.planned.is_some(), "{yaml}: {}", trial.rendered());
        assert_eq!(trial.rendered().contains("without TLS"), warned, "{yaml}: {}", trial.rendered());
        assert_eq!(trial.findings.is_empty(), !warned, "{yaml}: {}", trial.rendered());
    }
    let of = |json: &str| serde_json::from_str::<Config>(json).unwrap().protocols;
    assert!(of(r#"{"protocols":{"grpc":null}}"#).grpc.is_some(), "null switches a protocol on");
    assert!(of(r#"{"protocols":{"grpc":null}}"#).http.is_none(), "a key that is not there leaves it off");
}

/// Scenario: the effective configuration of `grpc:` without a value and of `http:` with a path.
/// Guarantee: it switches the same protocols on, and none that was off.
#[test]
fn the_printed_config_keeps_protocols_on() {
    let registry = Registry::new([&[Factory::receiver::<Otlp>()][..]]);
    for (written, grpc, http) in [("grpc:", true, false), ("http: {logs_url_path: /in}", false, true)] {
        let text = format!("receivers:\n  otlp:\n    protocols:\n      {written}\n");
        let inputs = Inputs { embedded: Some(("otlp.yaml".into(), text)), ..Inputs::default() };
        let printed = print_config(&load(&inputs).document.unwrap(), &registry);
        let body = printed.split_once("protocols:").unwrap().1;
        assert_eq!((body.contains("grpc: {}"), body.contains("http:")), (grpc, http), "{printed}");
        assert!(!body.contains("null") && body.contains("logs_url_path: /in") == http, "{printed}");
    }
}
