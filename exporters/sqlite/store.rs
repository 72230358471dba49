//! `Store`: the one writer of the database.
//!
//! Promises: a request is one transaction, so all of it is there or nothing; an event that is there already changes
//! nothing; an answer "delivered" comes after the commit. A damaged file is written to no more, and left as it is, until
//! another file stands in its place.

use super::{
    ages::Ages,
    cells::Cells,
    config::Plan,
    event::{Event, Inserts, json},
    fault::{self, Fault},
    file::{Identity, OpenError, Opened, open},
    incident,
    retention::{self, Checkpoint},
    schema::SchemaError,
    span,
    tally::Tally,
    upkeep::Room,
};
use lanner_engine::{prelude::*, stage::Clock};
use lanner_proto::collector::trace::v1::ExportTraceServiceRequest;
use rusqlite::{TransactionBehavior, config::DbConfig};
use std::time::Duration;

/// How long a request waits when only somebody's hand can help.
const STOPPED: Duration = Duration::from_secs(60);

/// What is to be written.
pub enum Content<'r> {
    Logs(&'r Logs),
    Traces(&'r ExportTraceServiceRequest),
}

/// The database, and what is known of it.
pub struct Store {
    pub(super) plan: Plan,
    pub(super) clock: Clock,
    pub(super) cells: Cells,
    /// `None` after an error of the disk, until it can be opened again.
    pub(super) open: Option<Opened>,
    pub(super) ages: Option<Ages>,
    /// The damaged file, and what SQLite said.
    pub(super) damaged: Option<(Option<Identity>, String)>,
    /// Monotonic: when something was written last.
    pub(super) written: u64,
}

impl Store {
    /// Opens the database.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(plan: Plan, clock: Clock, cells: Cells) -> Result<Self, OpenError> {
        let opened = open(&plan)?;
        let mut store = Self { plan, clock, cells, open: None, ages: None, damaged: None, written: 0 };
        store.take(opened).map_err(|error| OpenError::Database {
            path: store.plan.path.clone(),
            source: SchemaError::Sqlite(error),
        })?;
        Ok(store)
    }

    fn take(&mut self, opened: Opened) -> rusqlite::Result<()> {
        self.ages = Some(Ages::begin(&opened.connection, self.plan.limits.shortest(), self.clock.now())?);
        self.open = Some(opened);
        Ok(())
    }

    /// Writes a request of `bytes` bytes.
    pub fn write(&mut self, content: &Content<'_>, bytes: usize) -> Outcome {
        if let Err(outcome) = self.ready() {
            return outcome;
        }
        let mut written = self.try_write(content);
        if written.as_ref().is_err_and(is_full) {
            let room = self.make_room(bytes);
            if room == Room::Made {
                written = self.try_write(content);
            }
            if room == Room::TooLarge {
                let reason = "the request does not fit into a quarter of `max_size_mib`; set a larger one";
                return Outcome::Reject { reason: reason.to_owned() };
            }
        }
        match written {
            Ok(rows) => {
                self.written = self.clock.now().monotonic;
                // So that what is deleted keeps up with what is added.
                if let Err(error) = self.trim(rows.saturating_mul(2)) {
                    tracing::debug!(%error, "SQLite: nothing could be deleted.");
                }
                Outcome::Delivered
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Opens what must be opened, and makes sure that the log beside the database is within its bound.
    fn ready(&mut self) -> Result<(), Outcome> {
        let here = Identity::of(&self.plan.path);
        if let Some((file, why)) = &self.damaged {
            if *file == here {
                return Err(Outcome::Retry { after: Some(STOPPED), reason: why.clone() });
            }
            self.damaged = None;
            self.cells.works();
        }
        if self.open.as_ref().is_some_and(|opened| Some(opened.identity) != here) {
            tracing::warn!(path = %self.plan.path.display(), "The database was moved away; another one is opened.");
            self.open = None;
        }
        if self.open.is_none() {
            let opened = open(&self.plan).map_err(|error| self.cannot_open(&error))?;
            self.take(opened).map_err(|error| self.failed(&error))?;
        }
        let most = self.plan.limits.log_bytes();
        if self.log_bytes() > most
            && let Some(opened) = &self.open
        {
            let emptied = retention::checkpoint(&opened.connection).map_err(|error| self.failed(&error))?;
            if emptied == Checkpoint::Held && self.log_bytes() > most {
                let reason = "somebody has been reading the database for long, so that its log cannot be emptied";
                return Err(Outcome::Retry { after: None, reason: reason.to_owned() });
            }
        }
        Ok(())
    }

    pub(super) fn log_bytes(&self) -> u64 {
        self.open.as_ref().and_then(|opened| opened.log.metadata().ok()).map_or(0, |log| log.len())
    }

    /// One transaction. How many rows it brought.
    fn try_write(&mut self, content: &Content<'_>) -> rusqlite::Result<i64> {
        let Some(opened) = &mut self.open else { return Err(fault::closed()) };
        let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut rows, mut known) = (0i64, 0u64);
        match content {
            Content::Traces(traces) => rows = span::write(&transaction, traces)?,
            Content::Logs(logs) => {
                let (mut inserts, mut tally) = (Inserts::new(&transaction)?, Tally::default());
                for group in &logs.groups {
                    let resource = json(&group.resource.attrs);
                    for record in &group.records {
                        let event = Event { group, record };
                        match inserts.insert(&transaction, event, &resource)? {
                            None => known += 1,
                            Some(id) => {
                                rows += 1;
                                tally.add(event, id);
                                incident::write(&transaction, event, id)?;
                            }
                        }
                    }
                }
                tally.write(&transaction)?;
            }
        }
        transaction.commit()?;
        self.cells.known.add(known);
        Ok(rows)
    }

    /// The open database, for tests to look into.
    #[cfg(test)]
    pub fn connection(&self) -> &rusqlite::Connection {
        &self.open.as_ref().unwrap().connection
    }

    /// Empties the log and closes.
    pub fn close(&mut self) {
        let Some(opened) = self.open.take() else { return };
        // Closing does it as well; what is left of the log then is read at the next start.
        let _ = retention::checkpoint(&opened.connection);
    }

    fn cannot_open(&mut self, error: &OpenError) -> Outcome {
        match error {
            OpenError::Database { source: SchemaError::Sqlite(error), .. } => self.failed(error),
            other => Outcome::Retry { after: None, reason: other.to_string() },
        }
    }

    /// What an error means for the request.
    pub(super) fn failed(&mut self, error: &rusqlite::Error) -> Outcome {
        let reason = error.to_string();
        match Fault::of(error) {
            Fault::Request => Outcome::Reject { reason },
            Fault::Damaged => {
                if let Some(opened) = self.open.take() {
                    // What is in the log stays there as well.
                    let _ = opened.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                }
                let path = self.plan.path.display();
                let why = format!(
                    "`{path}` is damaged ({reason}) and is left as it is; move it and what is beside it away, and a new \
                     one is made"
                );
                tracing::error!("{why}");
                self.cells.stopped(&why);
                self.damaged = Some((Identity::of(&self.plan.path), why.clone()));
                Outcome::Retry { after: Some(STOPPED), reason: why }
            }
            Fault::Disk => {
                self.open = None;
                Outcome::Retry { after: None, reason }
            }
            Fault::Busy | Fault::Full | Fault::Other => Outcome::Retry { after: None, reason },
        }
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    Fault::of(error) == Fault::Full
}
