//! Alerts as events.

use super::SOURCE;
use crate::{
    audit::json::Json,
    evaluate::{Arena, Field, FieldId, Fields, Value},
    generic::{self, Common},
    schema::{Catalog, Kind, Row},
    syscall,
};
use bumpalo::collections::Vec as BumpVec;
use std::{cell::Cell, sync::Arc};

/// The fields that an alert has besides those of the source `syscall`, named as in OpenTelemetry.
const OWN: [Row; 3] = [
    Row::new("security_rule.name", Kind::Text),
    Row::new("falco.priority", Kind::Text),
    Row::new("falco.tags", Kind::Text).list(),
];

/// The schema of alerts.
pub fn schema() -> Catalog {
    syscall::schema_with(OWN)
}

/// Where the fields of a program are. Made once per program.
#[derive(Debug, Clone)]
pub struct AlertPlan {
    lookups: Vec<Lookup>,
}

#[derive(Debug, Clone)]
enum Lookup {
    /// A field of every event.
    Generic(Arc<str>),
    /// A member of the alert itself.
    Member { name: &'static str, is_list: bool },
    /// An output field, under one of these names.
    Output { names: Box<[String]>, kind: Kind, is_list: bool },
}

impl AlertPlan {
    /// A plan for the fields of a program that was compiled against [`schema`].
    pub fn new(fields: &[Field]) -> Self {
        let schema = schema();
        let lookup = |field: &Field| match &*field.name {
            "security_rule.name" => Lookup::Member { name: "rule", is_list: false },
            "falco.priority" => Lookup::Member { name: "priority", is_list: false },
            "falco.tags" => Lookup::Member { name: "tags", is_list: true },
            _ if (field.key as usize) < generic::ROWS.len() => Lookup::Generic(Arc::clone(&field.name)),
            _ => {
                let kind = schema.row(field.key).map_or(Kind::Text, |row| row.kind);
                Lookup::Output { names: names(field), kind, is_list: field.is_list }
            }
        };
        Self { lookups: fields.iter().map(lookup).collect() }
    }
}

/// What an output field may be called: as it is written, and for `evt.arg.x` also `evt.arg[x]`, and the other way round.
fn names(field: &Field) -> Box<[String]> {
    let name = &*field.name;
    let Some(argument) = &field.argument else { return [name.to_owned()].into() };
    match name.strip_suffix(&**argument).and_then(|base| base.strip_suffix('.')) {
        Some(base) => [name.to_owned(), format!("{base}[{argument}]")].into(),
        None => [format!("{name}[{argument}]"), format!("{name}.{argument}")].into(),
    }
}

/// A text that is no alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event is not a JSON object in UTF-8 that has a `rule`")]
pub struct NotAlert;

/// One alert.
pub struct AlertEvent<'a> {
    root: Json<'a>,
    output: Option<Json<'a>>,
    number: u64,
    arena: &'a Arena,
    plan: &'a AlertPlan,
    known: &'a [Cell<Option<Value<'a>>>],
}

impl<'a> AlertEvent<'a> {
    /// An alert, the `number`-th. The arena must not be reset as long as it is used.
    ///
    /// # Errors
    /// If the text is not one JSON object, or has no `rule`.
    pub fn new(text: &'a [u8], number: u64, plan: &'a AlertPlan, arena: &'a Arena) -> Result<Self, NotAlert> {
        let text = std::str::from_utf8(text).map_err(|_| NotAlert)?;
        let root = Json::parse(text, arena).ok_or(NotAlert)?;
        root.get("rule").ok_or(NotAlert)?;
        let known = arena.bump().alloc_slice_fill_copy(plan.lookups.len(), None);
        let known = Cell::from_mut(known).as_slice_of_cells();
        Ok(Self { root, output: root.get("output_fields"), number, arena, plan, known })
    }

    /// The source of the event that the alert is about.
    pub fn source(&self) -> &'a str {
        match self.root.get("source").map(Json::text) {
            // As Falcosidekick fills it in.
            None | Some("" | "syscalls") => SOURCE,
            Some(source) => source,
        }
    }

    /// The host; empty if the alert does not say.
    pub fn hostname(&self) -> &'a str {
        self.root.get("hostname").map(Json::text).unwrap_or_default()
    }

    /// When the event was, in nanoseconds since 1970.
    pub fn time(&self) -> Option<u64> {
        let written = self.root.get("time").and_then(|time| generic::nanoseconds(time.text()));
        written.or_else(|| {
            let output = self.output?;
            let mut times = ["evt.time", "evt.time.iso8601", "evt.rawtime"].into_iter();
            times.find_map(|name| output.get(name)?.text().parse().ok())
        })
    }

    fn look_up(&self, lookup: &Lookup) -> Value<'a> {
        match lookup {
            Lookup::Generic(name) => generic::value(name, &self.common(), self.arena),
            Lookup::Member { name, is_list } => self.value(self.root.get(name), Kind::Text, *is_list),
            Lookup::Output { names, kind, is_list } => {
                let found = self.output.and_then(|output| names.iter().find_map(|name| output.get(name)));
                self.value(found, *kind, *is_list)
            }
        }
    }

    fn common(&self) -> Common<'a> {
        Common {
            number: self.number,
            time: self.time(),
            source: self.source(),
            plugin: "",
            info: "",
            hostname: self.hostname(),
        }
    }

    fn value(&self, found: Option<Json<'a>>, kind: Kind, is_list: bool) -> Value<'a> {
        let Some(found) = found else { return Value::Absent };
        match found.items() {
            Some(members) if is_list => {
                let members = members.map(|member| read(member, kind)).filter(Value::exists);
                Value::List(BumpVec::from_iter_in(members, self.arena.bump()).into_bump_slice())
            }
            _ => match read(found, kind) {
                Value::Absent => Value::Absent,
                one if is_list => self.arena.list(&[one]),
                one => one,
            },
        }
    }
}

/// A value of this type; [`Value::Absent`] if it is none.
fn read<'a>(json: Json<'a>, kind: Kind) -> Value<'a> {
    let text = json.text();
    if json.raw() == "null" || text == "<NA>" {
        return Value::Absent;
    }
    let read = match kind {
        Kind::Text | Kind::Any => Some(Value::from(text)),
        Kind::Bytes => Some(Value::Bytes(text.as_bytes())),
        // An id that is not known is -1 even where ids are counts.
        Kind::Int | Kind::Uint | Kind::Rank => {
            text.parse().map(Value::Uint).or_else(|_| text.parse().map(Value::Int)).ok()
        }
        Kind::Float => text.parse().map(Value::Float).ok(),
        Kind::Bool => text.parse().map(Value::Bool).ok(),
        Kind::Ip | Kind::Net => text.parse().map(Value::Ip).ok(),
    };
    read.unwrap_or_default()
}

impl Fields for AlertEvent<'_> {
    fn get(&self, field: FieldId) -> Value<'_> {
        let (Some(lookup), Some(known)) = (self.plan.lookups.get(field.index()), self.known.get(field.index())) else {
            return Value::Absent;
        };
        if let Some(value) = known.get() {
            return value;
        }
        let value = self.look_up(lookup);
        known.set(Some(value));
        value
    }
}
