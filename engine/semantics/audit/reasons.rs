//! Why an item is no audit event, and what can be odd about one that is. All are constants, so they may be labels.

/// A reason with what it means, for the reference page.
pub type Reason = (&'static str, &'static str);

/// Kept as a plain record: the text is no JSON.
pub const NOT_JSON: &str = "not_json";
/// Kept as a plain record: JSON, but no object.
pub const NOT_OBJECT: &str = "not_object";
/// Kept as a plain record: an object that is no audit event.
pub const NOT_EVENT: &str = "not_event";
/// Kept as a plain record: a known key has a value of another shape.
pub const WRONG_SHAPE: &str = "wrong_shape";
/// Kept as a plain record: too large even without its objects.
pub const ITEM_TOO_LARGE: &str = "item_too_large";
/// Kept as a plain record: the input ends inside it.
pub const CUT_SHORT: &str = "cut_short";

pub(super) const NO_TIME: &str = "no_time";
pub(super) const BAD_TIME: &str = "bad_time";
pub(super) const NO_AUDIT_ID: &str = "no_audit_id";
pub(super) const UNKNOWN_STAGE: &str = "unknown_stage";
pub(super) const WRONG_TYPE: &str = "wrong_type";
pub(super) const FOREIGN_API_VERSION: &str = "foreign_api_version";
pub(super) const TRUNCATED: &str = "truncated_by_api_server";
pub(super) const OBJECTS_REMOVED: &str = "objects_removed";
pub(super) const OBJECTS_UNREADABLE: &str = "objects_unreadable";
pub(super) const LIST_CUT: &str = "list_cut";
pub(super) const TEXT_CUT: &str = "text_cut";
pub(super) const CLOCK_SKEW: &str = "clock_skew";

/// Reasons to keep an item as a plain record.
pub const PLAIN: &[Reason] = &[
    (NOT_JSON, "the text is no JSON"),
    (NOT_OBJECT, "JSON, but no object"),
    (NOT_EVENT, "`kind` is not `Event`, or none of `stage`, `auditID`, `verb` is there"),
    (WRONG_SHAPE, "a key of the event is a list or text where an object belongs, is repeated, or nested too deep"),
    (ITEM_TOO_LARGE, "over the limit for one event, even without `requestObject` and `responseObject`"),
    (CUT_SHORT, "the input ends inside the event"),
];

/// Oddities of records that are kept all the same.
pub const DEGRADED: &[Reason] = &[
    (NO_TIME, "no usable time at all; `time_unix_nano` is 0, unknown"),
    (BAD_TIME, "the time of the stage is missing or no RFC 3339 time; another one of the event is taken"),
    (NO_AUDIT_ID, "no `auditID`"),
    (UNKNOWN_STAGE, "`stage` is missing or none of the four"),
    (WRONG_TYPE, "a value does not fit its attribute; left out"),
    (FOREIGN_API_VERSION, "`apiVersion` is there and not `audit.k8s.io/v1`"),
    (TRUNCATED, "the API server removed the objects (annotation `audit.k8s.io/truncated`)"),
    (OBJECTS_REMOVED, "Lanner removed the objects because the event was too large (`lanner.audit.objects_removed`)"),
    (
        OBJECTS_UNREADABLE,
        "nested deeper than 128, or with a number that fits no type; what pointers choose is left out",
    ),
    (LIST_CUT, "a list (groups, source addresses, values of `extra`) with more than 1024 items; the rest is left out"),
    (TEXT_CUT, "a plain record's text over 64 KiB; cut at a character boundary"),
    (CLOCK_SKEW, "the event time lies over 24 hours ahead; kept, with `lanner.clock_skew` = true"),
];
