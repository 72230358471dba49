//! The schema of the database, and how an older one becomes the current one.
//!
//! Promises: a database is changed only when it is ours (`application_id`); its version is `user_version`; each step from a
//! version to the next is one transaction, so that a kill leaves a whole version; a newer version is refused, not touched.
//!
//! Why the tables are as they are: every row of `events` has a number that only grows, also when old rows are deleted (a
//! reader goes on where it stopped), and every other row names the number of the last event that touched it, so that what
//! is old is known without trusting anybody's clock (see `ages`). A column is an index that a person filters by; everything
//! else is in the JSON beside it.

use rusqlite::{Connection, TransactionBehavior};

/// "Lanr": tells our files from those of other programs.
pub const APPLICATION_ID: i64 = 0x4c61_6e72;

/// What leads from a version to the next; the number of steps is the current version.
pub const STEPS: &[&str] = &[VERSION_1];

const VERSION_1: &str = "
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    observed_time INTEGER NOT NULL,
    event_name TEXT,
    severity INTEGER NOT NULL,
    priority TEXT,
    alerts INTEGER NOT NULL,
    rule TEXT,
    source TEXT,
    category TEXT,
    cluster TEXT,
    host TEXT,
    namespace TEXT,
    pod TEXT,
    container_id TEXT,
    process TEXT,
    user TEXT,
    message TEXT,
    trace_id TEXT,
    span_id TEXT,
    scope TEXT,
    attributes TEXT NOT NULL,
    resource TEXT NOT NULL
) STRICT;
CREATE INDEX events_time ON events (time);
CREATE INDEX events_severity ON events (severity, time);
CREATE INDEX events_rule ON events (rule, time) WHERE rule IS NOT NULL;
CREATE INDEX events_source ON events (source, time) WHERE source IS NOT NULL;
CREATE INDEX events_category ON events (category, time) WHERE category IS NOT NULL;
CREATE INDEX events_host ON events (host, time) WHERE host IS NOT NULL;
CREATE INDEX events_pod ON events (namespace, pod, time) WHERE namespace IS NOT NULL;
CREATE INDEX events_container ON events (container_id, time) WHERE container_id IS NOT NULL;
CREATE INDEX events_trace ON events (trace_id) WHERE trace_id IS NOT NULL;

CREATE TABLE event_terms (
    event_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    term TEXT NOT NULL,
    PRIMARY KEY (event_id, kind, term)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_terms_term ON event_terms (kind, term, event_id);

CREATE TABLE containers (
    id TEXT NOT NULL PRIMARY KEY,
    full_id TEXT NOT NULL,
    name TEXT,
    image TEXT,
    image_digest TEXT,
    runtime TEXT,
    cluster TEXT,
    host TEXT,
    namespace TEXT,
    pod TEXT,
    pod_uid TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    events INTEGER NOT NULL,
    alerts INTEGER NOT NULL,
    debug INTEGER NOT NULL,
    informational INTEGER NOT NULL,
    notice INTEGER NOT NULL,
    warning INTEGER NOT NULL,
    error INTEGER NOT NULL,
    critical INTEGER NOT NULL,
    alert INTEGER NOT NULL,
    emergency INTEGER NOT NULL,
    unspecified INTEGER NOT NULL,
    last_event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX containers_last_seen ON containers (last_seen);
CREATE INDEX containers_last_event ON containers (last_event);

CREATE TABLE profile (
    day TEXT NOT NULL,
    rule TEXT NOT NULL,
    entity_kind TEXT NOT NULL,
    entity TEXT NOT NULL,
    namespace TEXT,
    image TEXT,
    alerts INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    PRIMARY KEY (day, rule, entity_kind, entity)
) STRICT, WITHOUT ROWID;
CREATE INDEX profile_entity ON profile (entity_kind, entity, day);
CREATE INDEX profile_last_event ON profile (last_event);

CREATE TABLE incidents (
    id TEXT NOT NULL PRIMARY KEY,
    trace_id TEXT,
    span_id TEXT,
    state TEXT NOT NULL,
    severity INTEGER NOT NULL,
    priority TEXT,
    alerts INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    end_reason TEXT,
    previous TEXT,
    cluster TEXT,
    host TEXT,
    namespace TEXT,
    pod TEXT,
    container_id TEXT,
    message TEXT,
    rules TEXT NOT NULL,
    tactics TEXT NOT NULL,
    attributes TEXT NOT NULL,
    last_event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_state ON incidents (state, last_time);
CREATE INDEX incidents_trace ON incidents (trace_id);
CREATE INDEX incidents_last_event ON incidents (last_event);

CREATE TABLE spans (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    parent_span_id TEXT,
    name TEXT NOT NULL,
    kind INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    end_time INTEGER NOT NULL,
    status INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    events TEXT NOT NULL,
    links TEXT NOT NULL,
    resource TEXT NOT NULL,
    UNIQUE (trace_id, span_id)
) STRICT;
CREATE INDEX spans_time ON spans (start_time);

CREATE TABLE marks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    span_id INTEGER NOT NULL
) STRICT;
CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    shifted INTEGER NOT NULL
) STRICT;
INSERT INTO clock VALUES (1, 0);
";

/// Why the database is not ours to write to.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("it belongs to another program (application id {0:#x}); write another `path`")]
    Foreign(i64),
    #[error(
        "it has schema {found}, made by a newer Lanner; this one knows up to {known}: run the newer one, or write another \
         `path`"
    )]
    Newer { found: i64, known: usize },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// How many of the steps the database has behind it; 0 for an empty file. Changes nothing.
///
/// # Errors
/// See [`SchemaError`].
pub fn version(connection: &Connection, known: usize) -> Result<usize, SchemaError> {
    let number = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let application = number("application_id")?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || objects > 0) {
        return Err(SchemaError::Foreign(application));
    }
    let found = number("user_version")?;
    usize::try_from(found).ok().filter(|done| *done <= known).ok_or(SchemaError::Newer { found, known })
}

/// Brings the database to the version that the steps lead to; an empty file becomes a new database.
///
/// # Errors
/// See [`SchemaError`].
pub fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), SchemaError> {
    while version(connection, steps.len())? < steps.len() {
        // Whoever comes second, of processes that start at the same moment, finds the step done.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = version(&transaction, steps.len())?;
        if let Some(step) = steps.get(done) {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", i64::try_from(done + 1).unwrap_or(i64::MAX))?;
            transaction.commit()?;
        }
    }
    Ok(())
}
