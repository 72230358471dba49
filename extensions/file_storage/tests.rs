//! A real file in a folder of its own.

use super::{store::OpenError, *};
use bytes::Bytes;
use lanner_engine::config::plan_body;
use std::{os::unix::fs::PermissionsExt, path::PathBuf, process};

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lanner-file-storage-{}-{name}", process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self) -> Store {
        Store::open(&self.0, true).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn value(text: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(text.as_bytes()))
}

/// Scenario: two components put under the same key; the file is closed and opened again.
/// Guarantee: each finds its own value, changes and removals included; nobody sees the other's.
#[tokio::test]
async fn state_survives_and_is_apart() {
    let folder = Folder::new("survives");
    {
        let store = folder.open();
        let (first, second) = (store.of("receiver/file_log"), store.of("receiver/file_log/second"));
        assert_eq!(first.get("a").await.unwrap(), None, "before anything was put");
        assert!(first.scan("").await.unwrap().is_empty());
        first.put(vec![("a".into(), value("1")), ("ab".into(), value("2")), ("b".into(), value("3"))]).await.unwrap();
        second.put(vec![("a".into(), value("other"))]).await.unwrap();
        first.put(vec![("a".into(), value("4")), ("b".into(), None)]).await.unwrap();
    }
    let store = folder.open();
    let (first, second) = (store.of("receiver/file_log"), store.of("receiver/file_log/second"));
    assert_eq!(first.get("a").await.unwrap(), value("4"));
    assert_eq!(first.get("b").await.unwrap(), None);
    assert_eq!(second.get("a").await.unwrap(), value("other"));
    let found = first.scan("a").await.unwrap();
    assert_eq!(found.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a", "ab"]);
    assert_eq!(second.scan("").await.unwrap().len(), 1);
}

/// Scenario: a second opener of the same folder, as a second process would be.
/// Guarantee: refused with the remedy; the first goes on.
#[tokio::test]
async fn one_process_a_folder() {
    let folder = Folder::new("twice");
    let first = folder.open();
    let second = Store::open(&folder.0, true);
    assert!(matches!(&second, Err(error @ OpenError::InUse { .. }) if error.to_string().contains("give each its own")));
    first.of("x").put(vec![("a".into(), value("1"))]).await.unwrap();
}

/// Scenario: the file is overwritten with something else; cut off; one byte in the middle is changed.
/// Guarantee: it opens all the same, never panics, and what was there is kept beside it if it was given up.
#[tokio::test]
async fn damage_is_moved_aside() {
    let folder = Folder::new("damage");
    let path = folder.0.join("state.redb");
    let put = async |store: &Store| {
        let changes = (0..100).map(|index| (format!("key {index}"), value("some value"))).collect();
        store.of("x").put(changes).await.unwrap();
    };
    put(&folder.open()).await;
    let sound = std::fs::read(&path).unwrap();
    let mut flipped = sound.clone();
    let place = sound.windows(10).rposition(|window| window == b"some value").unwrap();
    flipped[place] ^= 0xff;
    for (name, bytes) in
        [("text", b"no database at all".to_vec()), ("cut", sound[..sound.len() / 2].to_vec()), ("flip", flipped)]
    {
        let before = std::fs::read_dir(&folder.0).unwrap().count();
        std::fs::write(&path, &bytes).unwrap();
        let store = folder.open();
        assert!(store.moved_aside, "{name}");
        assert_eq!(store.of("x").get("key 7").await.unwrap(), None, "{name}");
        put(&store).await;
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), before + 1, "{name}: kept beside");
    }
}

/// Scenario: a folder that is not there, with and without `create_directory`; one that cannot be made.
/// Guarantee: made for this user only, or an error with the remedy.
#[test]
fn the_folder() {
    let folder = Folder::new("folder");
    let error = Store::open(&folder.0, false).err().unwrap().to_string();
    assert!(error.contains("create_directory: true"), "{error}");
    drop(folder.open());
    assert_eq!(std::fs::metadata(&folder.0).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(folder.0.join("state.redb")).unwrap().permissions().mode() & 0o777, 0o600);
    let error = Store::open(&folder.0.join("state.redb/below"), true).err().unwrap().to_string();
    assert!(error.contains("another `directory`"), "{error}");
}

