//! What is deleted, and how the files stay within their bounds.
//!
//! Promises: a step deletes a bounded number of rows in a transaction of its own, so that exports go on between steps;
//! oldest first, by the number of the last event that touched a row; every deletion is counted by table and reason; the
//! database never grows past its limit (`max_page_count`), because room is made at nine tenths of it.

use super::{ages::Upto, file::PAGE};
use rusqlite::{Connection, TransactionBehavior, params};
use std::time::Duration;

/// What may be kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `None` is for ever.
    pub age: Option<Duration>,
    pub profile_age: Option<Duration>,
    pub bytes: u64,
}

impl Limits {
    /// The shortest age at which something goes.
    pub fn shortest(&self) -> Option<Duration> {
        self.age.into_iter().chain(self.profile_age).min()
    }

    /// The longest age that anything is asked for.
    pub fn longest(&self) -> Option<Duration> {
        self.age.into_iter().chain(self.profile_age).max()
    }

    /// Largest size of the write-ahead log before writing stops.
    pub fn log_bytes(&self) -> u64 {
        self.bytes / 4
    }
}

/// Rows of each table that a step deletes at least, where there are so many.
const STEP: i64 = 1000;
/// Pages given back to the file system at once.
const GIVE_BACK: u64 = 512;

/// The tables with their rows deleted.
pub const TABLES: [&str; 5] = ["events", "spans", "containers", "incidents", "profile"];

/// How many rows of each table went.
pub type Deleted = [u64; TABLES.len()];

/// The pages of the file.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// In the file.
    pub all: u64,
    /// Of these, not in use.
    pub free: u64,
    /// The file may have so many.
    pub most: u64,
}

impl Pages {
    /// Reads them.
    pub fn of(connection: &Connection, limits: &Limits) -> rusqlite::Result<Self> {
        let read = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        let number = |name: &str| read(name).map(|count| u64::try_from(count).unwrap_or(0));
        Ok(Self { all: number("page_count")?, free: number("freelist_count")?, most: limits.bytes / PAGE })
    }

    /// Whether so much is in use that the oldest must go.
    pub fn are_short(&self) -> bool {
        self.all.saturating_sub(self.free) > self.most / 10 * 9
    }

    /// How many can still be filled.
    pub fn room(&self) -> u64 {
        self.most.saturating_sub(self.all) + self.free
    }
}

/// Deletes rows up to these numbers: a bounded number of each table, oldest first. `profile` is the number for the
/// profile, which may be kept longer.
pub fn delete(connection: &mut Connection, upto: Upto, profile: i64, rows: i64) -> rusqlite::Result<Deleted> {
    let rows = rows.max(STEP);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let first = |table: &str| {
        let lowest = format!("SELECT coalesce(min(id), 0) FROM {table}");
        transaction.query_row(&lowest, [], |row| row.get::<_, i64>(0))
    };
    let event = upto.event.min(first("events")?.saturating_add(rows - 1));
    let span = upto.span.min(first("spans")?.saturating_add(rows - 1));
    let numbered = |statement: &str, number: i64| transaction.prepare_cached(statement)?.execute(params![number]);
    numbered("DELETE FROM event_terms WHERE event_id <= ?1", event)?;
    let events = numbered("DELETE FROM events WHERE id <= ?1", event)?;
    let spans = numbered("DELETE FROM spans WHERE id <= ?1", span)?;
    let touched = |statement: &str, number: i64| transaction.prepare_cached(statement)?.execute(params![number, rows]);
    let containers = touched(
        "DELETE FROM containers WHERE id IN
         (SELECT id FROM containers WHERE last_event <= ?1 ORDER BY last_event LIMIT ?2)",
        upto.event,
    )?;
    let incidents = touched(
        "DELETE FROM incidents WHERE id IN
         (SELECT id FROM incidents WHERE last_event <= ?1 ORDER BY last_event LIMIT ?2)",
        upto.event,
    )?;
    let profile = touched(
        "DELETE FROM profile WHERE (day, rule, entity_kind, entity) IN
         (SELECT day, rule, entity_kind, entity FROM profile WHERE last_event <= ?1 ORDER BY last_event LIMIT ?2)",
        profile,
    )?;
    transaction.commit()?;
    Ok([events, spans, containers, incidents, profile].map(|count| count as u64))
}

/// The numbers up to which one step to make room deletes: the oldest rows, a fiftieth of what there is.
pub fn oldest(connection: &Connection, rows: i64) -> rusqlite::Result<Upto> {
    let upto = |table: &str| -> rusqlite::Result<i64> {
        let range = format!("SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM {table}");
        let (first, last): (i64, i64) = connection.query_row(&range, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let share = (last.saturating_sub(first) / 50).clamp(1, rows.max(STEP));
        // With no row left everything that ever was is old.
        Ok(if last == 0 { super::ages::last_number(connection, table)? } else { first.saturating_add(share) })
    };
    Ok(Upto { event: upto("events")?, span: upto("spans")? })
}

/// Gives unused pages back to the file system, when there are many, or more in all than there may be.
pub fn give_back(connection: &Connection, pages: Pages) -> rusqlite::Result<()> {
    if pages.free <= GIVE_BACK || (pages.free <= pages.all / 4 && pages.all <= pages.most) {
        return Ok(());
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({GIVE_BACK})"))?;
    let mut rows = statement.query([])?;
    // It works a page a row.
    while rows.next()?.is_some() {}
    Ok(())
}

/// What a checkpoint came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// Everything is in the database; the log is empty.
    Done,
    /// Somebody reads an older state and needs the log.
    Held,
}

/// Moves the write-ahead log into the database and cuts it to nothing.
pub fn checkpoint(connection: &Connection) -> rusqlite::Result<Checkpoint> {
    let held: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(if held { Checkpoint::Held } else { Checkpoint::Done })
}
