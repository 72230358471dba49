//! TLS, client certificates, credentials.

use super::{
    door::{Door, SOON, client, logs},
    *,
};
use crate::otlp::{
    auth::{AuthConfig, BasicConfig},
    config::{GrpcConfig, HttpConfig},
};
use lanner_engine::net::tls::ServerTlsConfig;
use lanner_proto::collector::logs::v1::logs_service_client::LogsServiceClient;
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::time::timeout;
use tonic::{
    Code,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

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

    fn identity(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Scenario: both ports with TLS and client certificates; clients with the right one, a stranger's, and none.
/// Guarantee: only the first gets in, over both protocols.
#[tokio::test]
async fn s7_client_certificates_are_asked_for() {
    let (ours, stranger) = (Authority::new(), Authority::new());
    let ca = std::env::temp_dir().join(format!("lanner-otlp-ca-{}.pem", std::process::id()));
    std::fs::write(&ca, &ours.pem).unwrap();
    let (cert, key) = ours.identity("localhost");
    let tls = ServerTlsConfig {
        cert_pem: Some(cert),
        key_pem: Some(key.into()),
        client_ca_file: Some(ca.clone()),
        ..ServerTlsConfig::default()
    };
    let grpc = GrpcConfig { tls: Some(tls.clone()), ..GrpcConfig::default() };
    let http = HttpConfig { tls: Some(tls), ..HttpConfig::default() };
    let door = Door::configured(grpc, http, Signals::ALL);
    std::fs::remove_file(ca).unwrap();
    drop(client());
    for (identity, welcome) in
        [(Some(ours.identity("sender")), true), (Some(stranger.identity("sender")), false), (None, false)]
    {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&ours.pem)).domain_name("localhost");
        let root = reqwest::Certificate::from_pem(ours.pem.as_bytes()).unwrap();
        let mut web = reqwest::Client::builder().no_proxy().tls_certs_only([root]).timeout(SOON);
        if let Some((cert, key)) = &identity {
            tls = tls.identity(Identity::from_pem(cert, key));
            web = web.identity(reqwest::Identity::from_pem(format!("{cert}{key}").as_bytes()).unwrap());
        }
        let endpoint = Endpoint::from_shared(format!("https://localhost:{}", door.grpc.port())).unwrap();
        let sent = async {
            let channel = endpoint.tls_config(tls).unwrap().connect().await.map_err(drop)?;
            LogsServiceClient::new(channel).export(logs(1)).await.map_err(drop)
        };
        assert_eq!(timeout(SOON, sent).await.unwrap().is_ok(), welcome);
        let url = format!("https://localhost:{}/v1/logs", door.http.port());
        let request = web.build().unwrap().post(url).header("content-type", "application/x-protobuf");
        let sent = request.body(logs(1).encode_to_vec()).send().await;
        assert_eq!(sent.is_ok_and(|answer| answer.status() == 200), welcome);
    }
    assert_eq!(door.taken().len(), 2);
}

/// Scenario: a bearer token on the gRPC port, a name and password on the HTTP port; right, wrong, missing, cut.
/// Guarantee: UNAUTHENTICATED and 401 before anything else, with the scheme, unless they are right; secrets do not show.
#[tokio::test]
async fn s7_credentials_are_checked() {
    let bearer = AuthConfig { bearer_token: Some("canary-token".to_owned().into()), basic: None };
    let basic = BasicConfig { username: "falco".into(), password: "canary-pass".to_owned().into() };
    let basic = AuthConfig { bearer_token: None, basic: Some(basic) };
    let grpc = GrpcConfig { auth: Some(bearer), ..GrpcConfig::default() };
    let http = HttpConfig { auth: Some(basic), ..HttpConfig::default() };
    assert!(!format!("{grpc:?}{http:?}{}", serde_json::to_string(&(&grpc, &http)).unwrap()).contains("canary"));
    let door = Door::configured(grpc, http, Signals::ALL);
    let channel = door.channel().await;
    for (shown, welcome) in [
        (Some("Bearer canary-token"), true),
        (Some("bearer  canary-token "), true),
        (Some("Bearer canary-toke"), false),
        (Some("Bearer canary-token2"), false),
        (Some("Basic canary-token"), false),
        (Some("Bearer"), false),
        (None, false),
    ] {
        let mut request = tonic::Request::new(logs(1));
        if let Some(shown) = shown {
            request.metadata_mut().insert("authorization", shown.parse().unwrap());
        }
        let answer = LogsServiceClient::new(channel.clone()).export(request).await;
        let expected = (!welcome).then_some(Code::Unauthenticated);
        assert_eq!(answer.err().map(|status| status.code()), expected, "{shown:?}");
    }
    for (password, status) in [("canary-pass", 200), ("canary", 401), ("", 401)] {
        let request = client().post(door.url("/v1/logs")).basic_auth("falco", Some(password));
        let answer = request.header("content-type", "application/json").body("{}").send().await.unwrap();
        assert_eq!(answer.status(), status);
        let scheme = answer.headers().get("www-authenticate").map(|scheme| scheme.to_str().unwrap());
        assert_eq!(scheme, (status == 401).then_some("Basic"));
    }
    assert_eq!(door.lost("unauthenticated"), 7);
    assert_eq!(door.taken().len(), 2 + 1);
}
