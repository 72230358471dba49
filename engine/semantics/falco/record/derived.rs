//! Attributes made of more than one field, or of a part of one.

use super::Mapping;
use crate::{
    event::Scalar,
    semantics::{
        falco::{alert::Alert, convert, field::Field, fields::ANCESTOR, names::FIXED, table::FieldId},
        keys,
        sink::Sink,
    },
};

impl<S: Sink> Mapping<'_, S> {
    /// Attributes made of more than one field.
    pub(super) fn derived(&mut self, alert: &Alert<'_>) {
        let fields = &alert.fields;
        // Parts of clean text, because a part alone may not look like the secret it belongs to.
        let texts = self.texts;
        if let Some(path) = fields.text(FieldId::ProcExepath).map(|path| texts.clean(path))
            && let Some(name) = last_part(&path)
        {
            self.text(&keys::EXECUTABLE_NAME, name);
        }
        self.ancestors(alert);
        if let Some(path) = alert.file_path().map(|path| texts.clean(path)) {
            let name = last_part(&path);
            if let Some(name) = name {
                self.text(&keys::FILE_NAME, name);
                if let Some((stem, extension)) = name.rsplit_once('.')
                    && !stem.is_empty()
                    && !extension.is_empty()
                {
                    self.text(&keys::FILE_EXTENSION, extension);
                }
            }
            match path.rfind('/') {
                Some(0) => self.record.push(&keys::FILE_DIRECTORY, &Scalar::Word("/")),
                Some(end) => self.text(&keys::FILE_DIRECTORY, &path[..end]),
                None => {}
            }
        }
        if fields.audit {
            self.audit(alert);
        }
        if !alert.is_host()
            && let (Some(repository), Some(digest)) =
                (fields.text(FieldId::ContainerImageRepository), fields.text(FieldId::ContainerImageDigest))
        {
            let digest = format!("{repository}@{digest}");
            let digest = Scalar::Text(texts.text(&digest));
            self.resource.push_list(&keys::IMAGE_DIGESTS, std::iter::once(digest));
        }
    }

    /// `proc.aname[2]`, `[3]`, ... by rising number, unless `proc.aname` gave the list.
    fn ancestors(&mut self, alert: &Alert<'_>) {
        if !alert.fields.ancestors || alert.fields.has(FieldId::ProcAname) {
            return;
        }
        let mut found: Vec<(u32, &Field<'_>)> = Vec::new();
        for field in alert.fields.list.iter().filter(|field| !field.value.is_absent()) {
            if let Some(number) = field.name.strip_prefix(ANCESTOR).and_then(|rest| rest.strip_suffix(']')) {
                found.push((number.parse().unwrap_or(u32::MAX), &field.value));
            }
        }
        if !found.is_empty() {
            found.sort_by_key(|(number, _)| *number);
            let texts = self.texts;
            let items = found.into_iter().flat_map(|(_, value)| value.items());
            let items = items.map(|item| convert::item(texts, "proc.aname", item));
            self.record.push_list(&FIXED.ancestors, items);
        }
    }

    /// What the fields of an audit rule say together.
    fn audit(&mut self, alert: &Alert<'_>) {
        let fields = &alert.fields;
        if let Some(uri) = fields.text(FieldId::KaUri).map(|uri| self.texts.clean(uri)) {
            let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
            if !path.is_empty() {
                self.text(&FIXED.url_path, path);
            }
            if !query.is_empty() {
                self.text(&FIXED.url_query, query);
            }
        }
        if let Some(method) = fields.text(FieldId::KaVerb).and_then(method_of) {
            self.record.push(&FIXED.method, &Scalar::Word(method));
        }
        if !fields.has(FieldId::FdCip)
            && let Some(first) = fields.get(FieldId::KaSourceips).and_then(|ips| match ips {
                Field::List { items, .. } => items.first().and_then(Field::as_str),
                other => other.as_str(),
            })
        {
            self.clean_text(&FIXED.client_address, first);
        }
        if fields.get(FieldId::KaResponseCode).and_then(Field::as_int).is_some_and(|code| code >= 400)
            && let Some(reason) = fields.text(FieldId::KaResponseReason)
        {
            self.clean_text(&FIXED.error_type, reason);
        }
        if fields.text(FieldId::KaTargetResource) == Some("pods")
            && let Some(name) = fields.text(FieldId::KaTargetName)
        {
            self.clean_text(&keys::POD_NAME, name);
        }
    }
}

/// What is behind the last slash.
fn last_part(path: &str) -> Option<&str> {
    let start = memchr::memrchr(b'/', path.as_bytes()).map_or(0, |slash| slash + 1);
    path.get(start..).filter(|name| !name.is_empty())
}

/// The HTTP method that the API server maps to a verb.
pub(in crate::semantics) fn method_of(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "get" | "list" | "watch" => "GET",
        "create" => "POST",
        "update" => "PUT",
        "patch" => "PATCH",
        "delete" | "deletecollection" => "DELETE",
        _ => return None,
    })
}
