//! `Splitter`: finds the items of a body while it is being read.
//!
//! Accepts an EventList (the elements of its `items`), a single event, an array of either, and any of these line by line.
//! Promises
//! - Holds at most one item of `max_item` bytes besides the bytes just fed, whatever the size of the body.
//! - An item over `max_item` loses the values of `requestObject` and `responseObject`; what they were goes into a hash.
//!   One that is too large even so is cut short and comes as broken.
//! - An item whose brackets or strings do not fit together costs itself; inside a list the next item is found by how
//!   an event begins. Whether an item is valid JSON otherwise is for the mapper to say.
//! - What comes out does not depend on how the body was cut into pieces.

use lanner_engine::semantics::audit::{MAX_PLAIN_BYTES, reasons};

/// How events begin; used only to find the next one behind a broken one.
const BEGINNINGS: [&[u8]; 3] = [b"{\"level\":\"", b"{\"kind\":\"Event\"", b"{\"auditID\":\""];
/// Bytes that may be the start of a beginning.
const OVERLAP: usize = 16;
/// How often a taker is asked for events in what was fed at once, so that odd items in between do not make it look at the
/// same bytes any number of times: behind the item that was begun before, and behind two others.
const MAX_RUNS: usize = 3;
/// Brackets whose kind is remembered; deeper ones are only counted.
const MAX_STACK: usize = 1024;

/// Takes what a body holds.
pub trait Taker {
    /// Takes the events that a text in a list begins with, as far as they are whole; says how many bytes of it they are. What is
    /// left comes as pieces. Whoever reads events anyway need not have their ends looked for.
    fn events(&mut self, _text: &str) -> usize {
        0
    }

    /// Takes a piece.
    fn piece(&mut self, piece: Piece<'_>);
}

impl<F: FnMut(Piece<'_>)> Taker for F {
    fn piece(&mut self, piece: Piece<'_>) {
        self(piece);
    }
}

/// What the body holds.
pub enum Piece<'b> {
    /// An item, with a hash of what was cut out of it.
    Item { bytes: &'b [u8], removed: Option<[u8; 32]> },
    /// The beginning of what is no item, and why.
    Broken { bytes: &'b [u8], reason: &'static str },
}

impl<'b> Piece<'b> {
    /// What was found.
    pub fn bytes(&self) -> &'b [u8] {
        match self {
            Self::Item { bytes, .. } | Self::Broken { bytes, .. } => bytes,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Top,
    Array,
    List { in_array: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// An object or an array.
    Composite,
    /// Text up to a separator; up to the end of the line outside of lists.
    Scalar,
    /// Behind a broken item, looking for the next.
    Seek,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Items,
    Object,
    Other,
}

/// An item that is not complete.
struct Open {
    mode: Mode,
    /// May turn out to be an EventList.
    document: bool,
    /// The end of an EventList, which is read over.
    envelope: bool,
    stack: Vec<u8>,
    deeper: usize,
    in_string: bool,
    escaped: bool,
    expects_name: bool,
    name_start: usize,
    name: Name,
    /// Where the object that is being read begins.
    object: Option<usize>,
    /// Where those before it are.
    objects: Vec<(usize, usize)>,
    removed: Option<Box<blake3::Hasher>>,
    too_large: bool,
}

impl Open {
    fn new(mode: Mode, document: bool) -> Self {
        Self {
            mode,
            document,
            envelope: false,
            stack: Vec::new(),
            deeper: 0,
            in_string: false,
            escaped: false,
            expects_name: true,
            name_start: 0,
            name: Name::Other,
            object: None,
            objects: Vec::new(),
            removed: None,
            too_large: false,
        }
    }

    fn depth(&self) -> usize {
        self.stack.len() + self.deeper
    }

    /// Directly inside the item, when that is an object.
    #[inline]
    fn at_top(&self) -> bool {
        matches!(self.stack[..], [b'{'])
    }
}

/// What became of the open item.
enum Step {
    /// The bytes are used up.
    More,
    Complete,
    Broken,
    /// The item is an EventList, and its list begins here.
    ListBegins,
}

/// Finds the items of one body.
pub struct Splitter {
    max_item: usize,
    buf: Vec<u8>,
    /// Where the open item begins.
    start: usize,
    /// What is before was looked at.
    pos: usize,
    frame: Frame,
    open: Option<Open>,
}

/// The beginning of these bytes that is UTF-8.
fn valid_part(bytes: &[u8]) -> &str {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => return text,
        Err(error) => &bytes[..error.valid_up_to()],
    };
    // It is valid, as was just said.
    std::str::from_utf8(whole).unwrap_or_default()
}

/// Where the string that goes on at `from` has its next quote, backslash or line feed; the end of the bytes when it has none.
/// Most strings are short: eight bytes at a time are done before a search of many at a time has begun.
#[inline]
fn end_of_plain(bytes: &[u8], from: usize) -> usize {
    /// Behind so many bytes a string is a long one.
    const LONG: usize = 64;
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // The high bit of the first byte that is zero, and of none before it.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*chunk);
        let is = |byte: u8| zero(word ^ (ONES * u64::from(byte)));
        let found = is(b'"') | is(b'\\') | is(b'\n');
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
        if at - from >= LONG {
            break;
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + memchr::memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len())
}

impl Splitter {
    pub fn new(max_item: usize) -> Self {
        Self { max_item, buf: Vec::new(), start: 0, pos: 0, frame: Frame::Top, open: None }
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.buf.capacity()
    }

