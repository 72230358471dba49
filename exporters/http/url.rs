//! URLs to post to. They may hold a token, so no error repeats them.

use super::Addresses;
use lanner_engine::prelude::*;
use reqwest::Url;

/// No URL at all.
#[derive(Debug, thiserror::Error)]
#[error("`{key}` is missing; write for example `{key}: {example}`")]
struct NoUrl {
    key: String,
    example: &'static str,
}

/// A text that is no URL to post to.
#[derive(Debug, thiserror::Error)]
#[error("this is no URL to send to; write `http://host:port/path` or `https://host/path`")]
struct InvalidUrl;

/// Credentials in front of a host are easily shown by whoever handles the URL.
#[derive(Debug, thiserror::Error)]
#[error("the URL holds a user name; put credentials into `headers`, whose values are never shown")]
struct UserInUrl;

/// An address that the guard refuses.
#[derive(Debug, thiserror::Error)]
#[error("`allow_addresses: {allowed}` forbids this address; {remedy}")]
struct ForbiddenAddress {
    allowed: &'static str,
    remedy: &'static str,
}

/// The URL at `key`, whose address must be one of `addresses`; reports what is wrong with it.
pub fn target_url(
    key: &str,
    text: &str,
    example: &'static str,
    addresses: Addresses,
    cx: &mut PlanCx<'_>,
) -> Option<Url> {
    if text.is_empty() {
        cx.error(key, NoUrl { key: key.to_owned(), example });
        return None;
    }
    let url = match text.parse::<Url>() {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            cx.error(key, UserInUrl);
            return None;
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => {
            cx.error(key, InvalidUrl);
            return None;
        }
    };
    // An address written out is not resolved, so it is judged here.
    let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
    if literal.is_some_and(|address| !addresses.allow(address)) {
        cx.error(key, ForbiddenAddress { allowed: addresses.name(), remedy: addresses.remedy() });
        return None;
    }
    Some(url)
}

/// The URL with a path added to its own.
pub fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}
