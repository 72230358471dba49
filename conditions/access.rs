//! Where the fields of a program are in a record: worked out once, when a condition is compiled.

use crate::schema::{RecordSchema, record_schema};
use lanner_engine::{
    event::{Key, Reads},
    semantics::{
        falco::{
            preserved_name,
            table::{As, Place, ROWS, Target},
        },
        keys,
    },
};
use lanner_rules::{
    audit::{AuditPlan, Parity},
    evaluate::Field,
    schema::Kind,
};

/// Where the fields of one program are, by [`FieldId`](lanner_rules::evaluate::FieldId).
pub struct Access {
    pub(crate) fields: Vec<Readable>,
    /// For what only the raw text of an audit event has.
    pub(crate) audit: Option<AuditPlan>,
}

/// A field.
pub(crate) struct Readable {
    pub reader: Reader,
    /// What its values are read as.
    pub kind: Kind,
    pub is_list: bool,
}

/// How a field is read.
pub(crate) enum Reader {
    /// The first of these attributes that is there.
    Attributes {
        audit: bool,
        places: Box<[Attribute]>,
    },
    /// One of the ancestors of a process, by its number.
    Ancestor {
        preserved: Key,
        place: usize,
    },
    Priority,
    Body,
    EventName,
    SeverityNumber,
    SeverityText,
    /// In nanoseconds.
    Time,
    TimeText,
}

/// An attribute of the record or of its resource.
pub(crate) enum Attribute {
    Record(Key),
    Resource(Key),
}

impl Attribute {
    fn of_record(&self) -> Option<&Key> {
        match self {
            Self::Record(key) => Some(key),
            Self::Resource(_) => None,
        }
    }
}

/// The ancestors of a process, from the grandparent on.
pub(crate) fn ancestors() -> &'static Key {
    static KEY: std::sync::LazyLock<Key> = std::sync::LazyLock::new(|| Key::intern("falco.process.ancestors"));
    &KEY
}

impl Access {
    /// What they need of a record.
    pub fn reads(&self) -> Reads {
        let keys = |reader: &Reader| match reader {
            Reader::Attributes { places, .. } => places.iter().filter_map(Attribute::of_record).cloned().collect(),
            Reader::Ancestor { preserved, .. } => vec![preserved.clone(), ancestors().clone()],
            Reader::Priority => vec![keys::PRIORITY.clone()],
            Reader::Body
            | Reader::EventName
            | Reader::SeverityNumber
            | Reader::SeverityText
            | Reader::Time
            | Reader::TimeText => Vec::new(),
        };
        Reads {
            attributes: self.fields.iter().flat_map(|field| keys(&field.reader)).collect(),
            body: self.fields.iter().any(|field| matches!(field.reader, Reader::Body)),
        }
    }

    /// The places of a program's fields, which must be those of [`record_schema`].
    pub fn new(fields: &[Field]) -> Self {
        let readable = |field: &Field| Readable {
            reader: Reader::of(field),
            kind: record_schema().kind(field.key),
            is_list: field.is_list,
        };
        let read: Vec<Readable> = fields.iter().map(readable).collect();
        let audit = read.iter().any(|field| matches!(field.reader, Reader::Attributes { audit: true, .. }));
        let audit = audit.then(|| {
            // The plan has an entry for each field, so that numbers stay; those of other fields are never asked.
            let rekeyed = |field: &Field| {
                let key = RecordSchema::audit_key(field.key).unwrap_or_default();
                Field { key, ..field.clone() }
            };
            AuditPlan::new(&fields.iter().map(rekeyed).collect::<Vec<_>>(), Parity::Corrected)
        });
        Self { fields: read, audit }
    }
}

impl Reader {
    fn of(field: &Field) -> Self {
        let (name, argument) = (&*field.name, field.argument.as_deref());
        let one = |place| Self::Attributes { audit: false, places: Box::new([place]) };
        match (name, argument) {
            ("priority" | "falco.priority", _) => Self::Priority,
            ("rule", _) => one(Attribute::Record(keys::RULE.clone())),
            ("tags", _) => one(Attribute::Record(keys::TAGS.clone())),
            ("source" | "evt.source", _) => one(Attribute::Record(keys::SOURCE.clone())),
            ("category", _) => one(Attribute::Record(keys::CATEGORY.clone())),
            ("uid", _) => one(Attribute::Record(keys::UID.clone())),
            ("hostname" | "evt.hostname", _) => one(Attribute::Resource(keys::HOST_NAME.clone())),
            ("output" | "body", _) => Self::Body,
            ("event_name", _) => Self::EventName,
            ("severity_number", _) => Self::SeverityNumber,
            ("severity_text", _) => Self::SeverityText,
            ("evt.rawtime" | "evt.rawtime.ns", _) => Self::Time,
            ("evt.time" | "evt.time.iso8601" | "evt.datetime", _) => Self::TimeText,
            ("attr", Some(key)) => one(Attribute::Record(Key::intern(key))),
            ("resource", Some(key)) => one(Attribute::Resource(Key::intern(key))),
            ("k8s.pod.label", Some(label)) => one(Attribute::Resource(Key::intern(&format!("k8s.pod.label.{label}")))),
            ("proc.aname", Some(number)) => {
                let preserved = Key::intern(&preserved_name(&format!("proc.aname[{number}]")));
                // The mapping lists them from the grandparent on.
                Self::Ancestor { preserved, place: number.parse::<usize>().unwrap_or(0).saturating_sub(2) }
            }
            _ => Self::attributes(field),
        }
    }

    fn attributes(field: &Field) -> Self {
        // `evt.arg.path` and `evt.arg[path]` are the same; the mapping knows the first.
        let full = match field.argument.as_deref() {
            Some(argument) if field.name.ends_with(argument) => field.name.to_string(),
            Some(argument) => format!("{}[{argument}]", field.name),
            None => of_network(&field.name).to_owned(),
        };
        let dotted = field.argument.as_deref().map(|argument| format!("{}.{argument}", field.name));
        let named = [Some(full), dotted];
        let mut places = Vec::new();
        for name in named.iter().flatten() {
            let targets = ROWS.iter().filter(|row| row.field == name).flat_map(|row| row.to);
            let preserved = Attribute::Record(Key::intern(&preserved_name(name)));
            let (shared, own): (Vec<_>, Vec<_>) = targets
                .filter(|target| !target.name.is_empty() && !matches!(target.kind, As::NotZero | As::Labels))
                .partition(|target| matches!(target.kind, As::FilePath));
            let places_of = |target: &Target| match target.place {
                Place::Record => Attribute::Record(Key::intern(target.name)),
                Place::Resource => Attribute::Resource(Key::intern(target.name)),
            };
            places.extend(own.into_iter().map(places_of));
            places.push(Attribute::Record(Key::intern(name)));
            places.push(Attribute::Resource(Key::intern(name)));
            places.push(preserved);
            // Other fields fill these too, so they count only where the field's own places have nothing.
            places.extend(shared.into_iter().map(places_of));
        }
        Self::Attributes { audit: RecordSchema::audit_key(field.key).is_some(), places: places.into() }
    }
}

/// The address that is asked for its network: `fd.snet in (10.0.0.0/8)` is about `fd.sip`.
fn of_network(name: &str) -> &str {
    match name {
        "fd.net" => "fd.ip",
        "fd.cnet" => "fd.cip",
        "fd.snet" => "fd.sip",
        "fd.lnet" => "fd.lip",
        "fd.rnet" => "fd.rip",
        name => name,
    }
}
