//! A certificate authority of a test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// One that nobody knows.
    pub fn new() -> Self {
        let mut params = named("authority", Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A key and a certificate for this host, in this order.
    pub fn issue(&self, host: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let certificate = named(host, vec![host.to_owned()]).signed_by(&key, &self.issuer).unwrap();
        key.serialize_pem() + &certificate.pem()
    }
}

/// OpenSSL takes a certificate whose subject is its issuer for one that signed itself.
fn named(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
