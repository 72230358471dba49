//! The mapping of audit events, as data: the code, `docs/mapping.md` and the tests are made from it.

use super::event::{Event, ObjectRef, Status, User};
use crate::{
    event::{Key, SeverityNumber},
    semantics::falco::Field,
};
use std::sync::LazyLock;

/// How a value is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// Text; a number or a flag becomes its text.
    Text,
    /// An integer.
    Int,
    /// A list of texts.
    List,
    /// The first of a list.
    First,
    /// What is before the question mark.
    UrlPath,
    /// What is behind the question mark.
    UrlQuery,
    /// The HTTP method of a verb.
    Method,
    /// Text, when the resource is `pods`.
    OfPods,
    /// Text, when the code is 400 or above.
    OfFailure,
}

/// Where a row's value is.
pub(super) type Get = for<'e, 'a> fn(&'e Event<'a>) -> Option<&'e Field<'a>>;

/// One attribute of an audit event.
pub struct Row {
    /// Path of the value in the event.
    pub from: &'static str,
    /// The attribute.
    pub name: &'static str,
    pub kind: As,
    pub(super) get: Get,
}

const fn row(from: &'static str, name: &'static str, kind: As, get: Get) -> Row {
    Row { from, name, kind, get }
}

fn user<'e, 'a>(event: &'e Event<'a>) -> Option<&'e User<'a>> {
    event.user.as_ref()
}

fn impersonated<'e, 'a>(event: &'e Event<'a>) -> Option<&'e User<'a>> {
    event.impersonated_user.as_ref()
}

fn object<'e, 'a>(event: &'e Event<'a>) -> Option<&'e ObjectRef<'a>> {
    event.object_ref.as_ref()
}

fn status<'e, 'a>(event: &'e Event<'a>) -> Option<&'e Status<'a>> {
    event.response_status.as_ref()
}

/// Every attribute with a fixed name, most important first.
pub const ROWS: &[Row] = &[
    row("stage", "k8s.audit.event.stage", As::Text, |e| Some(&e.stage)),
    row("auditID", "k8s.audit.event.id", As::Text, |e| Some(&e.audit_id)),
    row("level", "k8s.audit.event.level", As::Text, |e| Some(&e.level)),
    row("verb", "k8s.audit.event.request.verb", As::Text, |e| Some(&e.verb)),
    row("user.username", "k8s.user.username", As::Text, |e| user(e).map(|u| &u.username)),
    row("objectRef.resource", "k8s.audit.event.object_ref.resource", As::Text, |e| object(e).map(|o| &o.resource)),
    row("objectRef.subresource", "k8s.audit.event.object_ref.subresource", As::Text, |e| {
        object(e).map(|o| &o.subresource)
    }),
    row("objectRef.namespace", "k8s.audit.event.object_ref.namespace", As::Text, |e| object(e).map(|o| &o.namespace)),
    row("objectRef.name", "k8s.audit.event.object_ref.name", As::Text, |e| object(e).map(|o| &o.name)),
    row("responseStatus.code", "k8s.audit.event.response.code", As::Int, |e| status(e).map(|s| &s.code)),
    row("responseStatus.code", "http.response.status_code", As::Int, |e| status(e).map(|s| &s.code)),
    row("responseStatus.reason", "error.type", As::OfFailure, |e| status(e).map(|s| &s.reason)),
    row("requestURI", "k8s.audit.event.request.uri", As::Text, |e| Some(&e.request_uri)),
    row("requestURI", "url.path", As::UrlPath, |e| Some(&e.request_uri)),
    row("requestURI", "url.query", As::UrlQuery, |e| Some(&e.request_uri)),
    row("verb", "http.request.method", As::Method, |e| Some(&e.verb)),
    row("user.username", "user.name", As::Text, |e| user(e).map(|u| &u.username)),
    row("user.uid", "user.id", As::Text, |e| user(e).map(|u| &u.uid)),
    row("user.groups", "k8s.user.groups", As::List, |e| user(e).map(|u| &u.groups)),
    row("impersonatedUser.username", "k8s.audit.event.impersonated_user.username", As::Text, |e| {
        impersonated(e).map(|u| &u.username)
    }),
    row("impersonatedUser.groups", "k8s.audit.event.impersonated_user.groups", As::List, |e| {
        impersonated(e).map(|u| &u.groups)
    }),
    row("sourceIPs", "k8s.audit.event.source_ips", As::List, |e| Some(&e.source_ips)),
    row("sourceIPs", "client.address", As::First, |e| Some(&e.source_ips)),
    row("userAgent", "k8s.audit.event.user_agent", As::Text, |e| Some(&e.user_agent)),
    row("userAgent", "user_agent.original", As::Text, |e| Some(&e.user_agent)),
    row("objectRef.apiGroup", "k8s.audit.event.object_ref.api_group", As::Text, |e| object(e).map(|o| &o.api_group)),
    row("objectRef.apiVersion", "k8s.audit.event.object_ref.api_version", As::Text, |e| {
        object(e).map(|o| &o.api_version)
    }),
    row("objectRef.uid", "k8s.audit.event.object_ref.uid", As::Text, |e| object(e).map(|o| &o.uid)),
    row("objectRef.namespace", "k8s.namespace.name", As::Text, |e| object(e).map(|o| &o.namespace)),
    row("objectRef.name", "k8s.pod.name", As::OfPods, |e| object(e).map(|o| &o.name)),
];

/// Prefix of the attributes of annotations.
pub const ANNOTATION: &str = "k8s.audit.event.annotation.";
/// Prefix of the attributes of `user.extra`.
pub const USER_EXTRA: &str = "k8s.audit.event.user.extra.";
/// Seconds from the request to the stage.
pub const DURATION: &str = "k8s.audit.event.duration";
/// Set when Lanner removed the objects of an event that was too large.
pub const OBJECTS_REMOVED: &str = "lanner.audit.objects_removed";

/// The attribute names of [`ROWS`], interned.
pub(super) static NAMES: LazyLock<Vec<Key>> = LazyLock::new(|| ROWS.iter().map(|row| Key::intern(row.name)).collect());

/// When a severity applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Stage(&'static [&'static str]),
    CodeFrom(i64),
    Code(&'static [i64]),
    Otherwise,
}

/// Severity numbers; the first match wins.
pub const SEVERITIES: &[(When, SeverityNumber)] = &[
    (When::Stage(&["Panic"]), SeverityNumber(18)),
    (When::CodeFrom(500), SeverityNumber(17)),
    (When::Code(&[401, 403]), SeverityNumber(13)),
    (When::Stage(&["RequestReceived", "ResponseStarted"]), SeverityNumber(5)),
    (When::Otherwise, SeverityNumber(9)),
];

/// The severity of a stage and a code.
pub fn severity(stage: &str, code: Option<i64>) -> SeverityNumber {
    let applies = |when: &When| match *when {
        When::Stage(stages) => stages.contains(&stage),
        When::CodeFrom(least) => code.is_some_and(|code| code >= least),
        When::Code(codes) => code.is_some_and(|code| codes.contains(&code)),
        When::Otherwise => true,
    };
    SEVERITIES.iter().find(|(when, _)| applies(when)).map_or(SeverityNumber::UNSPECIFIED, |(_, number)| *number)
}
