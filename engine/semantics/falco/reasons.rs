//! Why a piece of input is no alert, and what can be odd about one that is. All are constants, so they may be
//! labels of metrics.

/// A reason with what it means, for the reference page.
pub type Reason = (&'static str, &'static str);

/// Kept as a plain record: the text is no JSON.
pub const NOT_JSON: &str = "not_json";
/// Kept as a plain record: JSON, but no object.
pub const NOT_OBJECT: &str = "not_object";
/// Kept as a plain record: an object with neither rule nor output.
pub const NOT_ALERT: &str = "not_alert";
/// Kept as a plain record: nested too deep.
pub const TOO_DEEP: &str = "too_deep";
/// Kept as one plain record: what is behind the last piece that is looked at.
pub const TOO_MANY: &str = "too_many";

pub(super) const UNKNOWN_PRIORITY: &str = "unknown_priority";
pub(super) const MISSING_PRIORITY: &str = "missing_priority";
pub(super) const NUMERIC_PRIORITY: &str = "numeric_priority";
pub(super) const BAD_TIME: &str = "bad_time";
pub(super) const MISSING_TIME: &str = "missing_time";
pub(super) const NO_TIME: &str = "no_time";
pub(super) const TIME_FORM: &str = "time_form";
pub(super) const MISSING_RULE: &str = "missing_rule";
pub(super) const MISSING_OUTPUT: &str = "missing_output";
pub(super) const MISSING_OUTPUT_FIELDS: &str = "missing_output_fields";
pub(super) const WRONG_TYPE: &str = "wrong_type";
pub(super) const FIELD_TYPE: &str = "field_type";
pub(super) const UNKNOWN_KEY: &str = "unknown_key";
pub(super) const LIST_CUT: &str = "list_cut";
pub(super) const FIELDS_CUT: &str = "fields_cut";
pub(super) const TEXT_CUT: &str = "text_cut";
pub(super) const CLOCK_SKEW: &str = "clock_skew";

/// Reasons to keep a piece as a plain record.
pub const PLAIN: &[Reason] = &[
    (NOT_JSON, "the text is no JSON; one record for the line"),
    (NOT_OBJECT, "JSON, but neither an object nor an array of objects"),
    (NOT_ALERT, "an object with neither `rule` nor `output`"),
    (TOO_DEEP, "nested deeper than 64"),
    (TOO_MANY, "what is left of a body after 16384 pieces, as one record"),
];

/// Oddities of records that are kept all the same.
pub const DEGRADED: &[Reason] = &[
    (UNKNOWN_PRIORITY, "`priority` is no word of Falco; the severity number is 0, the text stays"),
    (MISSING_PRIORITY, "no `priority`; the severity number is 0"),
    (NUMERIC_PRIORITY, "`priority` is a number; read as the gRPC enumeration, 0 Emergency to 7 Debug"),
    (BAD_TIME, "`time` is no RFC 3339 time; the output fields decide"),
    (MISSING_TIME, "no `time`; the output fields decide"),
    (NO_TIME, "no usable time at all; `time_unix_nano` is 0, unknown"),
    (TIME_FORM, "the time was a number of another unit or `{seconds, nanos}`"),
    (MISSING_RULE, "no `rule`"),
    (MISSING_OUTPUT, "neither `output` nor `message`"),
    (MISSING_OUTPUT_FIELDS, "no `output_fields`, or not an object"),
    (WRONG_TYPE, "a key of the alert has an unexpected type; a scalar is taken as its text"),
    (FIELD_TYPE, "an output field does not fit its attribute; kept as `falco.output_fields.<field>`"),
    (UNKNOWN_KEY, "a key that alerts do not have; left out"),
    (LIST_CUT, "a list with more than 1024 items; the rest is left out"),
    (FIELDS_CUT, "more than 1024 output fields; the rest counts in `dropped_attributes_count`"),
    (TEXT_CUT, "a plain record's text over 64 KiB; cut at a character boundary"),
    (CLOCK_SKEW, "the event time lies over 24 hours ahead; kept, with `lanner.clock_skew` = true"),
];
