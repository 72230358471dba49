//! YAML text to a [`Node`] tree with byte spans.
//!
//! Promises: never panics; memory and time are bounded whatever the text ([`MAX_BYTES`], [`MAX_DEPTH`],
//! [`MAX_NODES`], where each use of an alias counts with everything below it); what is wrong is a finding with
//! its place. Only a syntax error or a used-up budget end the file, because nothing sensible can be read after.
//!
//! Anchors, aliases and the merge key `<<` work as in the Collector. Documents after the first, keys that are no
//! scalars and private tags have no meaning here and are findings.

use super::{Diagnostic, Node, NodeKey, NodeValue, Origin, codes, scalar};
use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

/// Largest file.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 64;
/// Most values, aliases expanded.
pub const MAX_NODES: usize = 100_000;

/// Parses one text. `None`: nothing of it can be used. An empty text is `Null`.
pub(crate) fn parse(text: &str, file: &Arc<PathBuf>, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    parse_at(text, &|start, end| Origin::File { file: Arc::clone(file), start, end }, findings)
}

/// Parses a text that is no file: everything in it has the same origin.
pub(crate) fn parse_inline(text: &str, origin: &Origin, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    parse_at(text, &|_, _| origin.clone(), findings)
}

fn parse_at(text: &str, origin: &dyn Fn(usize, usize) -> Origin, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        findings.push(Diagnostic::error(codes::BUDGET, message, origin(0, 0), ""));
        return None;
    }
    let mut builder = Builder { origin, findings, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    let options = granit_parser::options! { emit_comments: false };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((Event::DocumentStart(..), span)) => {
                documents += 1;
                if documents == 2 {
                    builder.unsupported(&span, "a second YAML document; only one is read", "remove the `---` line");
                    break;
                }
            }
            Ok((event, span)) => builder.event(event, &span)?,
            Err(error) => {
                builder.syntax_error(&error, text);
                return None;
            }
        }
    }
    let nothing = || Node { origin: origin(0, 0), value: NodeValue::Null };
    Some(builder.root.unwrap_or_else(nothing))
}

/// A finished value with what it costs to repeat it.
#[derive(Clone)]
struct Finished {
    node: Node,
    nodes: usize,
    depth: usize,
}

/// A collection that is being read.
struct Frame {
    start: usize,
    anchor: usize,
    nodes: usize,
    depth: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(NodeKey, Node)>, places: HashMap<Arc<str>, usize>, key: Key, merges: Vec<Node> },
}

/// What a map waits for.
enum Key {
    Awaited,
    Read {
        key: NodeKey,
        plain: bool,
    },
    /// The key was no scalar: its value is skipped.
    Unusable,
}