    /// Looks at more of the body and gives every item that ends in it to `taker`.
    pub fn feed(&mut self, bytes: &[u8], taker: &mut impl Taker) {
        self.buf.extend_from_slice(bytes);
        let mut runs = MAX_RUNS;
        loop {
            let Some(mut open) = self.open.take() else {
                if runs > 0 && matches!(self.frame, Frame::List { .. }) {
                    runs -= 1;
                    self.pos += taker.events(valid_part(&self.buf[self.pos..]));
                }
                match self.begin() {
                    Some(open) => {
                        self.open = Some(open);
                        continue;
                    }
                    None => break,
                }
            };
            let step = match open.mode {
                Mode::Composite => self.scan(&mut open),
                Mode::Scalar => self.scalar(),
                Mode::Seek => self.seek(),
            };
            match step {
                Step::More => {
                    self.bound(&mut open);
                    self.open = Some(open);
                    break;
                }
                Step::Complete if open.envelope => {}
                Step::Complete => self.emit(open, taker),
                Step::Broken if open.envelope => {
                    // What was read over stays so, wherever a step ended.
                    self.start = self.pos;
                    open = Open::new(Mode::Seek, false);
                    self.open = Some(open);
                }
                Step::Broken => {
                    self.limit_broken(&mut open);
                    // What follows may be inside the broken item, so it is looked at again from its start.
                    self.pos = self.start + 1;
                    open.mode = Mode::Seek;
                    self.open = Some(open);
                }
                Step::ListBegins => self.frame = Frame::List { in_array: self.frame == Frame::Array },
            }
        }
        let used = if self.open.is_some() { self.start } else { self.pos };
        self.buf.drain(..used);
        self.pos -= used;
        if let Some(open) = &mut self.open {
            open.name_start = open.name_start.saturating_sub(used);
            open.object = open.object.map(|at| at - used);
            open.objects.iter_mut().for_each(|(from, to)| (*from, *to) = (*from - used, *to - used));
        }
        self.start = 0;
        if self.buf.capacity() > 2 * self.max_item.max(1 << 16) {
            self.buf.shrink_to(self.max_item);
        }
    }

    /// The body has ended. Whether it ended where it may.
    pub fn finish(mut self, taker: &mut impl Taker) -> bool {
        // A line needs no line feed at its end.
        self.feed(b"\n", taker);
        let whole = self.frame == Frame::Top && self.open.is_none();
        if let Some(open) = self.open.take()
            && !open.envelope
        {
            let bytes = &self.buf[self.start..];
            // Not the line feed from above, which nobody sent.
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            let reason = if open.mode == Mode::Seek { reasons::NOT_JSON } else { reasons::CUT_SHORT };
            let most = if open.too_large { self.most_kept() } else { MAX_PLAIN_BYTES };
            taker.piece(Piece::Broken { bytes: &bytes[..bytes.len().min(most)], reason });
        }
        whole
    }

