//! TCP with client certificates, as Falco serves it.

use super::{
    fake_falco::{FakeFalco, alert},
    running::{Running, config},
};
use crate::falco_grpc::Config;
use lanner_engine::{net::tls::ClientTlsConfig, telemetry::Status};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use std::sync::Arc;

/// A certificate authority made for one test.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key (PEM) for `name`.
    fn identity(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A server as Falco's: every client must show a certificate of this authority.
    fn server(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
        let (cert, key) = self.identity("localhost");
        let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

/// Scenario: Falco's port with the right certificate, one of a stranger, none, a server of another authority, another name,
/// and without TLS.
/// Guarantee: alerts arrive only for the first; the others are told what is wrong with TLS, as something to be changed.
#[tokio::test]
async fn only_the_right_certificate_gets_alerts() {
    let (ours, stranger) = (Authority::new(), Authority::new());
    let falco = FakeFalco::new();
    let port = falco.listen_tls(ours.server()).await;
    let tls = |ca: &Authority, identity: Option<(String, String)>| {
        let (cert_pem, key_pem) = identity.map_or((None, None), |(cert, key)| (Some(cert), Some(key.into())));
        ClientTlsConfig { ca_pem: Some(ca.pem.clone()), cert_pem, key_pem, ..ClientTlsConfig::default() }
    };
    let renamed = ClientTlsConfig {
        server_name_override: Some("falco.example".into()),
        ..tls(&ours, Some(ours.identity("lanner")))
    };
    let plaintext = ClientTlsConfig { insecure: true, ..ClientTlsConfig::default() };
    for (tls, expected) in [
        (tls(&ours, Some(stranger.identity("lanner"))), "TLS failed"),
        (tls(&ours, None), "TLS failed"),
        (tls(&stranger, Some(ours.identity("lanner"))), "TLS failed"),
        (renamed, "TLS failed"),
        (plaintext, "wants TLS"),
    ] {
        let lanner = Running::start(Config { tls: Some(tls), ..config(format!("localhost:{port}")) }).await;
        let status = lanner.status(|status| status.error().is_some_and(|error| error.contains(expected))).await;
        assert!(matches!(status, Status::Permanent(_)), "{status:?}");
        lanner.stop().await;
    }
    falco.push(alert(0));
    let tls = tls(&ours, Some(ours.identity("lanner")));
    let lanner = Running::start(Config { tls: Some(tls.clone()), ..config(format!("localhost:{port}")) }).await;
    lanner.items(1).await;
    lanner.status(|status| *status == Status::Ok).await;
    falco.cut();
    falco.push(alert(1));
    lanner.items(2).await;
    lanner.stop().await;
    // The port is closed.
    falco.kill();
    let lanner = Running::start(Config { tls: Some(tls), ..config(format!("localhost:{port}")) }).await;
    lanner.status(|status| status.error().is_some_and(|error| error.contains("nothing listens at localhost"))).await;
    lanner.stop().await;
}
