//! `Summary`: what became of an input, so that every piece is accounted for.

/// Counts by constant reason; a handful at most, and mostly none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons(Vec<(&'static str, usize)>);

impl Reasons {
    /// Counts one more. The reason is part of a metric: a constant, not event data.
    pub fn add(&mut self, reason: &'static str) {
        self.add_many(reason, 1);
    }

    /// Counts `count` more.
    pub fn add_many(&mut self, reason: &'static str, count: usize) {
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, total)) => *total += count,
            None => self.0.push((reason, count)),
        }
    }

    /// How often `reason` was counted.
    pub fn get(&self, reason: &str) -> usize {
        self.iter().find(|(known, _)| *known == reason).map_or(0, |(_, count)| count)
    }

    /// All counts together.
    pub fn total(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each reason with its count.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, usize)> + '_ {
        self.0.iter().copied()
    }
}

/// What became of the pieces of an input. `alerts + internal + plain.total()` is the number of records made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records that are alerts.
    pub alerts: usize,
    /// Records that are Falco's messages about itself.
    pub internal: usize,
    /// Pieces that are no alert and were kept as plain records, by reason.
    pub plain: Reasons,
    /// Oddities of records that were kept all the same, by reason; a record can have several.
    pub degraded: Reasons,
}

impl Summary {
    /// How many records were made.
    pub fn records(&self) -> usize {
        self.alerts + self.internal + self.plain.total()
    }
}
