//! How old rows are, whatever the wall clock does.
//!
//! Promises (D23): a clock that jumps, forward or back, before the start or while running, makes no row look older than it
//! is; at worst something is deleted late. Nothing is deleted by age in the first hour of a run (or in the time that
//! `max_age` is, when that is less), which is the time that a wrong clock has to be put right.
//!
//! From time to time a *mark* is made: at this time the last event had this number. What has a number up to that of a mark
//! is at least as old as the mark. When the wall clock moved and the monotonic one did not, the marks move along, so that
//! ages stay: all of them, or in the first hour, when it is not clear whether the clock was wrong before or is now, those
//! of this run. Marks of earlier runs that then are in the future move back to where this run began. Of several writers of
//! one database, such as the old and the new one during a reload, one moves the marks: `clock.shifted` says by how much.

use lanner_engine::stage::Now;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::time::Duration;

/// More than this between the clocks is a jump; what NTP corrects by slewing, and a leap second, are less.
const JUMP: i64 = 10_000_000_000;
/// The time in which a wrong clock is put right.
const SETTLING: Duration = Duration::from_secs(3600);
/// Times between marks.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// Up to which number rows are so old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upto {
    pub event: i64,
    pub span: i64,
}

/// Marks and the clock they are made by.
pub struct Ages {
    /// When both clocks were read last.
    last: Now,
    /// Monotonic: since when the wall clock has not jumped.
    since: u64,
    settled: bool,
    settling: u64,
    /// By how much all marks had been moved, ever, when this writer looked at it last.
    shifted: i64,
    /// The last mark of earlier runs.
    earlier: i64,
    /// Monotonic: when the next mark is due, and the time between two.
    due: u64,
    between: u64,
}

impl Ages {
    /// Begins a run. `shortest` is the least age at which something is deleted, `None` when nothing is.
    pub fn begin(connection: &Connection, shortest: Option<Duration>, now: Now) -> rusqlite::Result<Self> {
        let earlier = connection.query_row("SELECT coalesce(max(id), 0) FROM marks", [], |row| row.get(0))?;
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Without an age nobody needs marks.
        let due = if shortest.is_some() { now.monotonic } else { u64::MAX };
        let shortest = shortest.unwrap_or(Duration::MAX);
        Ok(Self {
            last: now,
            since: now.monotonic,
            settled: false,
            settling: nanos(SETTLING.min(shortest)),
            shifted: shifted(connection)?,
            earlier,
            due,
            between: nanos((shortest / 100).clamp(SHORTEST, LONGEST)),
        })
    }

    /// Looks at the clocks and makes a mark when one is due.
    pub fn look(&mut self, connection: &Connection, now: Now) -> rusqlite::Result<()> {
        let wall = i128::from(now.unix) - i128::from(self.last.unix);
        let real = i128::from(now.monotonic) - i128::from(self.last.monotonic);
        let jump = i64::try_from(wall - real).unwrap_or(0);
        if jump.abs() > JUMP {
            self.shift(connection, jump)?;
            self.since = now.monotonic;
            tracing::warn!(
                jump_seconds = jump / 1_000_000_000,
                "The clock jumped; what is kept stays as old as it was."
            );
        }
        self.last = now;
        if now.monotonic >= self.due {
            mark(connection, now)?;
            self.due = now.monotonic.saturating_add(self.between);
        }
        if !self.settled && now.monotonic.saturating_sub(self.since) >= self.settling {
            self.settle(connection)?;
        }
        Ok(())
    }

    /// Moves marks along with the clock, unless another writer has done so.
    fn shift(&mut self, connection: &Connection, jump: i64) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let before = shifted(&transaction)?;
        let left = jump.saturating_sub(before.saturating_sub(self.shifted));
        self.shifted = before;
        if left.abs() > JUMP {
            let after = if self.settled { 0 } else { self.earlier };
            transaction.execute("UPDATE marks SET at = at + ?1 WHERE id > ?2", params![left, after])?;
            if self.settled {
                self.shifted = before.saturating_add(left);
                transaction.execute("UPDATE clock SET shifted = ?1", [self.shifted])?;
            }
        }
        transaction.commit()
    }

    /// The clock is believed from now on.
    fn settle(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let first = "SELECT at FROM marks WHERE id > ?1 ORDER BY id LIMIT 1";
        let first: Option<i64> = connection.query_row(first, [self.earlier], |row| row.get(0)).optional()?;
        let newest: Option<i64> =
            connection.query_row("SELECT max(at) FROM marks WHERE id <= ?1", [self.earlier], |row| row.get(0))?;
        if let (Some(first), Some(newest)) = (first, newest)
            && newest > first
        {
            connection
                .execute("UPDATE marks SET at = at - ?1 WHERE id <= ?2", params![newest - first, self.earlier])?;
        }
        self.settled = true;
        Ok(())
    }

    /// What is at least this old; `None` while the clock is not believed.
    pub fn older_than(&self, connection: &Connection, age: Duration) -> rusqlite::Result<Option<Upto>> {
        if !self.settled {
            return Ok(None);
        }
        let before = before(self.last, age);
        let found = "SELECT coalesce(max(event_id), 0), coalesce(max(span_id), 0) FROM marks WHERE at <= ?1";
        let read = |row: &rusqlite::Row<'_>| Ok(Upto { event: row.get(0)?, span: row.get(1)? });
        connection.query_row(found, [before], read).map(Some)
    }

    /// Forgets marks that no age needs.
    pub fn forget(&self, connection: &Connection, longest: Duration) -> rusqlite::Result<()> {
        // The newest of them still says how old everything before it is at least.
        let old = "DELETE FROM marks WHERE id < (SELECT max(id) FROM marks WHERE at <= ?1)";
        connection.execute(old, [before(self.last, longest)])?;
        Ok(())
    }
}

fn before(now: Now, age: Duration) -> i64 {
    let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    i64::try_from(now.unix).unwrap_or(i64::MAX).saturating_sub(age)
}

fn shifted(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT shifted FROM clock", [], |row| row.get(0))
}

/// The last number that a table gave.
pub fn last_number(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let found = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    Ok(connection.query_row(found, [table], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn mark(connection: &Connection, now: Now) -> rusqlite::Result<()> {
    let (event, span) = (last_number(connection, "events")?, last_number(connection, "spans")?);
    // Of two marks with the same numbers the older says more.
    let new = "INSERT INTO marks (at, event_id, span_id) SELECT ?1, ?2, ?3
               WHERE NOT EXISTS (SELECT 1 FROM marks WHERE event_id = ?2 AND span_id = ?3)";
    let at = i64::try_from(now.unix).unwrap_or(i64::MAX);
    connection.execute(new, params![at, event, span])?;
    Ok(())
}
