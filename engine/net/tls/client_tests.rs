use super::{ClientTls, ClientTlsConfig, TlsError, TlsVersion};
use crate::testing::planning;

fn checked(config: ClientTlsConfig) -> Option<ClientTls> {
    planning(|cx| config.check("tls", cx)).0
}

/// Scenario: the block is empty, says `insecure`, or says `insecure` beside a CA.
/// Guarantee: only a plain `insecure` means plaintext, as in the Collector; an https endpoint overrules it.
#[test]
fn tls_is_on_unless_insecure() {
    let empty = checked(ClientTlsConfig::default()).unwrap();
    assert!(empty.load().unwrap().is_some());
    let insecure = checked(ClientTlsConfig { insecure: true, ..Default::default() }).unwrap();
    assert!(insecure.load().unwrap().is_none());
    assert!(insecure.required().load().unwrap().is_some());
    let with_ca = ClientTlsConfig { insecure: true, ca_pem: Some("x".into()), ..Default::default() };
    assert!(!checked(with_ca).unwrap().is_plaintext());
}

/// Scenario: contradictory or impossible blocks.
/// Guarantee: none of them gets through the plan.
#[test]
fn contradictions_are_found_at_plan() {
    let cases = [
        ClientTlsConfig { ca_pem: Some(String::new()), ca_file: Some("ca".into()), ..Default::default() },
        ClientTlsConfig { cert_file: Some("cert".into()), ..Default::default() },
        ClientTlsConfig { key_file: Some("key".into()), ..Default::default() },
        ClientTlsConfig { min_version: TlsVersion::V1_3, max_version: Some(TlsVersion::V1_2), ..Default::default() },
        ClientTlsConfig { server_name_override: Some("no name".into()), ..Default::default() },
    ];
    for case in cases {
        let shown = format!("{case:?}");
        assert!(checked(case).is_none(), "{shown}");
    }
}

/// Scenario: a CA file is missing, a CA is no PEM, a key is no PEM.
/// Guarantee: loading says what is wrong, and a key's text is in no error and no debug output.
#[test]
fn unusable_material_is_told_without_secrets() {
    let missing = ClientTlsConfig { ca_file: Some("/no/such/ca.pem".into()), ..Default::default() };
    let error = checked(missing).unwrap().load().unwrap_err();
    assert!(matches!(error, TlsError::Read { .. }) && error.to_string().contains("/no/such/ca.pem"), "{error}");

    let no_pem = ClientTlsConfig { ca_pem: Some("hello".into()), ..Default::default() };
    assert!(matches!(checked(no_pem).unwrap().load(), Err(TlsError::NoCertificate { .. })));

    let identity = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let bad_key = ClientTlsConfig {
        cert_pem: Some(identity.cert.pem()),
        key_pem: Some("canary-4711".to_owned().into()),
        ..Default::default()
    };
    assert!(!serde_json::to_string(&bad_key).unwrap().contains("canary"));
    let plan = checked(bad_key).unwrap();
    let error = plan.load().unwrap_err();
    assert!(!format!("{plan:?} {error:?} {error}").contains("canary"), "{error}");
}

/// Scenario: the endpoint's host is a name, an address, an address in brackets; the config overrides it.
/// Guarantee: each gives the name the certificate must carry.
#[test]
fn server_names() {
    let plain = checked(ClientTlsConfig::default()).unwrap();
    for (host, name) in [("otel.example", "otel.example"), ("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
        assert_eq!(plain.server_name(host).unwrap().to_str(), name);
    }
    let config = ClientTlsConfig { server_name_override: Some("b.example".into()), ..Default::default() };
    assert_eq!(checked(config).unwrap().server_name("otel.example").unwrap().to_str(), "b.example");
}
