//! Why there is no stream of alerts, and what to do about it.
//!
//! Told apart by type: what sockets, TLS and gRPC report is looked up in the chain of an error's causes. What a peer says is
//! shown, bounded and on one line, but decides nothing.

use super::{
    address::Address,
    stream::{Greeting, Met},
};
use lanner_engine::net::client::peer_text;
use std::{error::Error, io, path::PathBuf, time::Duration};
use tonic::{Code, Status};

/// Why a connection could not be made or did not last.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(
        "there is no socket {}; start Falco with `grpc.enabled: true` and `grpc_output.enabled: true`, or name its socket \
         in `endpoint` (before Falco 0.33 it was /var/run/falco.sock). Falco 0.44 and later has no gRPC: use its \
         `http_output` and the receiver `falco_http`", .0.display()
    )]
    NoSocket(PathBuf),
    #[error("no permission to use the socket {}; run Lanner as a user that may write to it, or change its owner or mode", .0.display())]
    Denied(PathBuf),
    #[error(
        "nothing listens at {0}; start Falco with `grpc.enabled: true` and `grpc_output.enabled: true`. Falco 0.44 and later \
         has no gRPC: use its `http_output` and the receiver `falco_http`"
    )]
    Refused(Address),
    #[error("{address} cannot be reached: {reason}")]
    Unreachable { address: Address, reason: String },
    #[error("{what} within {limit:?}")]
    Late { what: &'static str, limit: Duration },
    #[error(
        "TLS failed: {0}; check `tls.ca_file`, `tls.cert_file`, `tls.key_file` and, when the name differs, `tls.server_name_override`"
    )]
    Tls(String),
    #[error(
        "what listens there speaks HTTP/1 and is not Falco's gRPC server; `endpoint` is Falco's `grpc.bind_address`"
    )]
    Http1,
    #[error("what listens there wants TLS; write `tls` with Falco's certificates instead of `tls.insecure`")]
    WantsTls,
    #[error("what listens there does not speak gRPC; `endpoint` is Falco's `grpc.bind_address`")]
    NotGrpc,
    #[error("the server closed the connection before it said anything; is `endpoint` Falco's `grpc.bind_address`?")]
    Hangup,
    #[error(
        "the server speaks gRPC and does not have the service `falco.outputs.service`; `endpoint` is Falco's \
         `grpc.bind_address`, and Falco needs `grpc_output.enabled: true`"
    )]
    NotFalco,
    #[error(
        "Falco {0} has no gRPC output, which 0.44 removed; use its `http_output` with `json_output: true` and the receiver \
         `falco_http`"
    )]
    Removed(String),
    #[error("the stream broke: {0}")]
    Cut(String),
}

impl Failure {
    /// Whether it stays until somebody changes something.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Denied(_) | Self::Tls(_) | Self::Http1 | Self::WantsTls | Self::NotGrpc => true,
            Self::NotFalco | Self::Removed(_) => true,
            Self::NoSocket(_) | Self::Refused(_) | Self::Unreachable { .. } | Self::Late { .. } => false,
            Self::Hangup | Self::Cut(_) => false,
        }
    }

    /// What an error of connecting means.
    pub fn of_connecting(address: &Address, error: &(dyn Error + 'static)) -> Self {
        if let Some(refusal) = cause::<rustls::Error>(error) {
            return Self::Tls(refusal.to_string());
        }
        let kind = cause::<io::Error>(error).map(io::Error::kind);
        match (kind, address) {
            (Some(io::ErrorKind::NotFound), Address::Unix(path)) => Self::NoSocket(path.clone()),
            (Some(io::ErrorKind::PermissionDenied), Address::Unix(path)) => Self::Denied(path.clone()),
            (Some(io::ErrorKind::ConnectionRefused), _) => Self::Refused(address.clone()),
            _ => Self::Unreachable { address: address.clone(), reason: chain(error) },
        }
    }

    /// What the status of a call means, with what was met on its connection, which is encrypted or not.
    pub fn of_call(status: &Status, met: &Met, encrypted: bool) -> Self {
        // A server of TLS 1.3 refuses the client's certificate when the handshake is over for the client.
        if let Some(refusal) = met.refusal() {
            return Self::Tls(refusal.to_string());
        }
        match met.greeting() {
            Some(Greeting::Http2) if status.code() == Code::Unimplemented => Self::NotFalco,
            Some(Greeting::Http2) => Self::Cut(shown(status)),
            Some(Greeting::Http1) => Self::Http1,
            Some(Greeting::Tls) => Self::WantsTls,
            Some(Greeting::Other) => Self::NotGrpc,
            // Its alert may be lost when it closes with our first bytes unread.
            None if encrypted => Self::Tls(
                "the server hung up right after the handshake, as one does that refuses the client's certificate"
                    .into(),
            ),
            None => Self::Hangup,
        }
    }
}

/// The first cause of this type. An `io::Error` may hold another error that is not among its sources.
fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// A status for people: code, message and, when the connection broke, why.
fn shown(status: &Status) -> String {
    let text = match (status.message(), status.source()) {
        (message, None) => format!("{:?}: {message}", status.code()),
        (_, Some(source)) => chain(source),
    };
    peer_text(text.as_bytes())
}

/// An error with its causes, those left out that repeat what was said.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    peer_text(text.as_bytes())
}
