use super::*;
use crate::testing::planning;

fn check(connection: &Connection<'_>, ability: Ability) -> (Option<Settings>, Vec<String>) {
    let (settings, findings) = planning(|cx| connection.check(ability, cx));
    let told =
        |finding: &crate::config::Diagnostic| format!("{}; {}", finding.message, finding.help.as_deref().unwrap_or(""));
    (settings, findings.iter().map(told).collect())
}

fn connection<'c>(brokers: &'c [String], auth: &'c AuthConfig, tls: Option<&'c ClientTlsConfig>) -> Connection<'c> {
    Connection { brokers, client_id: CLIENT_ID, auth, tls }
}

/// Scenario: brokers and topics as users write them, right and wrong.
/// Guarantee: what Kafka's client would misread is refused.
#[test]
fn names() {
    for broker in ["localhost:9092", "10.0.0.1:1", "[::1]:9092", "kafka-0.kafka.svc:65535"] {
        assert!(names::check_broker(broker).is_ok(), "{broker}");
    }
    for broker in
        ["", "localhost", ":9092", "localhost:0", "localhost:x", "kafka://a:1", "a:1,b:2", "a b:1", "::1:9092"]
    {
        assert!(names::check_broker(broker).is_err(), "{broker}");
    }
    assert!(["otlp_logs", "a.b-c_D9"].iter().all(|name| check_topic(name).is_ok()));
    assert!(["", ".", "..", "a b", "a/b", "ä", &"t".repeat(250)].iter().all(|name| check_topic(name).is_err()));
}

/// Scenario: TLS and SCRAM with a client library that has neither, and with one that has both.
/// Guarantee: an error with the remedy, or exactly the settings of the client; never plaintext by accident.
#[test]
fn what_the_build_cannot_do_is_said() {
    let brokers = ["localhost:9092".to_owned()];
    let sasl = SaslConfig { mechanism: Mechanism::ScramSha512, username: "u".into(), password: "p".to_owned().into() };
    let auth = AuthConfig { sasl: Some(sasl) };
    let tls = ClientTlsConfig { ca_file: Some("/ca.pem".into()), ..ClientTlsConfig::default() };
    let (settings, findings) = check(&connection(&brokers, &auth, Some(&tls)), Ability::Plaintext);
    assert!(settings.is_none());
    assert_eq!(findings.iter().filter(|text| text.contains("kafka-tls")).count(), 2, "{findings:?}");
    let (settings, findings) = check(&connection(&brokers, &auth, Some(&tls)), Ability::Tls);
    assert!(findings.is_empty(), "{findings:?}");
    let settings = settings.unwrap();
    let value = |name| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| value.expose());
    assert_eq!(value("security.protocol"), Some("sasl_ssl"));
    assert_eq!(value("sasl.mechanism"), Some("SCRAM-SHA-512"));
    assert_eq!(value("ssl.ca.location"), Some("/ca.pem"));
    assert_eq!(value("enable.ssl.certificate.verification"), Some("true"));
}

/// Scenario: a password without TLS; half of the credentials; no brokers; keys that the client does not have.
/// Guarantee: a warning for the first, an error for each of the others.
#[test]
fn weak_and_incomplete_connections() {
    let brokers = ["localhost:9092".to_owned()];
    let plain = |username: &str, password: &str| {
        let sasl =
            SaslConfig { mechanism: Mechanism::Plain, username: username.into(), password: password.to_owned().into() };
        AuthConfig { sasl: Some(sasl) }
    };
    let auth = plain("u", "p");
    let (settings, findings) = check(&connection(&brokers, &auth, None), Ability::Plaintext);
    assert!(settings.is_some() && findings.len() == 1 && findings[0].contains("network as it is"), "{findings:?}");
    let auth = plain("", "");
    let (settings, findings) = check(&connection(&[], &auth, None), Ability::Plaintext);
    assert!(settings.is_none() && findings.len() == 4, "{findings:?}");
    let tls = ClientTlsConfig { server_name_override: Some("a".into()), ..ClientTlsConfig::default() };
    let (settings, findings) = check(&connection(&brokers, &AuthConfig::default(), Some(&tls)), Ability::Tls);
    assert!(settings.is_none() && findings.len() == 1, "{findings:?}");
    // A block that says plaintext is plaintext.
    let tls = ClientTlsConfig { insecure: true, ..ClientTlsConfig::default() };
    let (settings, findings) = check(&connection(&brokers, &AuthConfig::default(), Some(&tls)), Ability::Plaintext);
    assert!(findings.is_empty() && settings.is_some_and(|s| s.iter().any(|(_, v)| v.expose() == "plaintext")));
}

/// Scenario: what the client tells when a certificate is not trusted and when it is, when a password is wrong, and when brokers
/// are just away.
/// Guarantee: each problem is told once, with the key to look at; a reason is not hidden by "all brokers are down", which
/// follows each; after something got through all is news again.
#[test]
fn obstacles_are_told_once() {
    let obstacles = Obstacles::default();
    let meet =
        |code, text: &str| obstacles.meet(code, text.to_owned()).map(|told| (told.is_permanent(), told.to_string()));
    let (down, tls, login, right) = (-187, -181, -169, 30);
    let (permanent, told) = meet(down, "1/1 brokers are down").unwrap();
    assert!(!permanent && told.starts_with("1/1 brokers are down; check `brokers`"), "{told}");
    let (permanent, told) = meet(tls, "certificate verify failed (after 3ms)").unwrap();
    assert!(permanent && told.contains("; check `tls`"), "{told}");
    assert_eq!((meet(down, "1/1 brokers are down"), meet(tls, "certificate verify failed (after 4ms)")), (None, None));
    assert!(obstacles.now().unwrap().to_string().contains("after 3ms"));
    assert!(meet(login, "invalid credentials").is_some_and(|(_, told)| told.contains("; check `auth.sasl`")));
    assert!(meet(right, "not authorized").is_some_and(|(permanent, _)| permanent));
    assert_eq!(meet(-1, "something else"), None);
    assert!(obstacles.pass().is_some() && obstacles.pass().is_none() && obstacles.now().is_none());
    assert!(meet(down, "1/1 brokers are down").is_some());
}
