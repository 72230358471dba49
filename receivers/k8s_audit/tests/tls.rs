//! HTTPS with client certificates, with curl where it is installed.

use super::{
    door::{EVENT, SOON},
    *,
};
use lanner_engine::net::tls::ServerTlsConfig;
use std::process::Stdio;
use tokio::{io::AsyncWriteExt, process::Command};

/// Scenario: curl with the client certificate that is asked for, and without one.
/// Guarantee: only the first is let in, over HTTP/2.
#[tokio::test]
async fn mutual_tls_keeps_others_out() {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = authority.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, key);
    let issue = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    let folder = std::env::temp_dir().join(format!("lanner-k8s-audit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let ((server_cert, server_key), (client_cert, client_key)) = (issue(), issue());
    let ca = file("ca.pem", &ca);
    let tls = ServerTlsConfig {
        cert_pem: Some(server_cert),
        key_pem: Some(server_key.into()),
        client_ca_file: Some(ca.clone().into()),
        ..ServerTlsConfig::default()
    };
    let door = Door::open(Config { tls: Some(tls), ..Config::default() }).await;
    let url = format!("https://localhost:{}/k8s-audit", door.address.port());
    let (certificate, key) = (file("client.pem", &client_cert), file("client.key", &client_key));
    let common = ["--ipv4", "--cacert", &ca, "-H", "content-type: application/json", "--data-binary", "@-", &url];
    let without = curl(&common).await;
    let with = curl(&[&common[..], &["--cert", &certificate, "--key", &key]].concat()).await;
    std::fs::remove_dir_all(&folder).unwrap();
    if let (Some(without), Some(with)) = (without, with) {
        assert_eq!(without, "000");
        assert!(with == "{}200 2" || with == "{}200 1.1", "{with}");
        assert_eq!(door.capture.records().len(), 1);
    }
}

/// Posts an event with curl and gives back body, status and version; `None` where curl is not installed.
async fn curl(arguments: &[&str]) -> Option<String> {
    let mut child = match Command::new("curl")
        .args(["--silent", "--noproxy", "*", "--write-out", "%{http_code} %{http_version}"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: curl: {error}");
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(EVENT.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await.expect("curl must end").unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(if text.starts_with("000") { "000".into() } else { text })
}
