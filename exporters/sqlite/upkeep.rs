//! What the store does so that its files stay within their bounds.

use super::{
    ages::Upto,
    fault::Fault,
    file::PAGE,
    retention::{self, Deleted, Pages},
    store::Store,
};
use std::time::Duration;

/// How long the log waits for more before it is emptied.
const IDLE: u64 = 5_000_000_000;
/// Steps that make room for one request.
const STEPS: usize = 64;
/// The rows of a request take at most about so many times its bytes, with their indexes.
const GROWTH: u64 = 4;

/// What making room came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is room, or nobody knows.
    Made,
    /// So much would have to go that it is better not to take the request.
    TooLarge,
}

impl Store {
    /// Deletes the oldest until a request of `bytes` fits, in a bounded number of steps.
    pub(super) fn make_room(&mut self, bytes: usize) -> Room {
        let pages = (bytes as u64).div_ceil(PAGE);
        for _ in 0..STEPS {
            let Some(opened) = &self.open else { return Room::Made };
            match Pages::of(&opened.connection, &self.plan.limits) {
                Ok(all) if pages > all.most / GROWTH => return Room::TooLarge,
                Ok(all) if all.room() < pages.saturating_mul(GROWTH) + 64 => {}
                // It is the disk that is full, or cannot be read; what was tried tells.
                _ => return Room::Made,
            }
            match self.delete_oldest(0) {
                Ok(deleted) if deleted.iter().any(|count| *count > 0) => {}
                _ => return Room::Made,
            }
        }
        Room::Made
    }

    /// One step towards the size limit, when it is near.
    pub(super) fn trim(&mut self, rows: i64) -> rusqlite::Result<()> {
        let Some(opened) = &self.open else { return Ok(()) };
        if Pages::of(&opened.connection, &self.plan.limits)?.are_short() {
            self.delete_oldest(rows)?;
        }
        Ok(())
    }

    fn delete_oldest(&mut self, rows: i64) -> rusqlite::Result<Deleted> {
        let Some(opened) = &mut self.open else { return Ok(Deleted::default()) };
        let upto = retention::oldest(&opened.connection, rows)?;
        let deleted = retention::delete(&mut opened.connection, upto, upto.event, rows)?;
        self.cells.deleted("size", deleted);
        Ok(deleted)
    }

    /// What is to be done beside exports: marks, what is too old, unused pages, the log. Bounded; whether there is more to
    /// do at once.
    pub fn maintain(&mut self) -> bool {
        if self.damaged.is_some() || self.open.is_none() {
            return false;
        }
        match self.try_maintain() {
            Ok(more) => more,
            Err(error) => {
                if Fault::of(&error) != Fault::Busy {
                    self.failed(&error);
                }
                false
            }
        }
    }

    fn try_maintain(&mut self) -> rusqlite::Result<bool> {
        let now = self.clock.now();
        let (Some(opened), Some(ages)) = (&mut self.open, &mut self.ages) else { return Ok(false) };
        let limits = self.plan.limits;
        ages.look(&opened.connection, now)?;
        let old = |age: Option<Duration>, connection| match age {
            Some(age) => ages.older_than(connection, age).map(Option::unwrap_or_default),
            None => Ok(Upto::default()),
        };
        let upto = old(limits.age, &opened.connection)?;
        let profile = old(limits.profile_age, &opened.connection)?;
        let mut more = false;
        let log = opened.log.metadata().map_or(0, |log| log.len());
        // What is deleted goes through the log as well, which somebody may keep from being emptied.
        if (upto, profile) != Default::default() && log <= limits.log_bytes() {
            let deleted = retention::delete(&mut opened.connection, upto, profile.event, 0)?;
            more = deleted.iter().any(|count| *count > 0);
            self.cells.deleted("age", deleted);
            if let (true, Some(longest)) = (more, limits.longest()) {
                ages.forget(&opened.connection, longest)?;
            }
        }
        let pages = Pages::of(&opened.connection, &limits)?;
        retention::give_back(&opened.connection, pages)?;
        self.cells.bytes.set(i64::try_from(pages.all * PAGE).unwrap_or(i64::MAX));
        let log = self.log_bytes();
        self.cells.log_bytes.set(i64::try_from(log).unwrap_or(i64::MAX));
        if log > 0
            && now.monotonic.saturating_sub(self.written) >= IDLE
            && let Some(opened) = &self.open
        {
            // Without waiting for readers: exports would have to wait as well.
            opened.connection.busy_timeout(Duration::ZERO)?;
            let emptied = retention::checkpoint(&opened.connection);
            opened.connection.busy_timeout(self.plan.busy_timeout)?;
            emptied?;
        }
        self.trim(0)?;
        Ok(more)
    }
}