    /// Skips what is between items and opens the next.
    fn begin(&mut self) -> Option<Open> {
        while let Some(&byte) = self.buf.get(self.pos) {
            match (byte, self.frame) {
                (b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xef | 0xbb | 0xbf, _) => {}
                (b'[', Frame::Top) => self.frame = Frame::Array,
                (b']', Frame::Array) => self.frame = Frame::Top,
                (b']', Frame::List { in_array }) => {
                    self.frame = if in_array { Frame::Array } else { Frame::Top };
                    self.pos += 1;
                    self.start = self.pos;
                    let mut open = Open::new(Mode::Composite, false);
                    open.envelope = true;
                    open.stack.push(b'{');
                    return Some(open);
                }
                (byte, frame) => {
                    self.start = self.pos;
                    let composite = byte == b'{' || byte == b'[';
                    let document = byte == b'{' && !matches!(frame, Frame::List { .. });
                    return Some(Open::new(if composite { Mode::Composite } else { Mode::Scalar }, document));
                }
            }
            self.pos += 1;
        }
        None
    }

    fn scan(&mut self, open: &mut Open) -> Step {
        let mut at = self.pos;
        let step = loop {
            if open.in_string {
                if std::mem::take(&mut open.escaped) {
                    // Whatever is escaped belongs to the string.
                    if at == self.buf.len() {
                        open.escaped = true;
                        break Step::More;
                    }
                    at += 1;
                }
                at = end_of_plain(&self.buf, at);
                match self.buf.get(at) {
                    None => break Step::More,
                    Some(b'\n') => break Step::Broken,
                    Some(b'\\') => open.escaped = true,
                    Some(_) => {
                        open.in_string = false;
                        if open.at_top() && open.expects_name && !open.too_large {
                            open.name = match self.buf.get(open.name_start..at) {
                                Some(b"items") => Name::Items,
                                Some(b"requestObject" | b"responseObject") => Name::Object,
                                _ => Name::Other,
                            };
                        }
                    }
                }
                at += 1;
                continue;
            }
            let Some(&byte) = self.buf.get(at) else { break Step::More };
            match byte {
                b'"' => {
                    open.in_string = true;
                    if open.at_top() && open.expects_name {
                        open.name_start = at + 1;
                    }
                }
                b'{' | b'[' => {
                    let list = byte == b'[' && open.at_top() && !open.expects_name && open.name == Name::Items;
                    if list && open.document {
                        self.pos = at;
                        self.note_size(open);
                        at = self.pos;
                        if !open.too_large {
                            at += 1;
                            break Step::ListBegins;
                        }
                    }
                    if open.stack.len() < MAX_STACK { open.stack.push(byte) } else { open.deeper += 1 }
                }
                b'}' | b']' if open.deeper > 0 => open.deeper -= 1,
                b'}' | b']' => {
                    let fits = open.stack.last().is_some_and(|last| (*last == b'{') == (byte == b'}'));
                    if !fits {
                        break Step::Broken;
                    }
                    if open.at_top() {
                        at = self.end_object(open, at);
                    }
                    open.stack.pop();
                    if open.depth() == 0 {
                        at += 1;
                        break Step::Complete;
                    }
                }
                // Another colon behind the first is damage, and no other place for the value to begin.
                b':' if open.at_top() && open.expects_name => {
                    open.expects_name = false;
                    if open.name == Name::Object && !open.envelope && !open.too_large {
                        open.object = Some(at + 1);
                    }
                }
                b',' if open.at_top() => {
                    at = self.end_object(open, at);
                    open.expects_name = true;
                    open.name = Name::Other;
                }
                _ => {}
            }
            at += 1;
        };
        self.pos = at;
        step
    }

    /// Notes that an object ends at `to`, or takes it out at once; says where its end is then.
    fn end_object(&mut self, open: &mut Open, to: usize) -> usize {
        let Some(from) = open.object.take() else { return to };
        match &mut open.removed {
            None => {
                open.objects.push((from, to));
                to
            }
            Some(hasher) => {
                hasher.update(&self.buf[from..to]);
                self.buf.splice(from..to, *b"null");
                from + b"null".len()
            }
        }
    }

    /// Takes every object out. `self.pos` stays behind the same byte.
    fn strip(&mut self, open: &mut Open) {
        if open.removed.is_some() {
            return;
        }
        let mut hasher = Box::<blake3::Hasher>::default();
        let objects = std::mem::take(&mut open.objects);
        for (from, to) in &objects {
            hasher.update(&self.buf[*from..*to]);
        }
        for (from, to) in objects.into_iter().rev() {
            self.buf.splice(from..to, *b"null");
            let shift = |at: usize| (at + b"null".len()).saturating_sub(to - from);
            self.pos = shift(self.pos);
            open.name_start = shift(open.name_start);
            open.object = open.object.map(shift);
        }
        open.removed = Some(hasher);
    }

