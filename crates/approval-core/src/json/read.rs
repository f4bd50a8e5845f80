//! From the canonical text to a record, as a serde deserializer.
//!
//! The text was admitted, so it's known to be canonical: no white space, no duplicate names, at most 64 open containers,
//! which bounds the recursion of the records that are read from it. What doesn't fit a record is an error all the same.

use std::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::text;

mod error;

pub use error::ReadError;

/// Reads a canonical text as a record.
pub(super) fn read<T: DeserializeOwned>(canonical: &str) -> Result<T, ReadError> {
    let mut reader = Reader { text: canonical, at: 0 };
    let record = T::deserialize(&mut reader)?;
    if reader.peek().is_some() {
        return Err(reader.misread());
    }
    Ok(record)
}

struct Reader<'de> {
    text: &'de str,
    at: usize,
}

impl<'de> Reader<'de> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over a byte if it's the next one.
    fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn expect(&mut self, byte: u8) -> Result<(), ReadError> {
        if self.take(byte) { Ok(()) } else { Err(self.misread()) }
    }

    /// The error where the text isn't what a canonical text has to be, or a visitor left something unread.
    fn misread(&self) -> ReadError {
        ReadError::new(format!("nothing more was expected than the first {} bytes", self.at))
    }

    fn slice(&self, from: usize) -> &'de str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn string(&mut self) -> Result<Cow<'de, str>, ReadError> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at += text::plain_len(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'\\') => self.at += 2,
                _ => {
                    let inside = self.slice(start);
                    self.expect(b'"')?;
                    return Ok(text::unescaped(inside));
                }
            }
        }
    }

    fn number(&mut self) -> &'de str {
        let start = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e') = self.peek() {
            self.at += 1;
        }
        self.slice(start)
    }

    fn visit_number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ReadError> {
        let number = self.number();
        if let Ok(integer) = number.parse() {
            return visitor.visit_u64(integer);
        }
        if let Ok(integer) = number.parse() {
            return visitor.visit_i64(integer);
        }
        match number.parse() {
            Ok(double) => visitor.visit_f64(double),
            Err(_) => Err(self.misread()),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), ReadError> {
        let start = self.at;
        self.at += word.len();
        if self.slice(start) == word { Ok(()) } else { Err(self.misread()) }
    }

    fn visit_array<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ReadError> {
        self.expect(b'[')?;
        let value = visitor.visit_seq(Elements { reader: self, index: 0 })?;
        self.expect(b']').map_err(|_| ReadError::new("more elements than expected"))?;
        Ok(value)
    }

    fn visit_object<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ReadError> {
        self.expect(b'{')?;
        let value = visitor.visit_map(Members { reader: self, first: true, name: Cow::Borrowed("") })?;
        self.expect(b'}').map_err(|_| ReadError::new("more members than expected"))?;
        Ok(value)
    }

    /// Steps over a value of any kind.
    fn skip(&mut self) -> Result<(), ReadError> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(_) => self.at += 1,
                None => return Err(self.misread()),
            }
            let ended = matches!(self.peek(), None | Some(b',' | b'}' | b']'));
            if depth == 0 && ended {
                return Ok(());
            }
        }
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.peek() {
            Some(b'{') => self.visit_object(visitor),
            Some(b'[') => self.visit_array(visitor),
            Some(b'"') => match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Some(b't') => {
                self.word("true")?;
                visitor.visit_bool(true)
            }
            Some(b'f') => {
                self.word("false")?;
                visitor.visit_bool(false)
            }
            Some(b'n') => {
                self.word("null")?;
                visitor.visit_unit()
            }
            _ => self.visit_number(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.peek() == Some(b'n') {
            self.word("null")?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        // Derived visitors also take an array of the members' values. A record has one form.
        if self.peek() == Some(b'[') {
            return Err(ReadError::new("found an array, expected an object"));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        // A map of serde_json's takes `null` for an empty one.
        if self.peek() == Some(b'n') {
            return Err(ReadError::new("found null, expected an object"));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.peek() {
            Some(b'"') => visitor.visit_enum(CowStrDeserializer::new(self.string()?)),
            Some(b'{') => {
                self.expect(b'{')?;
                let value = visitor.visit_enum(Variant { reader: self })?;
                self.expect(b'}').map_err(|_| ReadError::new("more members than expected"))?;
                Ok(value)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier
    }
}

struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        if self.reader.peek() == Some(b']') {
            return Ok(None);
        }
        let index = self.index;
        if index > 0 {
            self.reader.expect(b',')?;
        }
        self.index += 1;
        let element = seed.deserialize(&mut *self.reader).map_err(|error| error.within(index.to_string()))?;
        Ok(Some(element))
    }
}

struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    first: bool,
    /// The name whose value comes next.
    name: Cow<'de, str>,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        if self.reader.peek() == Some(b'}') {
            return Ok(None);
        }
        if !self.first {
            self.reader.expect(b',')?;
        }
        self.first = false;
        self.name = self.reader.string()?;
        self.reader.expect(b':')?;
        match &self.name {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            Cow::Owned(name) => seed.deserialize(CowStrDeserializer::new(Cow::Borrowed(name))),
        }
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        seed.deserialize(&mut *self.reader).map_err(|error| error.within(&*self.name))
    }
}

/// The object around a variant's contents.
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = ReadError;
    type Variant = VariantContents<'a, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), ReadError> {
        if self.reader.peek() == Some(b'}') {
            return Err(ReadError::new("found an empty object, expected one with a member"));
        }
        let name = self.reader.string()?;
        self.reader.expect(b':')?;
        let variant = seed.deserialize(CowStrDeserializer::new(Cow::Borrowed(&*name)))?;
        Ok((variant, VariantContents { reader: self.reader, name }))
    }
}

struct VariantContents<'a, 'de> {
    reader: &'a mut Reader<'de>,
    name: Cow<'de, str>,
}

impl<'de> VariantAccess<'de> for VariantContents<'_, 'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Err(ReadError::custom("found a value, expected the name alone").within(&*self.name))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.reader).map_err(|error| error.within(&*self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.reader.deserialize_any(visitor).map_err(|error| error.within(&*self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.reader.deserialize_struct("", fields, visitor).map_err(|error| error.within(&*self.name))
    }
}
