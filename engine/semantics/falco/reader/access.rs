//! What is between brackets, one part after the other.

use super::{Error, Reader};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, value::BorrowedStrDeserializer};

/// The items of a list, or the members of an object.
pub(super) struct Access<'r, 'de> {
    reader: &'r mut Reader<'de>,
    close: u8,
    first: bool,
}

impl<'r, 'de> Access<'r, 'de> {
    /// Those behind an opening bracket, up to this closing one.
    pub fn new(reader: &'r mut Reader<'de>, close: u8) -> Self {
        Self { reader, close, first: true }
    }

    /// Whether there is another one; a comma is before every one but the first.
    #[inline]
    fn more(&mut self) -> Result<bool, Error> {
        match self.reader.peek() {
            Some(b',') if !self.first => self.reader.at += 1,
            Some(byte) if byte == self.close => return Ok(false),
            Some(_) if self.first => self.first = false,
            _ => return Err(Error::Syntax),
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for &mut Access<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.more()? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for &mut Access<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !self.more()? {
            return Ok(None);
        }
        if self.reader.peek() != Some(b'"') {
            return Err(Error::Syntax);
        }
        match self.reader.plain() {
            Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            None => Ok(Some(seed.deserialize(&mut serde_json::Deserializer::from_str(self.reader.escaped()?))?)),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.reader.take(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}
