//! Keys that the exporters have in common, checked.

use super::{Addresses, RetryStatuses, Settings};
use http::{HeaderMap, HeaderName};
use lanner_engine::{config::Secret, net::tls::ClientTlsConfig, prelude::*};

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

/// What a client is made of, from the keys `tls`, `proxy_url` and `allow_addresses`, and from `headers`, which are `None` when
/// they were found wrong. Reports every problem.
pub fn client_settings(
    tls: ClientTlsConfig,
    proxy_url: Option<&Secret>,
    addresses: Addresses,
    headers: Option<HeaderMap>,
    cx: &mut PlanCx<'_>,
) -> Option<Settings> {
    let proxy = match proxy_url {
        Some(url) => reqwest::Proxy::all(url.expose()).map(Some).map_err(|_| cx.error("proxy_url", InvalidProxy)).ok(),
        None => Some(None),
    };
    // The scheme decides about TLS; `insecure` only says what a bare `host:port` of gRPC would mean.
    let tls = tls.check("tls", cx)?.required();
    Some(Settings { tls, headers: headers?, proxy: proxy?, addresses })
}

/// Checks the statuses at `retry_statuses`.
pub fn check_statuses(statuses: &RetryStatuses, cx: &mut PlanCx<'_>) {
    for status in &statuses.0 {
        if !(400..600).contains(status) || *status == 413 {
            cx.error("retry_statuses", InvalidStatus(*status));
        }
    }
}
