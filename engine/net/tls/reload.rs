//! `ServerTls`: the certificates of a listener, which may change while it runs.
//!
//! Promises
//! - Every connection is accepted with one whole configuration: certificate, key and client authorities always belong
//!   together, and no session is resumed that was begun under other authorities.
//! - What cannot be used (damaged, half written, missing, expired) changes nothing: the last good configuration stays.
//!   Each such content is reported once.
//! - The files are compared by content, so it does not matter how they are replaced: in place, by rename, or by the
//!   symbolic links of a mounted Kubernetes secret.
//! - Nothing runs unless [`ServerTls::changed`] is polled, except a read that has begun.
//!
//! Connections that are open keep what they were accepted with, as everywhere.

use super::{
    ServerTlsConfig, TlsError,
    material::{Material, Usable},
};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

/// What a listener needs for TLS.
pub struct ServerTls {
    current: Usable,
    watch: Option<Watch>,
}

struct Watch {
    source: Arc<Source>,
    every: Duration,
    next: Instant,
    /// What was seen last, good or bad; `None` when it could not be read.
    seen: Option<blake3::Hash>,
    looking: Option<JoinHandle<Seen>>,
}

struct Source {
    config: ServerTlsConfig,
    alpn: Vec<Vec<u8>>,
}

/// What a look at the files gave.
struct Seen {
    fingerprint: Option<blake3::Hash>,
    /// Nothing when it is what was seen before.
    news: Option<Result<Usable, TlsError>>,
}

/// What came of a change.
#[derive(Debug)]
pub(crate) enum Reload {
    /// From now on connections are accepted with this.
    Loaded(Arc<rustls::ServerConfig>),
    /// The old one stays.
    Failed(TlsError),
}

impl ServerTls {
    /// Reads the files for the first time.
    pub(super) fn load(config: ServerTlsConfig, alpn: Vec<Vec<u8>>) -> Result<Self, TlsError> {
        let material = Material::read(&config)?;
        let fingerprint = material.fingerprint();
        let current = material.build(config.min_version, &alpn)?;
        if current.has_expired() {
            tracing::warn!(certificate = current.place, "the certificate has expired; clients will refuse it");
        }
        drop(material);
        let has_files = config.cert_file.is_some() || config.key_file.is_some() || config.client_ca_file.is_some();
        let every = config.reload_interval.0;
        let watch = (has_files && !every.is_zero()).then(|| Watch {
            source: Arc::new(Source { config, alpn }),
            every,
            next: Instant::now() + every,
            seen: Some(fingerprint),
            looking: None,
        });
        Ok(Self { current, watch })
    }

    /// The configuration to accept connections with.
    pub fn config(&self) -> &Arc<rustls::ServerConfig> {
        &self.current.config
    }

    /// When the certificate ends, in seconds since 1970, where it tells.
    pub fn expires(&self) -> Option<i64> {
        self.current.expires
    }

    /// Returns when the files have changed. Cancel-safe: a look that has begun goes on.
    pub(crate) async fn changed(&mut self) -> Reload {
        let Some(watch) = &mut self.watch else { return std::future::pending().await };
        loop {
            match watch.look().await {
                None => {}
                Some(Ok(usable)) => {
                    self.current = usable;
                    return Reload::Loaded(Arc::clone(&self.current.config));
                }
                Some(Err(error)) => return Reload::Failed(error),
            }
        }
    }
}

impl Watch {
    /// Waits for the next time and looks at the files.
    async fn look(&mut self) -> Option<Result<Usable, TlsError>> {
        let looking = match &mut self.looking {
            Some(looking) => looking,
            None => {
                tokio::time::sleep_until(self.next).await;
                let (source, seen) = (Arc::clone(&self.source), self.seen);
                // A file may be on a network file system.
                self.looking.insert(tokio::task::spawn_blocking(move || source.look(seen)))
            }
        };
        let seen = looking.await;
        self.looking = None;
        self.next = Instant::now() + self.every;
        // Reading does not panic; if it did, the next look is as good.
        let seen = seen.ok()?;
        self.seen = seen.fingerprint;
        seen.news
    }
}

impl Source {
    fn look(&self, before: Option<blake3::Hash>) -> Seen {
        let material = match Material::read(&self.config) {
            Ok(material) => material,
            Err(error) => return Seen { fingerprint: None, news: before.is_some().then_some(Err(error)) },
        };
        let fingerprint = Some(material.fingerprint());
        if fingerprint == before {
            return Seen { fingerprint, news: None };
        }
        let usable =
            material.build(self.config.min_version, &self.alpn).and_then(|usable| match usable.has_expired() {
                true => Err(TlsError::Expired { place: usable.place }),
                false => Ok(usable),
            });
        Seen { fingerprint, news: Some(usable) }
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls").field("certificate", &self.current.place).finish_non_exhaustive()
    }
}
