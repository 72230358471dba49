//! Scenarios of secrets in texts.

use super::*;
use proptest::prelude::*;

/// Scenario: command lines and messages with a secret of every kind.
/// Guarantee: the secret is gone, and nothing else is.
#[test]
fn secrets_are_replaced() {
    for (before, after) in [
        ("mysqldump --password=hunter2 shop", "mysqldump --password=[REDACTED] shop"),
        ("DB_PASS=hunter2 app pass=hunter3", "DB_PASS=[REDACTED] app pass=[REDACTED]"),
        ("app --db-password hunter2 -v", "app --db-password [REDACTED] -v"),
        ("env PGPASSWORD=hunter2 psql -h db", "env PGPASSWORD=[REDACTED] psql -h db"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+1 aws s3 ls", "AWS_SECRET_ACCESS_KEY=[REDACTED] aws s3 ls"),
        ("curl -H 'Authorization: Bearer abcdef123456' x", "curl -H 'Authorization: Bearer [REDACTED]' x"),
        ("curl -u admin:hunter2 http://x/", "curl -u admin:[REDACTED] http://x/"),
        ("psql postgres://app:hunter2@db:5432/shop", "psql postgres://app:[REDACTED]@db:5432/shop"),
        ("mysql -u root -phunter2 -h db", "mysql -u root -p[REDACTED] -h db"),
        ("redis-cli -h r -a hunter2 ping", "redis-cli -h r -a [REDACTED] ping"),
        ("sshpass -p hunter2 ssh x", "sshpass -p [REDACTED] ssh x"),
        ("ldapsearch -x -w hunter2 -b dc=x", "ldapsearch -x -w [REDACTED] -b dc=x"),
        ("wget http://x/?token=abc&user=1", "wget http://x/?token=[REDACTED]&user=1"),
        (r#"curl -d '{"password":"hunter2","a":1}'"#, r#"curl -d '{"password":"[REDACTED]","a":1}'"#),
        (r#"say {\"api_key\": \"abc\", 1}"#, r#"say {\"api_key\": \"[REDACTED]\", 1}"#),
        ("x --token='a b' y", "x --token='[REDACTED]' y"),
        (
            "git clone https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/a",
            "git clone https://[REDACTED]@github.com/a",
        ),
        ("echo AKIAIOSFODNN7EXAMPLE", "echo [REDACTED]"),
        ("k eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln z", "k [REDACTED] z"),
        (
            "A shell (user=root cmdline=sh -c login --password=hunter2 terminal=0)",
            "A shell (user=root cmdline=sh -c login --password=[REDACTED] terminal=0)",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----[REDACTED]-----END RSA PRIVATE KEY-----",
        ),
        ("a --password=x --password=y", "a --password=[REDACTED] --password=[REDACTED]"),
        ("Bearer abcdefgh token=Bearer", "Bearer [REDACTED] token=[REDACTED]"),
    ] {
        assert_eq!(redact(before), after);
    }
}

/// Scenario: texts that talk about secrets, name Kubernetes secrets, refer to variables, or were redacted before.
/// Guarantee: unchanged, and not copied.
#[test]
fn what_is_no_secret_stays() {
    for text in [
        "",
        "cat /etc/passwd",
        "cat /etc/shadow",
        "passwd root",
        "Read sensitive file untrusted (user=root file=/etc/shadow)",
        "K8s Secret Get Successfully (user=jane secret=db-credentials ns=shop resp=200)",
        "login --password=$DB_PASSWORD",
        "login --password=[REDACTED]",
        "proc token=<NA>",
        "Bypass: a compass=north",
        "ssh -p 2222 host",
        "mkdir -p /a/b",
        "curl https://example.com/a:b@c",
        "kubectl get secrets -n kube-system",
        "fetcher -secret-dir /secrets --token-file=/var/token PASSWORD_PATH=/x",
        "The bearer of bad news",
    ] {
        let redacted = redact(text);
        assert_eq!(redacted, text);
        assert!(matches!(redacted, Cow::Borrowed(_)), "{text}");
    }
}

/// Scenario: the constants of this module.
/// Guarantee: all of them compile, and the pattern of every shape has the group that is looked at.
#[test]
fn every_pattern_is_there() {
    assert_eq!(PATTERNS.len(), SHAPES.len());
    assert!(PATTERNS.iter().all(|pattern| pattern.capture_names().any(|name| name == Some("secret"))));
    assert!(NAME.is_some());
    assert_eq!(hinted("PGPASSWORD"), 0b101);
}

/// Scenario: texts with a name, as the attribute of a plugin's field has one.
/// Guarantee: with the name of a secret the whole text goes; else only what looks like one.
#[test]
fn a_name_tells_a_secret() {
    assert_eq!(redact_named("json.value[/db_password]", "hunter2"), MARK);
    assert_eq!(redact_named("X-Api-Key", "hunter2"), MARK);
    assert_eq!(redact_named("ka.req.secret.name", "db-credentials"), "db-credentials");
    assert_eq!(redact_named("passwordReset", "true"), "true");
    assert_eq!(redact_named("proc.args", "--token x"), "--token [REDACTED]");
}

/// Scenario: JSON of events with secrets in texts, behind escapes, under names, in lists; and text that is no JSON.
/// Guarantee: the secrets are gone, the rest is what it was, and JSON stays JSON.
#[test]
fn json_stays_json() {
    for (before, after) in [
        (
            r#"{"cmd":"mysql -phunter2 x","n":12345678901234567890}"#,
            r#"{"cmd":"mysql -p[REDACTED] x","n":12345678901234567890}"#,
        ),
        (r#"{"cmd":"curl --p\u0061ssword a\u003cb"}"#, r#"{"cmd":"curl --password [REDACTED]"}"#),
        (r#"{"password":"x","list":["a","TOKEN=b"]}"#, r#"{"password":"[REDACTED]","list":["a","TOKEN=[REDACTED]"]}"#),
        (r#"{"token":5,"pwd":{"a":true}}"#, r#"{"token":5,"pwd":{"a":true}}"#),
        (r#"{"token":"x""#, MARK),
        (r#"{"a":"b""#, r#"{"a":"b""#),
    ] {
        assert_eq!(redact_json(before), after);
    }
}

/// What `redact` finds without asking for hints first.
fn finds_without_hints(text: &str) -> bool {
    let found = PATTERNS.iter().flat_map(|pattern| pattern.captures_iter(text));
    let found = found.filter(|captures| !captures.name("name").is_some_and(|name| names_a_place(name.as_str())));
    found.filter_map(|captures| captures.name("secret")).any(|secret| is_secret(secret.as_str()))
}

proptest! {
    /// Scenario: pieces of all shapes in any order, in any case.
    /// Guarantee: no secret is missed because a hint is missing.
    #[test]
    fn hints_hide_nothing(parts in prop::collection::vec(prop::sample::select(vec![
        "Pass", "word", "passwd", " ", " --", "=", ": ", "tOken", "api", "-key", "_KEY", "key", "Secret", "client", "auth",
        "credentials", "private", "access", "x", "\"", "'", "bearer ", "basic\tabcdefgh", "s://", "a:b@", "mysqldump -p",
        "mariadb -px", "curl -u", "redis-cli -a ", "ldapadd -w ", "sshpass -p", "AKIAIOSFODNN7EXAMPLE", "ASIA",
        "ghs_abcdefghijklmnopqrstuvwxyz0123456789", "github_pat_abcdefghijklmnopqrstuv", "xoxb-0123456789",
        "AIzaabcdefghijklmnopqrstuvwxyz012345678", "eyJhbGciOiJI.UzI1NiJ9a", "-----BEGIN PRIVATE KEY-----", "pwd",
    ]), 0..8)) {
        let text = parts.concat();
        prop_assert_eq!(redact(&text) != text, finds_without_hints(&text), "{}", text);
    }

    /// Scenario: any text, with pieces of secrets strewn in.
    /// Guarantee: never panics; doing it twice changes nothing more; without a mark in the result nothing changed.
    #[test]
    fn any_text(parts in prop::collection::vec(prop_oneof![
        "\\PC{0,12}",
        Just("--password ".to_owned()), Just("token=".to_owned()), Just("'".to_owned()), Just("\"".to_owned()),
        Just("://a:b@".to_owned()), Just("Bearer abcdefghij".to_owned()), Just("\\".to_owned()), Just("ä".to_owned()),
    ], 0..12)) {
        let text = parts.concat();
        let once = redact(&text).into_owned();
        prop_assert_eq!(&redact(&once), &once);
        if !once.contains(MARK) {
            prop_assert_eq!(once, text);
        }
    }
}
