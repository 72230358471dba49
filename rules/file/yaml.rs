//! YAML text to a tree with places.
//!
//! Promises: bounded ([`limits`]; each use of an alias counts with everything below it), never panics. A syntax error
//! ends the file, because nothing sensible can be read after it. Several documents are several trees. A key that is no
//! text, a second value for a key and a merge key are taken as Falco takes them: ignored, ignored, and a key like any.

use super::{
    limits,
    node::{Key, Node, NodeValue},
    sources::Spot,
};
use granit_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// Why a text could not be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub spot: Spot,
    pub message: String,
    pub too_large: bool,
}

/// What could be read of a text, and keys that were written twice.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub roots: Vec<Node>,
    pub duplicates: Vec<Key>,
}

/// Reads all documents of a file.
pub(super) fn parse(text: &str, file: u32) -> Result<Documents, Unreadable> {
    let mut builder =
        Builder { file, text, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, done: Documents::default() };
    let options = granit_parser::options! { emit_comments: false };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => builder.event(event, &span)?,
            Err(error) => {
                let marker = error.marker();
                let at = marker.byte_offset().unwrap_or(text.len());
                let deep = matches!(error.kind(), granit_parser::ErrorKind::RecursionLimitExceeded);
                let spot = Spot::new(file, at, at + 1);
                let message = format!(
                    "not valid YAML: {}; look for a missing quote, bracket or blank on this line or above it",
                    error.info()
                );
                return Err(Unreadable { spot, message, too_large: deep });
            }
        }
    }
    Ok(builder.done)
}

struct Frame {
    start: usize,
    anchor: usize,
    nodes: usize,
    depth: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, key: Option<Option<Key>> },
}

struct Finished {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Builder<'t> {
    file: u32,
    text: &'t str,
    stack: Vec<Frame>,
    /// Anchored values with what they cost; `None` while one is still being read.
    anchors: HashMap<usize, Option<(Node, usize, usize)>>,
    nodes: usize,
    done: Documents,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                let is_null =
                    style == ScalarStyle::Plain && !is_text && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { NodeValue::Null } else { NodeValue::Scalar(text.into_owned()) };
                let node = Node { spot: self.spot(span), value };
                self.finish(Finished { node, nodes: 1, depth: 0 }, 1, anchor, span)
            }
            Event::SequenceStart(_, anchor, _) => self.open(anchor, span, Content::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                self.open(anchor, span, Content::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Ok(()) };
                let value = match frame.content {
                    Content::List(items) => NodeValue::List(items),
                    Content::Map { entries, .. } => NodeValue::Map(entries),
                };
                let spot = Spot::new(self.file, frame.start, range(span).1);
                let node = Node { spot, value };
                let finished = Finished { node, nodes: frame.nodes + 1, depth: frame.depth + 1 };
                self.finish(finished, 1, frame.anchor, span)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned().flatten() {
                Some((mut node, nodes, depth)) => {
                    if node.scalar().is_none() {
                        node.spot = self.spot(span);
                    }
                    self.finish(Finished { node, nodes, depth }, nodes, 0, span)
                }
                None => Err(self.unreadable(span, "an alias inside its own anchor; write the value out", false)),
            },
            _ => Ok(()),
        }
    }

    fn spot(&self, span: &Span) -> Spot {
        let (start, end) = range(span);
        // A block scalar ends where the next thing begins.
        let slice = self.text.get(start..end).unwrap_or_default();
        Spot::new(self.file, start, start + slice.trim_end().len())
    }

    fn unreadable(&self, span: &Span, message: &str, too_large: bool) -> Unreadable {
        Unreadable { spot: self.spot(span), message: message.to_owned(), too_large }
    }

    fn open(&mut self, anchor: usize, span: &Span, content: Content) -> Result<(), Unreadable> {
        if self.stack.len() >= limits::DEPTH {
            return Err(self.unreadable(span, &format!("nested more than {} deep", limits::DEPTH), true));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.stack.push(Frame { start: range(span).0, anchor, nodes: 0, depth: 0, content });
        Ok(())
    }

    /// Puts a finished value where it belongs. `added`: how many values came with it that were not counted yet.
    fn finish(&mut self, finished: Finished, added: usize, anchor: usize, span: &Span) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(added);
        if self.nodes > limits::NODES || self.stack.len() + finished.depth > limits::DEPTH {
            let message = format!("more than {} values, or nested more than {} deep", limits::NODES, limits::DEPTH);
            return Err(self.unreadable(span, &message, true));
        }
        let Finished { node, nodes, depth } = finished;
        if anchor > 0 {
            self.anchors.insert(anchor, Some((node.clone(), nodes, depth)));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.done.roots.push(node);
            return Ok(());
        };
        frame.nodes += nodes;
        frame.depth = frame.depth.max(depth);
        let is_full = matches!(&frame.content, Content::Map { entries, .. } if entries.len() >= limits::KEYS);
        if is_full {
            return Err(self.unreadable(span, &format!("a map with more than {} keys", limits::KEYS), true));
        }
        let Some(frame) = self.stack.last_mut() else { return Ok(()) };
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                None => {
                    let spot = node.spot;
                    *key = Some(node.scalar().map(|text| Key { text: text.to_owned(), spot }));
                }
                Some(None) => {}
                Some(Some(known)) if entries.iter().any(|(first, _)| first.text == known.text) => {
                    self.done.duplicates.push(known);
                }
                Some(Some(known)) => entries.push((known, node)),
            },
        }
        Ok(())
    }
}

fn range(span: &Span) -> (usize, usize) {
    span.byte_range().map_or((0, 0), |range| (range.start, range.end.max(range.start)))
}
