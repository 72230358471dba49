//! The program with next to no rights (S19).

use crate::{
    rig::{Rig, START},
    support::{
        curl,
        lanner::{Lanner, TempDir, binary},
        load::{Door, Sender},
        oracle::{Books, Oracle},
        oracle_sink::OracleSink,
        surroundings::Surroundings,
        wait,
    },
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, chown},
    time::Duration,
};

const ARRIVAL: Duration = Duration::from_secs(60);
/// What the control group allows: bytes, and threads.
const MEMORY: u64 = 256 << 20;
const THREADS: u32 = 128;

/// Lays out a read-only world in which only the folder `STATE` can be written, and becomes a user without any rights.
const HARDENED: &str = r#"
mount --bind "$STATE" "$STATE"
awk '$5 != ENVIRON["STATE"] { print $5 }' /proc/self/mountinfo | while read -r place; do
    mount -o remount,bind,ro "$place" 2>/dev/null || true
done
set -- setpriv --reuid 65532 --regid 65532 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"#;

/// Scenario: S19: the program runs with a read-only world around its state folder, as uid 65532, without capabilities or a way
/// to new ones, in 256 MiB and 128 threads; alerts, an outage of the sink, a kill, a start, a stop.
/// Guarantee: all of that works, nothing outside the state folder can be written, and the books close.
#[test]
fn s19_hardened_run() {
    let dir = TempDir::new();
    let (place, program) = (dir.path().join("place"), dir.path().join("lanner"));
    fs::create_dir(&place).unwrap();
    chown(&place, Some(65532), Some(65532)).unwrap_or(());
    // Where the build is may not be open to that user.
    fs::copy(binary(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let surroundings =
        Surroundings::new(HARDENED, vec![("STATE", place.display().to_string())]).limited(MEMORY, THREADS);
    if !surroundings.available() {
        return;
    }
    let (oracle, books, port) = (Oracle::new(300), Books::default(), wait::free_port());
    let rig = Rig::at(&place.join("state"), Door::Falco, &[port]);
    let start = || {
        let mut lanner = Lanner::spawn_with(&rig.config(), surroundings.command(&program));
        lanner.ready(START).unwrap_or_else(|status| panic!("ended with {status}:\n{}", lanner.stderr()));
        lanner
    };
    let lanner = start();
    let status = fs::read_to_string(format!("/proc/{}/status", lanner.pid())).unwrap();
    let says = |name: &str, value: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.split_whitespace().skip(1).all(|word| word == value), "{line}");
    };
    says("Uid:", "65532");
    says("Gid:", "65532");
    says("NoNewPrivs:", "1");
    ["CapEff:", "CapPrm:", "CapBnd:", "CapInh:"].iter().for_each(|name| says(name, "0000000000000000"));
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", lanner.pid())).unwrap();
    // Of mounts on top of each other only the last one can be seen.
    let places: BTreeMap<&str, bool> = (mounts.lines())
        .filter_map(|line| {
            let mut words = line.split(' ').skip(4);
            Some((words.next()?, words.next()?.split(',').any(|option| option == "rw")))
        })
        .collect();
    let writable: Vec<&str> = places.into_iter().filter_map(|(place, writable)| writable.then_some(place)).collect();
    assert_eq!(writable, [place.to_str().unwrap()]);

    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    let mut send = || {
        for _ in 0..200 {
            sender.send_until_taken(ARRIVAL);
        }
    };
    send();
    assert_eq!(curl::get(&format!("http://localhost:{}/status", rig.health), &[]).0, 200);
    lanner.kill();
    let lanner = start();
    let sink = OracleSink::listen(port, &oracle, &books);
    send();
    oracle.wait_for(&books, ARRIVAL);
    let (peak, requests) = (lanner.peak_rss_kib(), sink.requests());
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc/0");
    assert_eq!((row.queued, row.rejected), (0, 0), "{}", row.text);
    let verdict = oracle.judge(&books);
    println!("{requests} requests, at most {} MiB: {verdict}", peak >> 10);
    verdict.assert_clean();
    assert_eq!(verdict.acknowledged, 400);
}
