//! How a group lies in the storage: two entries, so that a repeat rewrites the small one only.
//!
//! - `g/<id>`, the numbers: below 100 bytes for a tumbling window;
//! - `t/<id>`, the texts: the key, and of what is folded the record and the exemplars;
//! - `settings`, once: what the groups were made with. With other settings they are not continued but closed.
//!
//! Format: a version byte, then integers of 8 bytes (big-endian), lengths of 4 bytes and bytes. Times are those of the
//! wall clock, because the monotonic one begins anew with the process.

use super::{
    folded::{Exemplar, Folded},
    group::Group,
    window::{Shape, Step, Window},
};
use bytes::Bytes;
use lanner_engine::{
    event::{SeverityNumber, otlp},
    prelude::*,
    stage::Now,
};
use std::{collections::BTreeMap, sync::Arc};

const VERSION: u8 = 1;
pub const NUMBERS: &str = "g/";
pub const TEXTS: &str = "t/";
pub const SETTINGS: &str = "settings";

/// What groups are made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Names of the fields of a key.
    pub fields: Vec<String>,
    /// The window as people write it.
    pub window: String,
    /// All that windows go by.
    pub shape: String,
}

impl Settings {
    pub fn to_bytes(&self) -> Bytes {
        // Text only: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The name of an entry.
pub fn name(prefix: &str, id: u64) -> String {
    format!("{prefix}{id:016x}")
}

/// The numbers of a group.
pub fn numbers(group: &Group, now: Now) -> Bytes {
    let mut out = vec![VERSION, u8::from(group.window.active)];
    let mut put = |number: u64| out.extend_from_slice(&number.to_be_bytes());
    put(group.sequence);
    put(wall(group.window.due, now));
    put(wall(group.window.passed_until, now));
    let folded = group.folded.as_deref();
    put(folded.map_or(0, |folded| folded.count));
    put(folded.map_or(0, |folded| folded.first_time));
    put(folded.map_or(0, |folded| folded.last_time));
    // From the oldest step to the current one.
    let (later, sooner) = group.window.steps.split_at((group.window.current + 1).min(group.window.steps.len()));
    for step in sooner.iter().chain(later) {
        put(step.records);
        put(step.held);
    }
    out.into()
}

/// The texts of a group.
pub fn texts(group: &Group) -> Bytes {
    let mut out = vec![VERSION];
    let mut put = |bytes: &[u8]| {
        // Keys, records and exemplars are bounded far below 4 GiB.
        out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    put(&group.opened.to_be_bytes());
    put(&group.key);
    if let Some(folded) = &group.folded {
        put(&[folded.severity.0]);
        put(folded.rule.as_bytes());
        put(&folded.record);
        for exemplar in &folded.exemplars {
            put(exemplar.uid.as_bytes());
            put(exemplar.text.as_bytes());
        }
    }
    out.into()
}

/// Entries with their names.
pub type Entries = Vec<(String, Bytes)>;

/// The groups of a storage, and the names of entries that are of no use.
pub fn read(numbers: Entries, texts: Entries, shape: &Shape, now: Now) -> (BTreeMap<u64, Group>, Vec<String>) {
    let (mut groups, mut useless) = (BTreeMap::new(), Vec::new());
    let mut texts: BTreeMap<String, Bytes> = texts.into_iter().collect();
    for (name, value) in numbers {
        let id = name.strip_prefix(NUMBERS).and_then(|id| u64::from_str_radix(id, 16).ok());
        let texts_name = self::name(TEXTS, id.unwrap_or_default());
        let group = id.and_then(|id| Some((id, group(id, &value, texts.get(&texts_name)?, shape, now)?)));
        match group {
            Some((id, group)) => {
                texts.remove(&texts_name);
                groups.insert(id, group);
            }
            None => useless.push(name),
        }
    }
    useless.extend(texts.into_keys());
    (groups, useless)
}

/// A group of its two entries; `None` when one is damaged.
fn group(id: u64, numbers: &[u8], texts: &Bytes, shape: &Shape, now: Now) -> Option<Group> {
    let mut folded = None;
    if texts.first() != Some(&VERSION) {
        return None;
    }
    let mut reader = Reader(texts.slice(1..));
    let opened = u64::from_be_bytes(reader.part()?.as_ref().try_into().ok()?);
    let key: Arc<[u8]> = reader.part()?.as_ref().into();
    if !reader.0.is_empty() {
        let severity = SeverityNumber(*reader.part()?.first()?);
        let (rule, record) = (reader.text()?, reader.part()?);
        otlp::decode_logs(&record).ok()?;
        let mut exemplars = Vec::new();
        while !reader.0.is_empty() {
            exemplars.push(Exemplar { uid: reader.text()?, text: reader.text()? });
        }
        folded = Some(Box::new(Folded { count: 0, first_time: 0, last_time: 0, severity, rule, record, exemplars }));
    }
    let (&[version, active], numbers) = numbers.split_first_chunk::<2>()?;
    let (numbers, rest) = numbers.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|number| u64::from_be_bytes(*number));
    if version != VERSION || !rest.is_empty() {
        return None;
    }
    let sequence = numbers.next()?;
    let (due, passed_until) = (numbers.next()?, numbers.next()?);
    let (count, first_time, last_time) = (numbers.next()?, numbers.next()?, numbers.next()?);
    if let Some(folded) = &mut folded {
        (folded.count, folded.first_time, folded.last_time) = (count, first_time, last_time);
    }
    let mut window = Window::begin(shape, now.monotonic);
    window.steps.clear();
    // Any number of steps: an earlier configuration may have had another.
    while let Some(records) = numbers.next() {
        window.steps.push(Step { records, held: numbers.next()? });
    }
    window.active = active == 1;
    window.current = window.steps.len().checked_sub(1)?;
    // A wall clock that was set meanwhile shall neither keep a window open for ever nor close the door for long.
    window.due = monotonic(due, now, shape.every);
    window.passed_until = monotonic(passed_until, now, shape.rate.map_or(0, |rate| rate.interval + rate.tolerance));
    Some(Group { id, key, opened, sequence, window, folded: folded.filter(|folded| folded.count > 0) })
}

/// A monotonic time on the wall clock.
fn wall(time: u64, now: Now) -> u64 {
    match time.checked_sub(now.monotonic) {
        Some(ahead) => now.unix.saturating_add(ahead),
        None => now.unix.saturating_sub(now.monotonic - time),
    }
}

/// A time of the wall clock on the monotonic one, at most `most` ahead.
fn monotonic(time: u64, now: Now, most: u64) -> u64 {
    now.monotonic.saturating_add(time.saturating_sub(now.unix).min(most))
}

/// Takes parts with a length in front.
struct Reader(Bytes);

impl Reader {
    fn part(&mut self) -> Option<Bytes> {
        let length = u32::from_be_bytes(*self.0.first_chunk::<4>()?) as usize;
        let rest = self.0.slice(4..);
        (length <= rest.len()).then(|| {
            self.0 = rest.slice(length..);
            rest.slice(..length)
        })
    }

    fn text(&mut self) -> Option<Text> {
        std::str::from_utf8(&self.part()?).ok().map(Text::from)
    }
}
