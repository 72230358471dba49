//! What tests of several receivers share: certificates, curl, sample data.

#[path = "../tests/support/data.rs"]
pub mod data;
#[path = "../tests/support/port.rs"]
pub mod port;

use lanner_engine::net::tls::ServerTlsConfig;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// Longer than anything takes that is not broken.
pub const SOON: Duration = Duration::from_secs(60);

/// A folder of this process that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lanner-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, at once.
    pub fn write(&self, name: &str, text: &str) -> String {
        let (fresh, path) = (self.0.join("fresh"), self.0.join(name));
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, &path).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A certificate authority made for one test.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of another name than its certificates, which curl would take for self-signed otherwise.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key for `localhost`.
    pub fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Mutual TLS of a listener, and what a client needs for it, in files.
pub struct MutualTls {
    _folder: Folder,
    pub server: ServerTlsConfig,
    ca: String,
    client: (String, String),
}

impl MutualTls {
    pub fn new(name: &str) -> Self {
        let (authority, folder) = (Authority::new(), Folder::new(name));
        let ((certificate, key), (client_certificate, client_key)) = (authority.issue(), authority.issue());
        let ca = folder.write("ca.pem", &authority.pem);
        let server = ServerTlsConfig {
            cert_file: Some(folder.write("server.pem", &certificate).into()),
            key_file: Some(folder.write("server.key", &key).into()),
            client_ca_file: Some(ca.clone().into()),
            ..ServerTlsConfig::default()
        };
        let client = (folder.write("client.pem", &client_certificate), folder.write("client.key", &client_key));
        Self { _folder: folder, server, ca, client }
    }

    /// curl's arguments to trust the listener.
    pub fn stranger(&self) -> Vec<&str> {
        vec!["--ipv4", "--cacert", &self.ca]
    }

    /// The same with the certificate that is asked for.
    pub fn known(&self) -> Vec<&str> {
        [self.stranger(), vec!["--cert", &self.client.0, "--key", &self.client.1]].concat()
    }
}

/// Posts a body with curl and gives back `<answer> <status> <version>`, status 000 without an answer; `None` where curl is
/// not installed.
pub async fn curl(arguments: &[&str], body: &[u8]) -> Option<String> {
    let mut child = match Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "--write-out", " %{http_code} %{http_version}"])
        .args(["--data-binary", "@-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
    {
        Ok(child) => child,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "curl: {error}");
            println!("SKIPPED: curl: {error}");
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    // It may end before it has read everything.
    let _ = stdin.write_all(body).await;
    drop(stdin);
    let output = timeout(SOON, child.wait_with_output()).await.expect("curl must end").unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