/// Scenario: S17: a folder that everybody can write to; a link in the place of the file.
/// Guarantee: refused, with the remedy; what the link leads to is not touched.
#[test]
fn others_do_not_choose_the_file() {
    let folder = Folder::new("open-folder");
    std::fs::create_dir_all(&folder.0).unwrap();
    std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = Store::open(&folder.0, true).err().unwrap().to_string();
    assert!(error.contains("chmod o-w"), "{error}");
    std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o700)).unwrap();
    let target = folder.0.join("precious");
    std::fs::write(&target, "text").unwrap();
    std::os::unix::fs::symlink(&target, folder.0.join("state.redb")).unwrap();
    assert!(matches!(Store::open(&folder.0, true), Err(OpenError::File { .. })));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "text");
}

/// Scenario: S17: a folder of another user, and a link that another user has made. Only root can make such.
/// Guarantee: refused, with the remedy.
#[test]
fn others_do_not_own_the_folder() {
    let folder = Folder::new("foreign");
    std::fs::create_dir_all(&folder.0).unwrap();
    let (inner, link) = (folder.0.join("inner"), folder.0.join("link"));
    std::fs::create_dir(&inner).unwrap();
    std::os::unix::fs::symlink(&inner, &link).unwrap();
    drop(Store::open(&link, true).unwrap());
    if !rustix::process::geteuid().is_root() {
        return;
    }
    std::os::unix::fs::lchown(&link, Some(4711), None).unwrap();
    assert!(matches!(Store::open(&link, true), Err(OpenError::Foreign { .. })));
    std::os::unix::fs::chown(&inner, Some(4711), None).unwrap();
    let error = Store::open(&inner, true).err().unwrap().to_string();
    assert!(error.contains("chown"), "{error}");
}

/// Scenario: a damaged file at the start of the extension.
/// Guarantee: the start goes on, and the damage is counted.
#[tokio::test]
async fn damage_is_counted() {
    let folder = Folder::new("counted");
    drop(folder.open());
    std::fs::write(folder.0.join("state.redb"), "no database").unwrap();
    let config = Config { directory: folder.0.clone(), ..Config::default() };
    let telemetry = lanner_engine::telemetry::Telemetry::default();
    let cx = BuildCx::new(Kind::Extension, "file_storage".parse().unwrap(), telemetry.clone(), Default::default());
    let opened = Box::new(Plan { config }).build(&cx).await.unwrap();
    assert!(opened.storage().is_some());
    let metric = telemetry.metric("lanner_file_storage_damaged_files").unwrap();
    assert_eq!(metric.series.iter().map(|(_, count)| count).sum::<i64>(), 1);
}

/// Scenario: a key and a value beyond the limits.
/// Guarantee: refused, and nothing of the same `put` is kept.
#[tokio::test]
async fn limits() {
    let folder = Folder::new("limits");
    let storage = folder.open().of("x");
    let long = "k".repeat(1025);
    assert!(storage.put(vec![("a".into(), value("1")), (long, value("1"))]).await.is_err());
    let large = Some(Bytes::from(vec![0; (16 << 20) + 1]));
    assert!(storage.put(vec![("a".into(), value("1")), ("b".into(), large)]).await.is_err());
    assert_eq!(storage.get("a").await.unwrap(), None);
}

/// Scenario: configs with mistakes.
/// Guarantee: said before start, with the remedy.
#[test]
fn mistakes_are_found_before_start() {
    let factory = Factory::extension::<FileStorage>();
    for (yaml, text, fatal) in [
        ("directory: ''", "/var/lib/lanner", true),
        ("directory: state", "starts with a slash", false),
        ("directry: /x", "directory", true),
    ] {
        let trial = plan_body(&factory, yaml);
        assert_eq!(trial.planned.is_none(), fatal, "{yaml}: {}", trial.rendered());
        assert!(trial.rendered().contains(text), "{yaml}: {}", trial.rendered());
    }
}

/// Scenario: many puts are given up just after they began, and another one follows at once.
/// Guarantee: the last one wins, although nobody waited for the end of the others.
#[tokio::test]
async fn a_put_that_was_given_up_is_not_made_late() {
    let folder = Folder::new("order");
    let store = folder.open();
    let storage = store.of("processor/aggregate");
    for _ in 0..20 {
        for _ in 0..16 {
            tokio::select! {
                biased;
                _ = storage.put(vec![("a".into(), value("old"))]) => {}
                () = std::future::ready(()) => {}
            }
        }
        storage.put(vec![("a".into(), value("new"))]).await.unwrap();
        storage.put(vec![("b".into(), value("a barrier"))]).await.unwrap();
        assert_eq!(storage.get("a").await.unwrap(), value("new"));
    }
}
