//! SASL and TLS, as settings of librdkafka.

use super::{Ability, Settings};
use crate::{
    config::{PlanCx, Secret},
    net::tls::{ClientTlsConfig, TlsVersion},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keys of the Collector.
const NOT_OFFERED: [(&str, &str); 3] = [
    ("plain_text", "an older name; write `sasl` with `mechanism: PLAIN`"),
    ("tls", "an older place; write `tls` beside `auth`"),
    ("kerberos", "Kerberos is not built in; use `sasl`, or client certificates in `tls`"),
];

/// Who we are to the brokers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct AuthConfig {
    /// User name and password.
    pub sasl: Option<SaslConfig>,
}

/// User name and password.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SaslConfig {
    /// How the password is proven. SCRAM needs a build with `kafka-tls`.
    pub mechanism: Mechanism,
    /// The user; required.
    pub username: String,
    /// The password; required, and never shown.
    pub password: Secret,
}

/// SASL mechanisms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// Sends the password itself: only over TLS.
    #[default]
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// What can be wrong about credentials and certificates.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("`{0}` is empty; write it, for example as `${{env:KAFKA_{1}}}`")]
    Empty(&'static str, &'static str),
    #[error("the password goes over the network as it is; switch TLS on with `tls: {{}}`, or use SCRAM")]
    PasswordInTheClear,
    #[error("this build of Lanner speaks no {0} to Kafka; build it with `--features kafka-tls`")]
    NotBuilt(&'static str),
    #[error("Kafka's client does not have `{0}`; remove it")]
    NoSuchKey(&'static str),
}

impl AuthConfig {
    pub(super) fn check(&self, has_tls: bool, ability: Ability, cx: &mut PlanCx<'_>) -> Option<Settings> {
        let Some(SaslConfig { mechanism, username, password }) = &self.sasl else { return Some(Vec::new()) };
        let mut sound = true;
        let empty = [("username", "USER", username.as_str()), ("password", "PASSWORD", password.expose())];
        for (key, variable, _) in empty.into_iter().filter(|(_, _, value)| value.is_empty()) {
            cx.error(&format!("auth.sasl.{key}"), Problem::Empty(key, variable));
            sound = false;
        }
        let name = match mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        match (mechanism, ability) {
            (Mechanism::Plain, _) if !has_tls => cx.warning("auth.sasl.mechanism", Problem::PasswordInTheClear),
            (Mechanism::ScramSha256 | Mechanism::ScramSha512, Ability::Plaintext) => {
                cx.error("auth.sasl.mechanism", Problem::NotBuilt("SCRAM"));
                sound = false;
            }
            _ => {}
        }
        sound.then(|| {
            vec![
                ("sasl.mechanism", name.to_owned().into()),
                ("sasl.username", username.clone().into()),
                ("sasl.password", password.clone()),
            ]
        })
    }
}

/// Checks the `tls` block. No settings are plaintext, `None` an error.
pub(super) fn tls(config: Option<&ClientTlsConfig>, ability: Ability, cx: &mut PlanCx<'_>) -> Option<Settings> {
    let Some(config) = config else { return Some(Vec::new()) };
    if config.clone().check("tls", cx)?.is_plaintext() {
        return Some(Vec::new());
    }
    let mut sound = true;
    if ability == Ability::Plaintext {
        cx.error("tls", Problem::NotBuilt("TLS"));
        sound = false;
    }
    let missing = [
        ("server_name_override", config.server_name_override.is_some()),
        ("min_version", config.min_version != TlsVersion::default()),
        ("max_version", config.max_version.is_some()),
    ];
    for (key, _) in missing.into_iter().filter(|(_, written)| *written) {
        cx.error(&format!("tls.{key}"), Problem::NoSuchKey(key));
        sound = false;
    }
    let file = |path: &Option<std::path::PathBuf>| Some(Secret::from(path.as_ref()?.to_str()?.to_owned()));
    let text = |pem: &Option<String>| pem.clone().map(Secret::from);
    // Without a CA of one's own, the operating system's, wherever it keeps them.
    let probe = config.ca_pem.is_none().then(|| Secret::from("probe".to_owned()));
    let settings = [
        ("ssl.ca.location", file(&config.ca_file).or(probe)),
        ("ssl.ca.pem", text(&config.ca_pem)),
        ("ssl.certificate.location", file(&config.cert_file)),
        ("ssl.certificate.pem", text(&config.cert_pem)),
        ("ssl.key.location", file(&config.key_file)),
        ("ssl.key.pem", config.key_pem.clone()),
    ];
    let verify = (!config.insecure_skip_verify).to_string();
    let settings = settings.into_iter().filter_map(|(name, value)| Some((name, value?)));
    sound.then(|| std::iter::once(("enable.ssl.certificate.verification", verify.into())).chain(settings).collect())
}
