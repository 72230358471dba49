//! Real TLS connections: client certificates, and files that change while the listener runs.

use super::*;
use crate::{
    config::Duration as Every,
    net::tls::{Pem, ServerTlsConfig},
    telemetry::Telemetry,
};
use std::path::PathBuf;

struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    /// Certificate and key as PEM.
    fn issue(&self) -> (String, String) {
        self.issue_until(4000)
    }

    /// One that ends with the first day of a year.
    fn issue_until(&self, year: i32) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A certificate of this authority that ended in 2020.
    fn issue_expired(&self) -> (String, String) {
        self.issue_until(2020)
    }
}

/// A client that trusts `authority` and shows `client`; it resumes its sessions.
fn client(authority: &Authority, client: Option<(String, String)>) -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(Pem::inline(&authority.pem, "ca").authorities().unwrap());
    Arc::new(match client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                Pem::inline(&certificate, "cert").certificates().unwrap(),
                Pem::inline(&key, "key").private_key().unwrap(),
            )
            .unwrap(),
    })
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

async fn connect(address: SocketAddr, config: &Arc<rustls::ClientConfig>) -> io::Result<Stream> {
    let stream = TcpStream::connect(address).await?;
    let name = "localhost".try_into().unwrap();
    tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

async fn ask(stream: &mut Stream) -> io::Result<String> {
    stream.write_all(GET).await?;
    let mut text = Vec::new();
    while !text.ends_with(b"hello") {
        if timeout(SOON, stream.read_buf(&mut text)).await.expect("an answer or an end")? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn over_tls(address: SocketAddr, config: &Arc<rustls::ClientConfig>) -> io::Result<String> {
    ask(&mut connect(address, config).await?).await
}

/// Scenario: S7: mTLS; clients with the right certificate, none, one of another authority, and one that has expired.
/// Guarantee: only the first is served; the others are counted.
#[tokio::test]
async fn mutual_tls_lets_only_its_clients_in() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.issue();
    let folder = std::env::temp_dir().join(format!("lanner-mtls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, &ours.pem).unwrap();
    let config = ServerTlsConfig {
        cert_pem: Some(certificate),
        key_pem: Some(key.into()),
        client_ca_file: Some(ca),
        ..ServerTlsConfig::default()
    };
    let tls = config.load(&[b"http/1.1"]).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let telemetry = crate::telemetry::Telemetry::default();
    let server = HttpServer::bind(&ListenAddress::localhost(0), Some(tls), Limits::default())
        .unwrap()
        .with_counters(ServerCounters::register(&telemetry, &[]));
    let address = server.local_addr().unwrap();
    let requests = async {
        assert!(over_tls(address, &client(&ours, Some(ours.issue()))).await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(over_tls(address, &client(&ours, None)).await.is_err());
        assert!(over_tls(address, &client(&ours, Some(other.issue()))).await.is_err());
        assert!(over_tls(address, &client(&ours, Some(ours.issue_expired()))).await.is_err());
    };
    tokio::select! {
        () = server.serve(hello, Drain::new()) => unreachable!("serves until drained"),
        () = requests => {}
    }
    assert_eq!(cut(&telemetry, "tls_handshake"), 3);
}

/// Scenario: a key that belongs to another certificate, a file without a key, a missing file.
/// Guarantee: errors that name the place and the remedy, and never show the key.
#[test]
fn bad_certificates_are_explained() {
    let authority = Authority::new();
    let (certificate, _) = authority.issue();
    let (_, other_key) = authority.issue();
    let load = |key: String| {
        ServerTlsConfig { cert_pem: Some(certificate.clone()), key_pem: Some(key.into()), ..Default::default() }
            .load(&[])
            .unwrap_err()
            .to_string()
    };
    assert!(load(other_key).contains("belong to each other"));
    assert!(load(certificate.clone()).contains("`key_pem` holds no private key"));
    let missing = ServerTlsConfig { cert_file: Some("no/such.pem".into()), ..Default::default() };
    assert!(missing.load(&[]).unwrap_err().to_string().contains("no/such.pem"));
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lanner-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let (fresh, path) = (self.0.join("fresh"), self.0.join(name));
        std::fs::write(&fresh, text).unwrap();
        // At once: half a file would be one more content to refuse.
        std::fs::rename(fresh, &path).unwrap();
        path
    }

    /// Replaces certificate and key at once, as the kubelet does for a mounted secret.
    fn mount(&self, version: &str, (certificate, key): &(String, String)) -> (PathBuf, PathBuf) {
        std::fs::create_dir_all(self.0.join(version)).unwrap();
        self.write(&format!("{version}/tls.crt"), certificate);
        self.write(&format!("{version}/tls.key"), key);
        let (link, fresh) = (self.0.join("..data"), self.0.join("..fresh"));
        std::os::unix::fs::symlink(version, &fresh).unwrap();
        std::fs::rename(fresh, &link).unwrap();
        (link.join("tls.crt"), link.join("tls.key"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A listener in a task of its own.
struct Served {
    address: SocketAddr,
    telemetry: Telemetry,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    fn new(tls: &ServerTlsConfig) -> Self {
        let telemetry = Telemetry::default();
        let tls = tls.load(&[b"http/1.1"]).unwrap();
        let server = HttpServer::bind(&ListenAddress::localhost(0), Some(tls), Limits::default())
            .unwrap()
            .with_counters(ServerCounters::register(&telemetry, &[]));
        let address = server.local_addr().unwrap();
        Self { address, telemetry, task: tokio::spawn(server.serve(hello, Drain::new())) }
    }

    fn value(&self, metric: &str, label: &str) -> i64 {
        let Some(metric) = self.telemetry.metric(metric) else { return 0 };
        let of_label = |labels: &[(_, String)]| label.is_empty() || labels.iter().any(|(_, value)| value == label);
        metric.series.iter().filter(|(labels, _)| of_label(labels)).map(|(_, value)| value).sum()
    }

    /// Waits until so many changes were noticed.
    async fn reloads(&self, outcome: &str, count: i64) {
        let look = async {
            while self.value("lanner_http_server_tls_reloads", outcome) < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(SOON, look).await.expect("the change must be noticed");
        assert_eq!(self.value("lanner_http_server_tls_reloads", outcome), count);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const OFTEN: Every = Every::from_millis(10);

/// Scenario: certificate and key are replaced by those of another authority, as in a mounted secret.
/// Guarantee: new connections get the new ones, and only those; a connection from before goes on; the expiry is told.
#[tokio::test]
async fn renewed_certificates_are_used() {
    let (before, after) = (Authority::new(), Authority::new());
    let folder = Folder::new("tls-renewed");
    let (cert, key) = folder.mount("1", &before.issue());
    let tls = ServerTlsConfig {
        cert_file: Some(cert),
        key_file: Some(key),
        reload_interval: OFTEN,
        ..ServerTlsConfig::default()
    };
    let served = Served::new(&tls);
    let (old, new) = (client(&before, None), client(&after, None));
    let mut kept = connect(served.address, &old).await.unwrap();
    ask(&mut kept).await.unwrap();
    assert!(over_tls(served.address, &new).await.is_err());
    let year_4000 = rcgen::date_time_ymd(4000, 1, 1).unix_timestamp();
    assert_eq!(served.value("lanner_http_server_certificate_expiry", ""), year_4000);

    folder.mount("2", &after.issue_until(3000));
    served.reloads("loaded", 1).await;
    assert!(over_tls(served.address, &new).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(over_tls(served.address, &client(&before, None)).await.is_err());
    ask(&mut kept).await.expect("open connections go on");
    let year_3000 = rcgen::date_time_ymd(3000, 1, 1).unix_timestamp();
    assert_eq!(served.value("lanner_http_server_certificate_expiry", ""), year_3000);
    assert_eq!(served.value("lanner_http_server_tls_reloads", "failed"), 0);
}

/// Scenario: the certificate becomes damaged, does not fit its key, disappears; then key and certificate are good again.
/// Guarantee: each is counted once and the last good one stays in use; the good one is taken.
#[tokio::test]
async fn unusable_files_change_nothing() {
    let authority = Authority::new();
    let folder = Folder::new("tls-unusable");
    let write =
        |(certificate, key): (String, String)| (folder.write("tls.crt", &certificate), folder.write("tls.key", &key));
    let (cert, key) = write(authority.issue());
    let tls = ServerTlsConfig {
        cert_file: Some(cert.clone()),
        key_file: Some(key),
        reload_interval: OFTEN,
        ..ServerTlsConfig::default()
    };
    let served = Served::new(&tls);
    let client = client(&authority, None);
    let (good, right_key) = authority.issue();
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let spoilt: [&dyn Fn(); 3] =
        [&|| drop(folder.write("tls.crt", damaged)), &|| drop(folder.write("tls.crt", &good)), &|| {
            std::fs::remove_file(&cert).unwrap()
        }];
    for (index, spoil) in spoilt.iter().enumerate() {
        spoil();
        served.reloads("failed", index as i64 + 1).await;
        assert!(over_tls(served.address, &client).await.is_ok(), "change {index}");
    }
    folder.write("tls.key", &right_key);
    folder.write("tls.crt", &good);
    served.reloads("loaded", 1).await;
    assert!(over_tls(served.address, &client).await.is_ok());
    served.reloads("failed", 3).await;
}

/// Scenario: certificate and key are replaced by ones that fit each other and have expired.
/// Guarantee: the expired one is not taken, whatever else is right about it.
#[tokio::test]
async fn an_expired_certificate_is_not_taken() {
    let authority = Authority::new();
    let folder = Folder::new("tls-expired");
    let (cert, key) = folder.mount("1", &authority.issue());
    let tls = ServerTlsConfig {
        cert_file: Some(cert),
        key_file: Some(key),
        reload_interval: OFTEN,
        ..ServerTlsConfig::default()
    };
    let served = Served::new(&tls);
    folder.mount("2", &authority.issue_expired());
    served.reloads("failed", 1).await;
    assert!(over_tls(served.address, &client(&authority, None)).await.is_ok());
}

/// Scenario: S7: the authorities of client certificates are replaced; clients of both come, one of them with a session
/// from before.
/// Guarantee: only clients of the new authority are let in; a session from before lets nobody in.
#[tokio::test]
async fn other_client_authorities_are_used() {
    let (server, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let folder = Folder::new("tls-client-ca");
    let (cert_pem, key_pem) = server.issue();
    let ca = folder.write("ca.pem", &before.pem);
    let tls = ServerTlsConfig {
        cert_pem: Some(cert_pem),
        key_pem: Some(key_pem.into()),
        client_ca_file: Some(ca),
        reload_interval: OFTEN,
        ..ServerTlsConfig::default()
    };
    let served = Served::new(&tls);
    let (old, new) = (client(&server, Some(before.issue())), client(&server, Some(after.issue())));
    let mut first = connect(served.address, &old).await.unwrap();
    ask(&mut first).await.unwrap();
    let mut resumed = connect(served.address, &old).await.unwrap();
    ask(&mut resumed).await.unwrap();
    assert_eq!(resumed.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed), "or nothing is shown here");
    assert!(over_tls(served.address, &new).await.is_err());

    folder.write("ca.pem", &after.pem);
    served.reloads("loaded", 1).await;
    assert!(over_tls(served.address, &new).await.is_ok());
    assert!(over_tls(served.address, &old).await.is_err());
}

/// Scenario: `reload_interval: 0s`, and certificates given as text.
/// Guarantee: nothing is looked at; too short an interval is refused with the remedy.
#[tokio::test(start_paused = true)]
async fn nothing_is_watched_unless_asked_for() {
    let folder = Folder::new("tls-unwatched");
    let (cert, key) = folder.mount("1", &Authority::new().issue());
    let never = ServerTlsConfig {
        cert_file: Some(cert),
        key_file: Some(key),
        reload_interval: Every::default(),
        ..ServerTlsConfig::default()
    };
    let (cert_pem, key_pem) = Authority::new().issue();
    let text = ServerTlsConfig {
        cert_pem: Some(cert_pem),
        key_pem: Some(key_pem.into()),
        reload_interval: OFTEN,
        ..ServerTlsConfig::default()
    };
    for config in [never, text.clone()] {
        let mut tls = config.load(&[]).unwrap();
        folder.mount("2", &Authority::new().issue());
        assert!(timeout(Duration::from_secs(3600), tls.changed()).await.is_err());
    }
    let (_, findings) = crate::testing::planning(|cx| text.check("tls", cx));
    assert!(format!("{findings:?}").contains("write at least `1s`"), "{findings:?}");
}
