//! The file: who may use it, and which are refused.

use super::*;
use crate::sqlite::{
    file::{OpenError, open},
    schema::{STEPS, SchemaError, migrate},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

/// Scenario: a directory that is missing, then made; the files in it.
/// Guarantee: the error names the remedy; directory and files are the owner's alone, the log and the index too.
#[test]
fn files_are_the_owners_alone() {
    let db = Db::new();
    let path = db.scratch.path().join("deep/er/events.db");
    let missing = plan(json!({"path": path})).unwrap();
    let error = open(&missing).err().unwrap().to_string();
    assert!(error.contains("create_directory"), "{error}");
    let mut store = Store::open(
        plan(json!({"path": path, "create_directory": true})).unwrap(),
        db.hands.clock(),
        Cells::new(&db.cx),
    )
    .unwrap();
    assert_eq!(write(&mut store, &numbered(0, 1, 10)), Outcome::Delivered);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap().into()), 0o700);
    for ending in ["", "-wal", "-shm"] {
        assert_eq!(mode(format!("{}{ending}", path.display()).into()), 0o600, "{ending}");
    }
}

/// Scenario: a link in the place of the file, a directory there, a directory that everybody can write to (S17).
/// Guarantee: refused, with the remedy; what the link leads to is not touched.
#[test]
fn s17_no_link_is_followed() {
    let db = Db::new();
    let victim = db.scratch.path().join("victim");
    fs::write(&victim, "").unwrap();
    symlink(&victim, db.path()).unwrap();
    assert!(matches!(open(&db.plan(json!({}))), Err(OpenError::NoFile { .. })));
    assert_eq!(fs::metadata(&victim).unwrap().len(), 0);
    fs::remove_file(db.path()).unwrap();
    fs::create_dir(db.path()).unwrap();
    assert!(matches!(open(&db.plan(json!({}))), Err(OpenError::NoFile { .. })));
    let shared = db.scratch.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let error = open(&db.plan(json!({"path": shared.join("events.db")}))).err().unwrap();
    assert!(matches!(error, OpenError::Writable { .. }) && error.to_string().contains("chmod"), "{error}");
}

/// Scenario: the file is of a newer Lanner, of another program, no database.
/// Guarantee: refused, each with its remedy, and not a byte of it is changed.
#[test]
fn what_is_not_ours_is_not_touched() {
    let db = Db::new();
    let refused = |what: &str| {
        let before = fs::read(db.path()).unwrap();
        let error = open(&db.plan(json!({}))).err().unwrap().to_string();
        assert!(error.contains(what), "{error}");
        assert!(before == fs::read(db.path()).unwrap(), "{what}: the file was changed");
        fs::remove_file(db.path()).unwrap();
    };
    db.store(json!({})).close();
    db.reader().execute_batch("PRAGMA user_version = 77").unwrap();
    db.reader().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    refused("run the newer one");
    db.reader().execute_batch("CREATE TABLE own (a)").unwrap();
    refused("another program");
    fs::write(db.path(), "no database ".repeat(1000)).unwrap();
    refused("not a database");
}

/// Scenario: a database of the current version with rows, and a program that knows one version more; then the old
/// program.
/// Guarantee: the step is made once and keeps every row; the older program refuses.
#[test]
fn migrations_go_forward_only() {
    let db = Db::new();
    assert_eq!(write(&mut db.store(json!({})), &numbered(0, 7, 10)), Outcome::Delivered);
    let later: Vec<&str> = STEPS.iter().copied().chain(["ALTER TABLE events ADD COLUMN later INTEGER"]).collect();
    for _ in 0..2 {
        migrate(&mut db.reader(), &later).unwrap();
    }
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events WHERE later IS NULL"), 7);
    let older = migrate(&mut db.reader(), STEPS);
    assert!(matches!(older, Err(SchemaError::Newer { found: 2, known: 1 })), "{older:?}");
    // A step that fails leaves nothing.
    let bad: Vec<&str> = later.iter().copied().chain(["CREATE TABLE half (a); CREATE TABLE half (a)"]).collect();
    assert!(migrate(&mut db.reader(), &bad).is_err());
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
}

/// Scenario: configurations with mistakes.
/// Guarantee: each is refused in the plan.
#[test]
fn mistakes_are_found_before_start() {
    assert!(plan(json!({"path": "a.db"})).is_some());
    for wrong in [
        json!({}),
        json!({"path": "a/.."}),
        json!({"path": "a", "busy_timeout": "1ms"}),
        json!({"path": "a", "busy_timeout": "2m"}),
        json!({"path": "a", "retention": {"max_age": "1s"}}),
        json!({"path": "a", "retention": {"max_profile_age": "59s"}}),
        json!({"path": "a", "retention": {"max_size_mib": 3}}),
    ] {
        assert!(plan(wrong.clone()).is_none(), "{wrong}");
    }
}
