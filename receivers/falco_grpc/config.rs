//! What a user writes, and what is checked of it.

use super::address::{Address, InvalidAddress};
use lanner_engine::{
    config::Duration,
    net::tls::{ClientTls, ClientTlsConfig},
    prelude::*,
    semantics::MappingOptions,
};
use std::ops::RangeInclusive;

/// Falco's default since 0.33; before, it was `/var/run/falco.sock`.
const SOCKET: &str = "unix:///run/falco/falco.sock";
/// How often may be asked: Falco's threads are few, and an alert should not wait for minutes.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
/// Alerts are far smaller; the number bounds memory.
const MESSAGE_MIB: RangeInclusive<u32> = 1..=64;

/// Takes alerts from the gRPC server of Falco 0.24 to 0.43.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Falco's `grpc.bind_address`: `unix:///path` or `host:port`.
    pub endpoint: String,
    /// Certificates for `host:port`; Falco asks every TCP client for one.
    pub tls: Option<ClientTlsConfig>,
    /// How alerts are asked for.
    pub method: Method,
    /// How often they are asked for, 10ms to 1m.
    pub interval: Duration,
    /// Largest alert in MiB; a larger one is skipped and counted.
    #[schemars(range(min = 1, max = 64))]
    pub max_recv_msg_size_mib: u32,
    /// How alerts become OpenTelemetry records.
    pub semantics: MappingOptions,
}

/// Falco's two methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// One stream for as long as it lasts, with a request every `interval`.
    #[default]
    Sub,
    /// A call every `interval`.
    Get,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: SOCKET.into(),
            tls: None,
            method: Method::Sub,
            interval: Duration::from_secs(1),
            max_recv_msg_size_mib: 4,
            semantics: MappingOptions::default(),
        }
    }
}

/// A checked config.
#[derive(Clone, Debug)]
pub struct Plan {
    pub address: Address,
    /// `None` is plaintext.
    pub tls: Option<ClientTls>,
    pub method: Method,
    pub interval: std::time::Duration,
    /// In bytes.
    pub max_message: usize,
    pub semantics: MappingOptions,
}

/// What can be wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    #[error(
        "Falco serves TCP with client certificates only, and there is no `tls`; set `tls.ca_file`, `tls.cert_file` and \
         `tls.key_file` (Falco's example has them in /etc/falco/certs), or `tls.insecure: true` for a tunnel"
    )]
    NoTls,
    #[error(
        "Falco refuses TCP clients without a certificate, and `tls` names none; set `tls.cert_file` and `tls.key_file`"
    )]
    NoIdentity,
    #[error("`tls` has no meaning for a Unix socket; remove it, or write `endpoint: host:5060`")]
    TlsOnSocket,
    #[error("`interval` is outside of 10ms to 1m; write for example `interval: 1s`")]
    Interval,
    #[error("`max_recv_msg_size_mib` is {0}; choose 1 to 64")]
    MessageSize(u32),
}

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut sound = true;
        let mut refuse = |cx: &mut PlanCx<'_>, path: &str, problem: Problem| {
            cx.error(path, problem);
            sound = false;
        };
        let address = match self.endpoint.parse::<Address>() {
            Ok(address) => Some(address),
            Err(invalid) => {
                refuse(cx, "endpoint", invalid.into());
                None
            }
        };
        if !INTERVAL.contains(&self.interval) {
            refuse(cx, "interval", Problem::Interval);
        }
        if !MESSAGE_MIB.contains(&self.max_recv_msg_size_mib) {
            refuse(cx, "max_recv_msg_size_mib", Problem::MessageSize(self.max_recv_msg_size_mib));
        }
        let tls = match (&address, self.tls) {
            (Some(Address::Unix(_)), Some(_)) => {
                refuse(cx, "tls", Problem::TlsOnSocket);
                None
            }
            (Some(Address::Tcp { .. }), None) => {
                refuse(cx, "endpoint", Problem::NoTls);
                None
            }
            (_, None) => None,
            (_, Some(tls)) => {
                let anonymous = tls.cert_file.is_none() && tls.cert_pem.is_none();
                // When the check fails it has said why.
                let tls = tls.check("tls", cx)?;
                if anonymous && !tls.is_plaintext() {
                    cx.warning("tls", Problem::NoIdentity);
                }
                Some(tls).filter(|tls| !tls.is_plaintext())
            }
        };
        if !sound {
            return None;
        }
        Some(Plan {
            address: address?,
            tls,
            method: self.method,
            interval: self.interval.0,
            max_message: (self.max_recv_msg_size_mib as usize) << 20,
            semantics: self.semantics,
        })
    }
}
