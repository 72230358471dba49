//! Configuration and selection.

use crate::docker_logs::{
    config::{Config, Filter},
    engine_api::Endpoint,
    select::{Candidate, own_container},
};
use std::collections::HashMap;

fn problems(config: Config) -> Vec<String> {
    let mut found = Vec::new();
    let checked = config.check(|path, problem| found.push(format!("{path}: {problem}")));
    assert_eq!(checked.is_none(), !found.is_empty());
    found
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn container(name: &str, image: &str, labels: &[(&str, &str)]) -> Candidate {
    let labels: HashMap<_, _> = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    Candidate { id: format!("{name:0>64}"), name: name.to_owned(), image: image.to_owned(), labels }
}

/// Scenario: everything that can be wrong is wrong.
/// Guarantee: each mistake is reported at its place, in one run.
#[test]
fn every_mistake_is_reported() {
    let config = Config {
        endpoint: Some("npipe://docker".into()),
        include: Filter { names: texts(&["falco", "[a"]), ..Filter::default() },
        exclude: Filter { labels: texts(&["=x", "a={"]), images: texts(&[""]), ..Filter::default() },
        streams: Vec::new(),
        max_containers: 0,
        ..Config::default()
    };
    let found = problems(config);
    let places: Vec<&str> = found.iter().filter_map(|problem| problem.split_once(": ")).map(|(path, _)| path).collect();
    let expected = [
        "endpoint",
        "include.names[1]",
        "exclude.images[0]",
        "exclude.labels[0]",
        "exclude.labels[1]",
        "streams",
        "max_containers",
    ];
    assert_eq!(places, expected);
}

/// Scenario: the spellings of an endpoint.
/// Guarantee: sockets and plain TCP are taken, with Docker's port where none is given; the rest is refused.
#[test]
fn endpoints_are_checked() {
    let tcp = |address: &str| Endpoint::Tcp(address.to_owned());
    assert_eq!("unix:///run/docker.sock".parse::<Endpoint>().unwrap(), Endpoint::Unix("/run/docker.sock".into()));
    assert_eq!("tcp://proxy".parse::<Endpoint>().unwrap(), tcp("proxy:2375"));
    assert_eq!("http://[::1]:2377/".parse::<Endpoint>().unwrap(), tcp("[::1]:2377"));
    for bad in ["", "/var/run/docker.sock", "unix://relative", "https://host:2376", "tcp://", "tcp://a b", "tcp://u@h"]
    {
        assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
    }
}

/// Scenario: nothing is configured.
/// Guarantee: containers whose name or image contains `falco` are read, others and Lanner's own are not.
#[test]
fn falco_is_read_by_default() {
    let mut selection = Config::default().check(|_, _| ()).unwrap().selection;
    let falco = container("x", "docker.io/falcosecurity/falco:0.42.0", &[]);
    assert!(selection.wants(&falco) && selection.wants(&container("my-falco-1", "custom", &[])));
    assert!(!selection.wants(&container("web", "nginx", &[("app", "falco")])));
    selection.own = Some(falco.id.clone());
    assert!(!selection.wants(&falco));
}

/// Scenario: names, images and labels on both sides.
/// Guarantee: any include is enough, any exclude is decisive, and a label matches by key or by value.
#[test]
fn includes_and_excludes_combine() {
    let config = Config {
        include: Filter {
            names: texts(&["/api-?"]),
            labels: texts(&["logs", "tier=back*"]),
            images: texts(&["*/sensor:{1,2}.*"]),
        },
        exclude: Filter { labels: texts(&["logs=off"]), ..Filter::default() },
        ..Config::default()
    };
    let selection = config.check(|_, _| ()).unwrap().selection;
    let yes = [
        container("api-1", "i", &[]),
        container("n", "i", &[("logs", "")]),
        container("n", "i", &[("tier", "backend")]),
        container("n", "r.example/a/sensor:2.7", &[]),
    ];
    let no = [
        container("api-10", "i", &[]),
        container("n", "i", &[("tier", "front")]),
        container("n", "r.example/a/sensor:3.0", &[]),
        container("api-1", "i", &[("logs", "off")]),
        container("falco", "falco", &[]),
    ];
    assert!(yes.iter().all(|wanted| selection.wants(wanted)));
    assert!(!no.iter().any(|unwanted| selection.wants(unwanted)));
}

/// Scenario: mount tables of a process in a container and of one on a Docker host.
/// Guarantee: the container's id is found; the host is not taken for one of its containers.
#[test]
fn the_own_container_is_known() {
    let id = "0123456789abcdef".repeat(4);
    let inside = format!(
        "22 1 0:5 / /proc rw - proc proc rw\n31 1 8:1 /lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw"
    );
    let host = format!("40 1 0:50 / /var/lib/docker/containers/{id}/mounts/shm rw - tmpfs shm rw");
    assert_eq!(own_container(&inside), Some(id));
    assert_eq!(own_container(&host), None);
}