struct Builder<'a> {
    origin: &'a dyn Fn(usize, usize) -> Origin,
    findings: &'a mut Vec<Diagnostic>,
    stack: Vec<Frame>,
    /// Anchored values; `None` while the value is still being read.
    anchors: HashMap<usize, Option<Finished>>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    fn at(&self, span: &Span) -> Origin {
        let range = range(span);
        (self.origin)(range.0, range.1)
    }

    fn unsupported(&mut self, span: &Span, what: &str, help: &str) {
        let origin = self.at(span);
        self.findings.push(Diagnostic::error(codes::UNSUPPORTED_YAML, what, origin, "").help(help));
    }

    fn syntax_error(&mut self, error: &granit_parser::ScanError, text: &str) {
        let marker = error.marker();
        let at = marker
            .byte_offset()
            .unwrap_or_else(|| text.char_indices().nth(marker.index()).map_or(text.len(), |(offset, _)| offset));
        // An error at the very end has no line to show; the last line that has text is what is unfinished.
        let at = if text.get(at..).is_some_and(|rest| rest.trim().is_empty()) { text.trim_end().len() } else { at };
        let mut finding = Diagnostic::error(
            codes::SYNTAX,
            format!("not valid YAML: {}", error.info()),
            (self.origin)(at, at + 1),
            "",
        );
        if matches!(error.kind(), granit_parser::ErrorKind::RecursionLimitExceeded) {
            finding.code = codes::BUDGET;
            finding.message = format!("nested more than {MAX_DEPTH} deep");
        }
        let line_start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        let indent = text.get(line_start..).unwrap_or_default();
        let indent = &indent[..indent.len() - indent.trim_start_matches([' ', '\t']).len()];
        if indent.contains('\t') {
            finding = finding.help("indent with spaces; YAML does not allow tabs there");
        } else {
            finding = finding.help("look for a missing quote, bracket or blank on this line or just above it");
        }
        self.findings.push(finding);
    }

    /// Takes one event. `None`: a budget is used up.
    fn event(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !self.is_text(tag, span);
                let value = match &*text {
                    text if plain && scalar::is_null(text) => NodeValue::Null,
                    text => NodeValue::Scalar { text: text.into(), plain },
                };
                let node = Node { origin: self.at(span), value };
                self.finish(Finished { node, nodes: 1, depth: 0 }, 1, anchor, span)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.is_text(tag, span);
                self.open(anchor, span, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.is_text(tag, span);
                let content =
                    Content::Map { entries: Vec::new(), places: HashMap::new(), key: Key::Awaited, merges: Vec::new() };
                self.open(anchor, span, content)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Some(()) };
                let value = match frame.content {
                    Content::List(items) => NodeValue::List(items),
                    Content::Map { entries, merges, .. } => NodeValue::Map(merged(entries, merges)),
                };
                let node = Node { origin: (self.origin)(frame.start, range(span).1), value };
                self.finish(Finished { node, nodes: frame.nodes + 1, depth: frame.depth + 1 }, 1, frame.anchor, span)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned().flatten() {
                Some(finished) => {
                    let added = finished.nodes;
                    self.finish(finished, added, 0, span)
                }
                None => {
                    self.unsupported(span, "an alias inside its own anchor", "write the value out");
                    self.finish(Finished { node: Node::default(), nodes: 1, depth: 0 }, 1, 0, span)
                }
            },
            _ => Some(()),
        }
    }

    /// Whether a tag says that the value is text. Tags that say something unknown are findings.
    fn is_text(&mut self, tag: Option<Cow<'_, Tag>>, span: &Span) -> bool {
        let Some(tag) = tag else { return false };
        match tag.core_suffix() {
            Some("str") => true,
            Some("int" | "float" | "bool" | "null" | "seq" | "map") => false,
            _ => {
                let what = format!("the YAML tag `{}` has no meaning here", tag.original());
                self.unsupported(span, &what, "remove the tag");
                false
            }
        }
    }

    fn open(&mut self, anchor: usize, span: &Span, content: Content) -> Option<()> {
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        if self.stack.len() >= MAX_DEPTH {
            return self.over_budget(span, &format!("nested more than {MAX_DEPTH} deep"));
        }
        self.stack.push(Frame { start: range(span).0, anchor, nodes: 0, depth: 0, content });
        Some(())
    }

    fn over_budget<T>(&mut self, span: &Span, what: &str) -> Option<T> {
        let origin = self.at(span);
        self.findings.push(Diagnostic::error(codes::BUDGET, what, origin, ""));
        None
    }

    /// Puts a finished value where it belongs. `added`: how many values came with it that were not counted yet.
    fn finish(&mut self, finished: Finished, added: usize, anchor: usize, span: &Span) -> Option<()> {
        self.nodes += added;
        if self.nodes > MAX_NODES {
            return self.over_budget(span, &format!("more than {MAX_NODES} values, aliases expanded"));
        }
        if self.stack.len() + finished.depth > MAX_DEPTH {
            return self.over_budget(span, &format!("nested more than {MAX_DEPTH} deep"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, Some(finished.clone()));
        }
        let at = self.at(span);
        let Some(frame) = self.stack.last_mut() else {
            self.root.get_or_insert(finished.node);
            return Some(());
        };
        frame.nodes += finished.nodes;
        frame.depth = frame.depth.max(finished.depth);
        let node = finished.node;
        let (entries, places, key, merges) = match &mut frame.content {
            Content::List(items) => {
                items.push(node);
                return Some(());
            }
            Content::Map { entries, places, key, merges } => (entries, places, key, merges),
        };
        let problem = match std::mem::replace(key, Key::Awaited) {
            Key::Awaited => match node.value {
                NodeValue::Scalar { text, plain } => {
                    *key = Key::Read { key: NodeKey { text, origin: node.origin }, plain };
                    None
                }
                _ => {
                    *key = Key::Unusable;
                    let finding = Diagnostic::error(codes::UNSUPPORTED_YAML, "a key that is not text", at, "");
                    Some(finding.help("write `key: value`; text with braces or brackets in it needs quotes"))
                }
            },
            Key::Unusable => None,
            Key::Read { key, plain: true } if &*key.text == "<<" => match node.value {
                NodeValue::Map(_) => {
                    merges.push(node);
                    None
                }
                NodeValue::List(maps) if maps.iter().all(|map| matches!(map.value, NodeValue::Map(_))) => {
                    merges.extend(maps);
                    None
                }
                _ => {
                    let finding = Diagnostic::error(codes::UNSUPPORTED_YAML, "`<<` merges maps only", key.origin, "");
                    Some(finding.help("write `<<: *anchor` with the anchor at a map"))
                }
            },
            Key::Read { key, .. } => match places.get(&key.text) {
                Some(first) => {
                    let message = format!("duplicate key `{}`", key.text);
                    let finding = Diagnostic::error(codes::DUPLICATE_KEY, message, key.origin, "");
                    let first = entries.get(*first).map(|(first, _)| first.origin.clone()).unwrap_or_default();
                    Some(finding.related(first, "first written here").help("remove one of the two, or join them"))
                }
                None => {
                    places.insert(Arc::clone(&key.text), entries.len());
                    entries.push((key, node));
                    None
                }
            },
        };
        self.findings.extend(problem);
        Some(())
    }
}

/// The byte range of a span.
fn range(span: &Span) -> (usize, usize) {
    span.byte_range().map_or((0, 0), |range| (range.start, range.end.max(range.start)))
}

/// A map with what it takes from others: its own entries win, earlier sources win over later ones.
fn merged(mut entries: Vec<(NodeKey, Node)>, merges: Vec<Node>) -> Vec<(NodeKey, Node)> {
    if merges.is_empty() {
        return entries;
    }
    let mut known: HashSet<Arc<str>> = entries.iter().map(|(key, _)| Arc::clone(&key.text)).collect();
    for source in merges {
        let NodeValue::Map(more) = source.value else { continue };
        entries.extend(more.into_iter().filter(|(key, _)| known.insert(Arc::clone(&key.text))));
    }
    entries
}
