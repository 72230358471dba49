//! `headers`: configured request headers, whose values may be credentials.

use crate::config::{PlanCx, Secret};
use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Header names and values to send with every request. Values are never shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct HeadersConfig(pub BTreeMap<String, Secret>);

/// A name HTTP does not allow.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no header name; use letters, digits and `-`")]
pub struct InvalidHeaderName(String);

/// A value HTTP does not allow.
#[derive(Debug, thiserror::Error)]
#[error("the value of header `{0}` holds a line break or another control character; is there a newline at its end?")]
pub struct InvalidHeaderValue(String);

/// A header that the protocol sets.
#[derive(Debug, thiserror::Error)]
#[error("header `{0}` is set by the exporter itself; remove it")]
pub struct ReservedHeader(String);

impl HeadersConfig {
    /// Checks the block at `path`; `is_reserved` says which (lower-case) names the protocol sets. Values are
    /// marked sensitive, so that HTTP/2 does not put them into its compression table.
    pub fn check(&self, path: &str, is_reserved: impl Fn(&str) -> bool, cx: &mut PlanCx<'_>) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        let mut sound = true;
        for (name, value) in &self.0 {
            let path = format!("{path}.{name}");
            match (name.parse::<HeaderName>(), HeaderValue::from_str(value.expose())) {
                (Err(_), _) => cx.error(&path, InvalidHeaderName(name.clone())),
                (Ok(known), _) if is_reserved(known.as_str()) => cx.error(&path, ReservedHeader(name.clone())),
                (Ok(_), Err(_)) => cx.error(&path, InvalidHeaderValue(name.clone())),
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                    continue;
                }
            }
            sound = false;
        }
        sound.then_some(headers)
    }
}
