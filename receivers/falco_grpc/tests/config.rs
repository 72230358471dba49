//! Configuration.

use crate::falco_grpc::{Address, Config, FalcoGrpc};
use lanner_engine::{
    component::Component,
    config::{Duration, plan_body},
    net::tls::ClientTlsConfig,
    testing::planning,
};

fn findings(config: Config) -> Vec<String> {
    let (plan, findings) = planning(|cx| FalcoGrpc::plan(config, cx));
    let texts: Vec<String> = findings.iter().map(|finding| format!("{finding:?}")).collect();
    assert_eq!(plan.is_none(), texts.iter().any(|text| text.contains("Error")), "{texts:?}");
    texts
}

/// Scenario: endpoints as Falco's documentation writes them, and texts that are none.
/// Guarantee: the former are read, the latter refused.
#[test]
fn endpoints_are_falcos_bind_addresses() {
    let socket = Address::Unix("/run/falco/falco.sock".into());
    for text in ["unix:///run/falco/falco.sock", "unix:/run/falco/falco.sock"] {
        assert_eq!(text.parse(), Ok(socket.clone()));
    }
    assert_eq!("falco.svc:5060".parse(), Ok(Address::Tcp { host: "falco.svc".into(), port: 5060 }));
    assert_eq!("[::1]:5060".parse(), Ok(Address::Tcp { host: "[::1]".into(), port: 5060 }));
    for text in ["", "unix://", "unix://falco.sock", "falco", "falco:0", "http://falco:5060", "a@falco:5060", "falco:x"]
    {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
}

/// Scenario: each thing that can be wrong; the default.
/// Guarantee: one finding each, several in one run, none for the default.
#[test]
fn every_mistake_is_reported() {
    assert!(findings(Config::default()).is_empty());
    let tcp = || Config { endpoint: "falco:5060".into(), ..Config::default() };
    let tls = |change: fn(&mut ClientTlsConfig)| {
        let mut tls = ClientTlsConfig::default();
        change(&mut tls);
        Some(tls)
    };
    for (config, said) in [
        (Config { endpoint: "falco".into(), ..Config::default() }, "no address"),
        (tcp(), "client certificates only"),
        (Config { tls: tls(|_| ()), ..tcp() }, "without a certificate"),
        (Config { tls: tls(|_| ()), ..Config::default() }, "no meaning"),
        (Config { interval: Duration::from_millis(9), ..Config::default() }, "10ms to 1m"),
        (Config { interval: Duration::from_secs(61), ..Config::default() }, "10ms to 1m"),
        (Config { max_recv_msg_size_mib: 0, ..Config::default() }, "is 0"),
        (Config { max_recv_msg_size_mib: 65, ..Config::default() }, "is 65"),
        (Config { tls: tls(|tls| tls.cert_file = Some("x".into())), ..tcp() }, "belong together"),
    ] {
        let found = findings(config);
        assert!(found.len() == 1 && found[0].contains(said), "{said}: {found:?}");
    }
    assert!(findings(Config { tls: tls(|tls| tls.insecure = true), ..tcp() }).is_empty());
    let wrong =
        Config { endpoint: "x".into(), interval: Duration::default(), max_recv_msg_size_mib: 0, ..Config::default() };
    assert_eq!(findings(wrong).len(), 3);
}

/// Scenario: the configurations that the README tells users to copy, and one with a misspelled key.
/// Guarantee: the former are planned without a finding, the latter is refused.
#[test]
fn the_readme_is_right() {
    let factory = lanner_engine::component::Factory::receiver::<FalcoGrpc>();
    let mut bodies = 0;
    for block in FalcoGrpc::README.split("```yaml\n").skip(1) {
        let (_, rest) = block.split_once("  falco_grpc:\n").unwrap();
        let lines: Vec<&str> = rest.lines().map_while(|line| line.strip_prefix("    ")).collect();
        let trial = plan_body(&factory, &lines.join("\n"));
        assert!(trial.planned.is_some() && trial.findings.is_empty(), "{}", trial.rendered());
        bodies += 1;
    }
    assert_eq!(bodies, 2);
    assert!(!plan_body(&factory, "endpont: unix:///run/falco/falco.sock").findings.is_empty());
}
