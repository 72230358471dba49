//! Protobuf wire format, the part OTLP needs: varints, fixed numbers, length-delimited fields.
//!
//! Promises: reading never panics and never goes beyond its slice; a length written with [`Writer::message`] is a
//! varint of fixed width, so that a nested message is written in one pass and its length filled in afterwards.

use super::DecodeError;
use crate::event::Signal;

/// Wire types.
pub(super) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const FIXED32: u8 = 5;

/// Appends a base-128 varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Width of a back-patched length: 4 x 7 bits hold 256 MiB, above every request limit.
const LENGTH_WIDTH: usize = 4;
/// The largest message that a back-patched length can hold.
pub(super) const LARGEST_MESSAGE: usize = (1 << (7 * LENGTH_WIDTH)) - 1;

/// Writes fields.
#[derive(Default)]
pub(super) struct Writer {
    pub out: Vec<u8>,
}

impl Writer {
    /// A varint field; zero is left out, as proto3 does.
    pub fn varint(&mut self, tag: u8, value: u64) {
        if value != 0 {
            self.out.push(tag << 3 | VARINT);
            put_varint(&mut self.out, value);
        }
    }

    /// A fixed64 field; zero is left out.
    pub fn fixed64(&mut self, tag: u8, value: u64) {
        if value != 0 {
            self.out.push(tag << 3 | FIXED64);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A fixed32 field; zero is left out.
    pub fn fixed32(&mut self, tag: u8, value: u32) {
        if value != 0 {
            self.out.push(tag << 3 | FIXED32);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A bytes or string field; empty is left out.
    pub fn bytes(&mut self, tag: u8, value: &[u8]) {
        if !value.is_empty() {
            self.bytes_always(tag, value);
        }
    }

    /// A bytes or string field that is written even when empty, as members of a `oneof` are.
    pub fn bytes_always(&mut self, tag: u8, value: &[u8]) {
        self.out.push(tag << 3 | BYTES);
        put_varint(&mut self.out, value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// A nested message that is mostly short: leaves one byte for its length, and moves the fields when it takes more.
    pub fn short_message(&mut self, tag: u8, fields: impl FnOnce(&mut Self)) {
        self.out.push(tag << 3 | BYTES);
        let at = self.out.len();
        self.out.push(0);
        fields(self);
        let length = self.out.len() - at - 1;
        if length < 0x80 {
            self.out[at] = length as u8;
            return;
        }
        let width = varint_width(length);
        self.out.resize(at + width + length, 0);
        self.out.copy_within(at + 1..at + 1 + length, at + width);
        put_wide(&mut self.out[at..at + width], length);
    }

    /// A nested message that is mostly long: writes its fields, then fills in the length.
    pub fn message(&mut self, tag: u8, fields: impl FnOnce(&mut Self)) {
        let at = self.open(tag);
        fields(self);
        self.close(at);
    }

    /// Begins a nested message of which more is written later; where it began is for [`close`](Self::close).
    pub fn open(&mut self, tag: u8) -> usize {
        self.out.push(tag << 3 | BYTES);
        self.out.extend_from_slice(&[0; LENGTH_WIDTH]);
        self.out.len()
    }

    /// Ends the nested message that began there: fills in its length.
    pub fn close(&mut self, at: usize) {
        // Intake limits keep messages far below LARGEST_MESSAGE.
        let length = (self.out.len() - at).min(LARGEST_MESSAGE);
        put_wide(&mut self.out[at - LENGTH_WIDTH..at], length);
    }

    /// An attribute with a text: everything is known beforehand, so nothing is filled in. `key` is an encoded field.
    pub fn text_attribute(&mut self, tag: u8, key: &[u8], text: &[u8]) {
        // Most are short: then every length is one byte, and no larger than that of the pair.
        let short = key.len() + 4 + text.len();
        if short < 0x80 {
            let length = text.len() as u8;
            self.out.reserve(2 + short);
            self.out.extend_from_slice(&[tag << 3 | BYTES, short as u8]);
            self.out.extend_from_slice(key);
            self.out.extend_from_slice(&[2 << 3 | BYTES, 2 + length, 1 << 3 | BYTES, length]);
            self.out.extend_from_slice(text);
            return;
        }
        self.out.push(tag << 3 | BYTES);
        put_varint(&mut self.out, (key.len() + bytes_size(bytes_size(text.len()))) as u64);
        self.out.extend_from_slice(key);
        self.text_value(2, text);
    }

    /// A nested value that is a text.
    #[inline]
    pub fn text_value(&mut self, tag: u8, text: &[u8]) {
        // Most are short, as above.
        if text.len() < 0x7e {
            let length = text.len() as u8;
            self.out.extend_from_slice(&[tag << 3 | BYTES, 2 + length, 1 << 3 | BYTES, length]);
            self.out.extend_from_slice(text);
            return;
        }
        self.out.push(tag << 3 | BYTES);
        put_varint(&mut self.out, bytes_size(text.len()) as u64);
        self.bytes_always(1, text);
    }
}

/// How many bytes a field of so many bytes takes.
const fn bytes_size(length: usize) -> usize {
    1 + varint_width(length) + length
}

/// How many bytes a varint takes.
const fn varint_width(value: usize) -> usize {
    ((usize::BITS - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Writes a varint that takes all of `out`.
fn put_wide(out: &mut [u8], mut value: usize) {
    let last = out.len().saturating_sub(1);
    for (index, byte) in out.iter_mut().enumerate() {
        let more = if index < last { 0x80 } else { 0 };
        *byte = (value & 0x7f) as u8 | more;
        value >>= 7;
    }
}

/// A field as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// The content of a length-delimited field.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Reads the fields of one message.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
    /// Where `whole` begins in the request, for errors.
    base: usize,
    signal: Signal,
}

impl<'a> Reader<'a> {
    pub fn new(signal: Signal, whole: &'a [u8]) -> Self {
        Self { whole, at: 0, base: 0, signal }
    }

    /// A reader of a field's content, which must be a part of this reader's message.
    pub fn nested(&self, part: &'a [u8]) -> Self {
        let offset = (part.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize);
        Self { whole: part, at: 0, base: self.base + offset, signal: self.signal }
    }

    /// All of the message, whatever was read of it.
    pub fn message(&self) -> &'a [u8] {
        self.whole
    }

    /// An error at the current place.
    pub fn error(&self, what: &'static str) -> DecodeError {
        DecodeError { signal: self.signal, what, offset: self.base + self.at }
    }

    /// How far it has read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next field, or `None` at the end.
    pub fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, DecodeError> {
        if self.at == self.whole.len() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match (key & 7) as u8 {
            VARINT => Field::Varint(self.varint()?),
            FIXED64 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            FIXED32 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            BYTES => {
                let length = usize::try_from(self.varint()?).map_err(|_| self.error("length over the end"))?;
                Field::Bytes(self.slice(length)?)
            }
            _ => return Err(self.error("unknown wire type")),
        };
        match key >> 3 {
            0 => Err(self.error("field number 0")),
            tag => Ok(Some((tag, field))),
        }
    }

    /// The same, sooner where most fields have a length that takes one byte.
    #[inline]
    pub fn next_short(&mut self) -> Result<Option<(u64, Field<'a>)>, DecodeError> {
        match self.whole.get(self.at..) {
            Some(&[key @ 0x08..0x80, length @ ..0x80, ref rest @ ..])
                if key & 7 == BYTES && usize::from(length) <= rest.len() =>
            {
                self.at += 2 + usize::from(length);
                Ok(Some(((key >> 3).into(), Field::Bytes(&rest[..length.into()]))))
            }
            Some([]) => Ok(None),
            _ => self.next(),
        }
    }

    /// The content of the next field, if it has this tag, which is less than 16, and a length that takes one byte.
    #[inline]
    pub fn next_if_short(&mut self, tag: u8) -> Option<&'a [u8]> {
        let [key, length @ ..0x80, rest @ ..] = self.whole.get(self.at..)? else { return None };
        let part = rest.get(..usize::from(*length)).filter(|_| *key == tag << 3 | BYTES)?;
        self.at += 2 + part.len();
        Some(part)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(length).ok_or_else(|| self.error("length over the end"))?;
        let slice = self.whole.get(self.at..end).ok_or_else(|| self.error("length over the end"))?;
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let slice = self.slice(N)?;
        slice.try_into().map_err(|_| self.error("length over the end"))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, DecodeError> {
        // Most take one byte.
        if let Some(byte @ ..0x80) = self.whole.get(self.at).copied() {
            self.at += 1;
            return Ok(byte.into());
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.whole.get(self.at).ok_or_else(|| self.error("cut varint"))?;
            self.at += 1;
            if shift == 63 && byte > 1 {
                return Err(self.error("varint over 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error("varint over 64 bits"))
    }
}
