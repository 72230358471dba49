//! What the exporters over HTTP share: one client, what a reply means, what may be told about it.
//!
//! Promises
//! - Data goes where the configuration says and nowhere else: redirects are not followed, the environment's proxies are not
//!   looked at, and names are resolved to addresses that [`Addresses`] allows.
//! - At most the asked-for part of a reply is read ([`Client::send`]).
//! - What is told about a failure holds no secret of the configuration, even when the server echoes it ([`Veil`]).

mod addresses;
mod client;
mod connections;
mod direct;
mod http1;
mod keys;
mod reply;
mod retry_after;
#[cfg(test)]
mod tests;
mod time_limit;
mod url;
mod veil;

pub use addresses::Addresses;
pub use client::{Client, Settings};
pub use keys::{check_statuses, client_settings, is_reserved};
pub use reply::{End, REPLY_LIMIT, Reply, RetryStatuses, Verdict, is_about_us};
#[cfg(test)]
pub use retry_after::retry_after;
pub use url::{join, target_url};
pub use veil::Veil;
