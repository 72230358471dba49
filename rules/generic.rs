//! The fields that events of every source have.

use crate::schema::{
    Kind::{Bool, Text, Uint},
    Row,
};

/// Their table. Sources put it first, so that a field's place here is its number there.
pub const ROWS: &[Row] = &[
    Row::new("evt.num", Uint),
    Row::new("evt.time", Text),
    Row::new("evt.time.s", Text),
    Row::new("evt.time.iso8601", Text),
    Row::new("evt.datetime", Text),
    Row::new("evt.datetime.s", Text),
    Row::new("evt.rawtime", Uint),
    Row::new("evt.rawtime.s", Uint),
    Row::new("evt.rawtime.ns", Uint),
    Row::new("evt.reltime", Uint),
    Row::new("evt.reltime.s", Uint),
    Row::new("evt.reltime.ns", Uint),
    Row::new("evt.pluginname", Text),
    Row::new("evt.plugininfo", Text),
    Row::new("evt.source", Text),
    Row::new("evt.is_async", Bool),
    Row::new("evt.asynctype", Text),
    Row::new("evt.hostname", Text),
];
