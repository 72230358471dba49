//! What a user writes about the connection, the same in the exporter and in the receiver.

use async_nats::{ConnectOptions, ServerAddr};
use lanner_engine::{
    component::BoxError,
    config::{PlanCx, Secret},
    net::tls::{ClientTls, ClientTlsConfig},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where a server is unless told otherwise.
pub const DEFAULT_SERVER: &str = "nats://localhost:4222";
/// A cluster tells its other members by itself.
const MOST_SERVERS: usize = 64;
/// Letters of an NKey's seed.
const SEED_LETTERS: usize = 58;

/// How Lanner shows who it is, beside a certificate in `tls`: one way at most.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// A token that all clients of the server share.
    pub token: Option<Secret>,
    /// Name of a user with a password.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Seed of a user's NKey, which begins with `SU`.
    pub nkey_seed: Option<Secret>,
    /// File with a user's JWT and the seed of its NKey, as `nsc` writes it.
    pub credentials_file: Option<PathBuf>,
}

/// The keys of a component that are about the connection.
#[derive(Clone, Debug)]
pub struct ConnectionKeys {
    pub servers: Vec<String>,
    pub auth: AuthConfig,
    pub tls: ClientTlsConfig,
    pub tls_handshake_first: bool,
    pub inbox_prefix: String,
}

/// A checked connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) servers: Vec<ServerAddr>,
    pub(crate) inbox_prefix: String,
    auth: Auth,
    tls: ClientTls,
    require_tls: bool,
    tls_first: bool,
}

#[derive(Clone, Debug)]
enum Auth {
    None,
    Token(Secret),
    Password(String, Secret),
    Seed(Secret),
    File(PathBuf),
}

/// What can be wrong with the connection's keys.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("`servers` is empty; write for example `servers: [{DEFAULT_SERVER}]`")]
    NoServer,
    #[error("there are more than {MOST_SERVERS} servers; name some, a cluster tells the others")]
    TooManyServers,
    #[error("this is no address of a NATS server; write `nats://host:4222`, or `tls://host:4222` for TLS")]
    Address,
    #[error("an address is shown in logs and must not hold a user or a token; write them under `auth`")]
    CredentialsInAddress,
    #[error(
        "there are several ways to log in; keep one of `token`, `username` with `password`, `nkey_seed`, `credentials_file`"
    )]
    TwoWays,
    #[error("`username` and `password` belong together; set both")]
    HalfPassword,
    #[error("this is no seed of a user's NKey; it has {SEED_LETTERS} letters and begins with `SU`")]
    Seed,
    #[error(
        "this is no prefix of a subject; write words of letters, digits, `-` and `_` with dots between them, for example `_INBOX`"
    )]
    InboxPrefix,
    #[error("the token or password would cross the network to {0} in plain text; write `tls://`, or use `nkey_seed`")]
    PlainSecret(String),
}

/// Credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the credentials file {path} cannot be used: {reason}; write it with `nsc generate creds`")]
struct BadCredentials {
    path: String,
    reason: String,
}

/// Whether `text` is one or more words with dots between them that no server could misread.
pub fn is_plain_subject(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_$".contains(&byte))
    };
    text.len() <= 512 && text.split('.').all(word)
}

impl ConnectionKeys {
    /// Checks the keys and reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Connection> {
        let mut sound = true;
        let mut refuse = |cx: &mut PlanCx<'_>, path: &str, problem: Problem| {
            cx.error(path, problem);
            sound = false;
        };
        if self.servers.is_empty() {
            refuse(cx, "servers", Problem::NoServer);
        }
        if self.servers.len() > MOST_SERVERS {
            refuse(cx, "servers", Problem::TooManyServers);
        }
        let mut servers = Vec::new();
        for (index, written) in self.servers.iter().enumerate() {
            match address(written) {
                Ok(server) => servers.push(server),
                Err(problem) => refuse(cx, &format!("servers[{index}]"), problem),
            }
        }
        let AuthConfig { token, username, password, nkey_seed, credentials_file } = self.auth;
        if username.is_some() != password.is_some() {
            refuse(cx, "auth", Problem::HalfPassword);
        }
        if nkey_seed.as_ref().is_some_and(|seed| !is_seed(seed.expose())) {
            refuse(cx, "auth.nkey_seed", Problem::Seed);
        }
        let mut ways: Vec<Auth> = Vec::new();
        ways.extend(token.map(Auth::Token));
        ways.extend(username.zip(password).map(|(name, password)| Auth::Password(name, password)));
        ways.extend(nkey_seed.map(Auth::Seed));
        ways.extend(credentials_file.map(Auth::File));
        if ways.len() > 1 {
            refuse(cx, "auth", Problem::TwoWays);
        }
        let auth = ways.pop().unwrap_or(Auth::None);
        if !is_plain_subject(&self.inbox_prefix) {
            refuse(cx, "inbox_prefix", Problem::InboxPrefix);
        }
        let certificate = self.tls.ca_file.is_some() || self.tls.ca_pem.is_some() || self.tls.cert_file.is_some();
        let tls = self.tls.check("tls", cx);
        let require_tls = certificate || self.tls_handshake_first;
        let far = |server: &&ServerAddr| !server.tls_required() && !is_this_machine(server.host());
        if let (Auth::Token(_) | Auth::Password(..), false) = (&auth, require_tls)
            && let Some(server) = servers.iter().find(far)
        {
            cx.warning("auth", Problem::PlainSecret(server.host().to_owned()));
        }
        let (inbox_prefix, tls_first) = (self.inbox_prefix, self.tls_handshake_first);
        let connection = Connection { servers, inbox_prefix, auth, tls: tls?.required(), require_tls, tls_first };
        sound.then_some(connection)
    }
}

fn address(written: &str) -> Result<ServerAddr, Problem> {
    let server: ServerAddr = written.parse().map_err(|_| Problem::Address)?;
    if server.has_user_pass() || server.password().is_some() {
        return Err(Problem::CredentialsInAddress);
    }
    let known = matches!(server.scheme(), "nats" | "tls") && !server.host().is_empty();
    known.then_some(server).ok_or(Problem::Address)
}

fn is_seed(seed: &str) -> bool {
    seed.len() == SEED_LETTERS && seed.starts_with("SU") && seed.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Connection {
    /// Reads certificates and credentials; connects to nothing.
    ///
    /// # Errors
    /// A file cannot be read or is not what it should be.
    pub(crate) fn options(&self) -> Result<ConnectOptions, BoxError> {
        let options = ConnectOptions::new();
        let mut options = match &self.auth {
            Auth::None => options,
            Auth::Token(token) => options.token(token.expose().to_owned()),
            Auth::Password(name, password) => options.user_and_password(name.clone(), password.expose().to_owned()),
            Auth::Seed(seed) => options.nkey(seed.expose().to_owned()),
            Auth::File(path) => {
                let bad = |reason: std::io::Error| BadCredentials {
                    path: path.display().to_string(),
                    reason: reason.to_string(),
                };
                options.credentials(&std::fs::read_to_string(path).map_err(bad)?).map_err(bad)?
            }
        };
        // Also for a server that asks for TLS unasked: the library's own configuration would be another one.
        if let Some(tls) = self.tls.load()? {
            options = options.tls_client_config(tls);
        }
        if self.tls_first {
            options = options.tls_first();
        }
        Ok(options.require_tls(self.require_tls).custom_inbox_prefix(&self.inbox_prefix))
    }
}
