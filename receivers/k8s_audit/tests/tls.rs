//! HTTPS with client certificates, with curl where it is installed.

use super::{door::EVENT, *};
use crate::testing::{MutualTls, curl};

/// Scenario: curl with the client certificate that is asked for, and without one.
/// Guarantee: only the first is let in, over HTTP/2.
#[tokio::test]
async fn mutual_tls_keeps_others_out() {
    let tls = MutualTls::new("k8s-audit");
    let door = Door::open(Config { tls: Some(tls.server.clone()), ..Config::default() }).await;
    let url = format!("https://localhost:{}/k8s-audit", door.address.port());
    let request = ["-H", "content-type: application/json", &url];
    let without = curl(&[tls.stranger(), request.to_vec()].concat(), EVENT.as_bytes()).await;
    let with = curl(&[tls.known(), request.to_vec()].concat(), EVENT.as_bytes()).await;
    if let (Some(without), Some(with)) = (without, with) {
        assert!(without.starts_with(" 000 "), "{without}");
        assert!(with == "{} 200 2" || with == "{} 200 1.1", "{with}");
        assert_eq!(door.capture.records().len(), 1);
    }
}
