//! `Access`: who may send, by bearer token.
//!
//! Promises
//! - Tokens are kept and compared as BLAKE3 digests in constant time, and all of them are compared, so that the time of an
//!   answer tells nothing about any of them.
//! - A token in a file is good from the next look at it on; the one before is good no longer. A file that has become
//!   unreadable, empty or several tokens leaves the one before in force, is logged once and counted.

use super::config::TokenConfig;
use http::{HeaderMap, header::AUTHORIZATION};
use lanner_engine::{
    config::Secret,
    telemetry::{Counter, Telemetry},
};
use parking_lot::RwLock;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A request head is not larger.
const MAX_TOKEN: usize = 16 << 10;

/// The tokens of a receiver. Without any, everybody may send.
pub(super) struct Access {
    grants: Vec<Grant>,
    loaded: Counter,
    failed: Counter,
}

struct Grant {
    digest: RwLock<blake3::Hash>,
    file: Option<TokenFile>,
    cluster: Option<String>,
}

struct TokenFile {
    path: PathBuf,
    /// What was there last, good or bad; `None` when it could not be read.
    seen: RwLock<Option<blake3::Hash>>,
}

/// A token file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadTokenFile {
    #[error("cannot read the token in {}: {source}; check the path and that this user may read it", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no token; write one line with a long random text", path.display())]
    Empty { path: PathBuf },
    #[error("{} holds more than one token; give each a file, and each file an entry of `tokens`", path.display())]
    Several { path: PathBuf },
}

/// Whether a request is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted,
    /// No token, or none that is known.
    Unknown,
    /// The token is for another cluster.
    Elsewhere,
}

impl Access {
    /// Reads token files for the first time.
    ///
    /// # Errors
    /// One cannot be used.
    pub fn open(tokens: &[TokenConfig], telemetry: &Telemetry, receiver: &str) -> Result<Self, BadTokenFile> {
        let grant = |token: &TokenConfig| {
            let (digest, file) = match &token.token_file {
                None => (blake3::hash(token.token.as_ref().map_or("", Secret::expose).as_bytes()), None),
                Some(path) => {
                    let bytes = read(path)?;
                    let seen = RwLock::new(Some(blake3::hash(&bytes)));
                    (digest_of(&bytes, path)?, Some(TokenFile { path: path.clone(), seen }))
                }
            };
            Ok(Grant { digest: RwLock::new(digest), file, cluster: token.cluster.clone() })
        };
        let grants: Vec<Grant> = tokens.iter().map(grant).collect::<Result<_, _>>()?;
        let reloads = |outcome| {
            if grants.iter().all(|grant| grant.file.is_none()) {
                return Counter::default();
            }
            let help = "Changes of token files, by outcome; after one that failed the token before stays good.";
            let labels = [("receiver", receiver), ("outcome", outcome)];
            telemetry.counter("lanner_receiver_token_reloads", help, "{reload}", &labels)
        };
        let (loaded, failed) = (reloads("loaded"), reloads("failed"));
        Ok(Self { grants, loaded, failed })
    }

    pub fn check(&self, headers: &HeaderMap, cluster: Option<&str>) -> Verdict {
        if self.grants.is_empty() {
            return Verdict::Granted;
        }
        let token = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        let digest = blake3::hash(token.unwrap_or_default());
        let mut verdict = Verdict::Unknown;
        for grant in &self.grants {
            // `Hash` compares in constant time.
            if *grant.digest.read() == digest && token.is_some() && verdict != Verdict::Granted {
                let fits = grant.cluster.is_none() || grant.cluster.as_deref() == cluster;
                verdict = if fits { Verdict::Granted } else { Verdict::Elsewhere };
            }
        }
        verdict
    }

    /// Looks at the token files again and again; never returns. Dropping it ends the looking.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        if self.grants.iter().all(|grant| grant.file.is_none()) {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(every).await;
            let access = Arc::clone(&self);
            // A file may be on a network file system.
            let look = tokio::task::spawn_blocking(move || access.grants.iter().for_each(|grant| access.look(grant)));
            if let Err(error) = look.await {
                tracing::error!(%error, "the token files could not be looked at");
            }
        }
    }

    fn look(&self, grant: &Grant) {
        let Some(file) = &grant.file else { return };
        let found = read(&file.path);
        let seen = found.as_ref().ok().map(|bytes| blake3::hash(bytes));
        if std::mem::replace(&mut *file.seen.write(), seen) == seen {
            return;
        }
        match found.and_then(|bytes| digest_of(&bytes, &file.path)) {
            Ok(digest) => {
                *grant.digest.write() = digest;
                self.loaded.add(1);
                tracing::info!(file = %file.path.display(), "the token has changed");
            }
            Err(error) => {
                self.failed.add(1);
                tracing::error!(%error, "the token file has changed and cannot be used; the token before stays good");
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BadTokenFile> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_TOKEN as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > MAX_TOKEN {
            return Err(io::Error::other("larger than 16 KiB"));
        }
        Ok(bytes)
    };
    read().map_err(|source| BadTokenFile::Read { path: path.to_owned(), source })
}

/// The digest of the token in a file; blanks around it do not belong to it.
fn digest_of(bytes: &[u8], path: &Path) -> Result<blake3::Hash, BadTokenFile> {
    let token = bytes.trim_ascii();
    if token.is_empty() {
        return Err(BadTokenFile::Empty { path: path.to_owned() });
    }
    if token.iter().any(u8::is_ascii_whitespace) {
        return Err(BadTokenFile::Several { path: path.to_owned() });
    }
    Ok(blake3::hash(token))
}

/// The token of an `Authorization` header.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}