    /// Notes whether the item was over its limit up to here. `bound` does so only where a read ends.
    fn note_size(&mut self, open: &mut Open) {
        if self.pos - self.start > self.max_item {
            self.strip(open);
        }
        let object = open.object.filter(|_| open.removed.is_some());
        open.too_large |= object.unwrap_or(self.pos) - self.start > self.max_item;
    }

    /// Leaves of a broken item what would be left of it if every byte had come alone: `bound` may have seen none of it.
    fn limit_broken(&mut self, open: &mut Open) {
        self.note_size(open);
        if let (true, Some(from)) = (open.removed.is_some(), open.object) {
            self.buf.drain(from..self.pos);
            self.pos = from;
        }
        if open.too_large {
            let kept = (self.start + self.most_kept()).min(self.pos);
            self.buf.drain(kept..self.pos);
        }
    }

    /// Keeps an incomplete item inside its bound. Everything was looked at.
    fn bound(&mut self, open: &mut Open) {
        if open.envelope {
            self.start = self.pos;
            return;
        }
        match open.mode {
            Mode::Composite => {
                if self.buf.len() - self.start > self.max_item {
                    self.strip(open);
                }
                if let (Some(hasher), Some(from)) = (&mut open.removed, open.object) {
                    hasher.update(&self.buf[from..]);
                    self.buf.truncate(from);
                }
                open.too_large |= self.buf.len() - self.start > self.max_item;
                if open.too_large {
                    open.object = None;
                    self.buf.truncate(self.start + self.most_kept());
                }
                self.pos = self.buf.len();
            }
            Mode::Scalar | Mode::Seek => {
                let keep = self.start + MAX_PLAIN_BYTES;
                let tail = self.buf.len().saturating_sub(OVERLAP);
                if tail > keep {
                    open.too_large |= open.mode == Mode::Scalar;
                    self.buf.drain(keep..tail);
                }
                self.pos = self.buf.len().saturating_sub(OVERLAP).max(self.pos.min(self.buf.len()));
                if open.mode == Mode::Seek {
                    self.pos = self.buf.len().saturating_sub(OVERLAP).max(self.start + 1).min(self.buf.len());
                }
            }
        }
    }

    fn scalar(&mut self) -> Step {
        let rest = &self.buf[self.pos..];
        let end = match self.frame {
            Frame::Top => memchr::memchr(b'\n', rest),
            // A stray closing bracket is an item of one byte.
            _ => rest
                .iter()
                .enumerate()
                .find(|(at, byte)| b",]} \t\r\n".contains(byte) && (self.pos + at > self.start))
                .map(|(at, _)| at),
        };
        match end {
            Some(at) => {
                self.pos += at;
                Step::Complete
            }
            None => {
                self.pos = self.buf.len();
                Step::More
            }
        }
    }

    fn seek(&mut self) -> Step {
        let rest = self.buf.get(self.pos..).unwrap_or_default();
        let next = match self.frame {
            Frame::Top => memchr::memchr(b'\n', rest),
            _ => BEGINNINGS.iter().filter_map(|beginning| memchr::memmem::find(rest, beginning)).min(),
        };
        match next {
            Some(at) => {
                self.pos += at;
                Step::Complete
            }
            None => Step::More,
        }
    }

    /// Most bytes that are kept of an item over its limit.
    fn most_kept(&self) -> usize {
        MAX_PLAIN_BYTES.min(self.max_item)
    }

    /// Hands a complete item over.
    fn emit(&mut self, mut open: Open, taker: &mut impl Taker) {
        if open.mode == Mode::Composite && !open.too_large && self.pos - self.start > self.max_item {
            self.strip(&mut open);
        }
        let bytes = &self.buf[self.start..self.pos];
        let most = if open.mode == Mode::Seek && !open.too_large { MAX_PLAIN_BYTES } else { self.most_kept() };
        let kept = &bytes[..bytes.len().min(most)];
        let scalar_too_large = open.mode == Mode::Scalar && bytes.len() > MAX_PLAIN_BYTES + OVERLAP;
        if open.mode == Mode::Seek {
            taker.piece(Piece::Broken { bytes: kept, reason: reasons::NOT_JSON });
        } else if open.too_large || scalar_too_large || bytes.len() > self.max_item {
            taker.piece(Piece::Broken { bytes: kept, reason: reasons::ITEM_TOO_LARGE });
        } else {
            let removed = open.removed.map(|hasher| *hasher.finalize().as_bytes());
            taker.piece(Piece::Item { bytes, removed });
        }
        self.start = self.pos;
    }
}
