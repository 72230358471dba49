//! Keys that the exporters have in common, checked.

use super::RetryStatuses;
use http::HeaderName;
use lanner_engine::{config::Secret, prelude::*};

/// A proxy that is none. The URL may hold a password, so it is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("`proxy_url` is no URL of a proxy; write for example `http://proxy:3128`")]
struct InvalidProxy;

/// A status that says nothing went wrong, or that has a meaning of its own.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no status to try again after; list statuses from 400 to 599, other than 413, which splits bodies")]
struct InvalidStatus(u16);

/// Headers that the exporters set themselves, lower-case. `content-type` is one, because it decides how values are written.
pub fn is_reserved(name: &str) -> bool {
    const RESERVED: [HeaderName; 6] = [
        http::header::CONTENT_TYPE,
        http::header::CONTENT_ENCODING,
        http::header::CONTENT_LENGTH,
        http::header::TRANSFER_ENCODING,
        http::header::CONNECTION,
        http::header::ACCEPT_ENCODING,
    ];
    RESERVED.iter().any(|reserved| reserved == name)
}

/// The proxy at `proxy_url`; `None` after an error, `Some(None)` without a proxy.
pub fn proxy(url: Option<&Secret>, cx: &mut PlanCx<'_>) -> Option<Option<reqwest::Proxy>> {
    let Some(url) = url else { return Some(None) };
    reqwest::Proxy::all(url.expose()).map(Some).map_err(|_| cx.error("proxy_url", InvalidProxy)).ok()
}

/// Checks the statuses at `retry_statuses`.
pub fn check_statuses(statuses: &RetryStatuses, cx: &mut PlanCx<'_>) {
    for status in &statuses.0 {
        if !(400..600).contains(status) || *status == 413 {
            cx.error("retry_statuses", InvalidStatus(*status));
        }
    }
}
