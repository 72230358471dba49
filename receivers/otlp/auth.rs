//! Credentials of senders.
//!
//! Promises: they are compared in a time that does not depend on how much of them is right; they are looked at before
//! a body is read; they are never shown.

use super::{not_offered, refusal::Refusal};
use ::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanner_engine::{config::Secret, prelude::*};
use subtle::ConstantTimeEq;

/// What senders must show; exactly one of the keys.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = not_offered::AUTH))]
pub struct AuthConfig {
    /// `Authorization: Bearer <token>`.
    pub bearer_token: Option<Secret>,
    /// `Authorization: Basic` with a name and a password.
    pub basic: Option<BasicConfig>,
}

/// A name and its password.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BasicConfig {
    pub username: String,
    pub password: Secret,
}

#[derive(Debug, thiserror::Error)]
#[error("exactly one of `bearer_token` and `basic` is needed; keep one, or remove `auth` to let everyone in")]
struct NotOne;

#[derive(Debug, thiserror::Error)]
#[error("the credentials are empty; give a token, or a username without a colon and a password")]
struct Empty;

impl AuthConfig {
    /// Reports what is wrong, at `path`.
    pub fn check(&self, path: &str, cx: &mut PlanCx<'_>) {
        match (&self.bearer_token, &self.basic) {
            (Some(token), None) if token.expose().trim().is_empty() => {
                cx.error(&format!("{path}.bearer_token"), Empty);
            }
            (None, Some(basic)) => {
                let name = &basic.username;
                if name.is_empty() || name.contains(':') || basic.password.expose().is_empty() {
                    cx.error(&format!("{path}.basic"), Empty);
                }
            }
            (Some(_), None) => {}
            _ => cx.error(path, NotOne),
        }
    }
}

/// The checked form: a scheme and what follows it, or nothing.
#[derive(Default)]
pub struct Auth(Option<(&'static str, Vec<u8>)>);

impl Auth {
    pub fn new(config: Option<&AuthConfig>) -> Self {
        let Some(config) = config else { return Self(None) };
        Self(Some(match &config.basic {
            Some(basic) => {
                let pair = format!("{}:{}", basic.username, basic.password.expose());
                ("Basic", STANDARD.encode(pair).into_bytes())
            }
            None => {
                let token = config.bearer_token.as_ref().map_or("", Secret::expose);
                ("Bearer", token.trim().as_bytes().to_vec())
            }
        }))
    }

    /// # Errors
    /// [`Refusal::Unauthenticated`].
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some((scheme, expected)) = &self.0 else { return Ok(()) };
        let shown = headers.get(AUTHORIZATION).map(|value| value.as_bytes().trim_ascii()).unwrap_or_default();
        let (name, shown) = shown.split_at(shown.iter().position(|byte| *byte == b' ').unwrap_or(shown.len()));
        let known = name.eq_ignore_ascii_case(scheme.as_bytes()) && bool::from(shown.trim_ascii().ct_eq(expected));
        if known { Ok(()) } else { Err(Refusal::Unauthenticated) }
    }

    /// What `WWW-Authenticate` says.
    pub fn scheme(&self) -> Option<&'static str> {
        self.0.as_ref().map(|(scheme, _)| *scheme)
    }
}
