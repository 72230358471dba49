//! Which names a condition may ask for, and of which type they are.

use crate::names::{CLOSED, KNOWN, OWN};
use lanner_engine::event::Priority;
use lanner_rules::{
    audit,
    schema::{ArgumentSpec, Catalog, FieldSpec, ImpossibleValue, Kind, Schema},
    syscall,
};
use std::sync::LazyLock;

/// Where the numbers of each part begin.
const AUDIT: u32 = 1 << 16;
const SYSCALL: u32 = 1 << 17;
/// The number of every attribute.
const ATTRIBUTE: u32 = u32::MAX;
/// At most so many slips of the fingers make a name look like another one.
const SLIPS: usize = 2;

/// The fields of log records: Falco's, OpenTelemetry's, and short names.
pub struct RecordSchema {
    own: Catalog,
    audit: Catalog,
    syscall: Catalog,
}

/// The one schema there is.
pub fn record_schema() -> &'static RecordSchema {
    static SCHEMA: LazyLock<RecordSchema> = LazyLock::new(|| RecordSchema {
        own: Catalog::new(OWN.iter().copied()),
        audit: audit::schema(),
        syscall: syscall::schema(),
    });
    &SCHEMA
}

impl RecordSchema {
    /// The number of an audit field in the audit schema.
    pub(crate) fn audit_key(key: u32) -> Option<u32> {
        (AUDIT..SYSCALL).contains(&key).then(|| key - AUDIT)
    }

    /// The type that values of a field are read as.
    pub(crate) fn kind(&self, key: u32) -> Kind {
        let row = match key {
            ATTRIBUTE => None,
            key if key >= SYSCALL => self.syscall.row(key - SYSCALL),
            key if key >= AUDIT => self.audit.row(key - AUDIT),
            key => self.own.row(key),
        };
        row.map_or(Kind::Any, |row| row.kind)
    }

    fn falco(&self, name: &str) -> Option<FieldSpec> {
        let shifted = |spec: FieldSpec, by| FieldSpec { key: spec.key + by, ..spec };
        let of_audit = ["ka.", "jevt.", "json."].iter().any(|class| name.starts_with(class));
        match of_audit {
            true => self.audit.field(name).map(|spec| shifted(spec, AUDIT)),
            // Marks of rules, such as `deprecated`, are for those who write rules.
            false => self.syscall.field(name).map(|spec| FieldSpec { deprecated: None, ..shifted(spec, SYSCALL) }),
        }
    }

    /// Whether a name could be an attribute: it has a dot, is no mistaken field of Falco, and is not near to a name that the
    /// mapping writes.
    fn is_attribute(name: &str) -> bool {
        let Some((class, _)) = name.split_once('.') else { return false };
        if CLOSED.contains(&class) || name.split('.').any(str::is_empty) {
            return false;
        }
        let parts = name.matches('.').count();
        let near =
            |known: &&str| known.matches('.').count() == parts && strsim::damerau_levenshtein(known, name) <= SLIPS;
        KNOWN.contains(name) || name.len() > 128 || !KNOWN.iter().any(near)
    }
}

impl Schema for RecordSchema {
    fn field(&self, name: &str) -> Option<FieldSpec> {
        if let Some(spec) = self.own.field(name).or_else(|| self.falco(name)) {
            return Some(spec);
        }
        Self::is_attribute(name).then_some(FieldSpec {
            key: ATTRIBUTE,
            kind: Kind::Any,
            is_list: false,
            argument: ArgumentSpec::None,
            implied: None,
            plain_only: false,
            deprecated: None,
        })
    }

    fn names(&self) -> Vec<&str> {
        let mut names = self.own.names();
        names.extend(KNOWN.iter().copied());
        names.extend(self.syscall.names());
        names.extend(self.audit.names());
        names
    }

    fn check_value(&self, key: u32, value: &[u8]) -> Result<(), ImpossibleValue> {
        if key == ATTRIBUTE || key < SYSCALL {
            return Ok(());
        }
        let is_container = self.syscall.row(key - SYSCALL).is_some_and(|row| row.name == "container.id");
        if is_container && value == b"host" {
            let remedy = "events of the host have no container fields; write `container.id exists`, or `not` before it";
            return Err(ImpossibleValue(remedy.to_owned()));
        }
        self.syscall.check_value(key - SYSCALL, value)
    }

    fn rank(&self, _: u32, word: &[u8]) -> Result<i64, ImpossibleValue> {
        let word = String::from_utf8_lossy(word);
        match Priority::parse(&word) {
            Some(priority) => Ok(rank(priority)),
            None => {
                let words = Priority::ALL.iter().rev().map(|priority| priority.lower()).collect::<Vec<_>>().join(", ");
                let shown: String = word.chars().take(40).map(|c| if c.is_control() { '?' } else { c }).collect();
                Err(ImpossibleValue(format!("`{shown}` is no priority; write one of {words}")))
            }
        }
    }
}

/// More urgent is more.
pub fn rank(priority: Priority) -> i64 {
    // There are eight.
    Priority::ALL.iter().position(|known| *known == priority).map_or(0, |place| place as i64)
}
