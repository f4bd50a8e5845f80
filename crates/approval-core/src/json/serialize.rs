//! From a value to the canonical text, as a serde serializer.
//!
//! It never goes through `serde_json`'s own serializer or `to_value`: those turn NaN into `null`, take numbers for keys,
//! let one of two colliding members win, and give some names a meaning.
//!
//! The recursion is the value's own: each container that it opens is counted, and the 65th is refused before its contents
//! are asked for, so the stack stays small whatever the value is.

use std::fmt;

use serde::ser::{
    self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::fault::{Fault, Inadmissible};
use super::limits::Limits;
use super::number;
use super::pointer::Steps;
use super::text;
use super::writer::Writer;

/// The name under which `serde_json` passes a number where it was built with `arbitrary_precision`.
const ARBITRARY_PRECISION: &str = "$serde_json::private::Number";

/// Admits a value and returns its canonical form.
pub(super) fn canonical<T: Serialize + ?Sized>(value: &T, limits: &Limits) -> Result<String, Inadmissible> {
    let mut writer = Writer::new(1024, limits);
    value.serialize(Values { writer: &mut writer }).map_err(Refusal::into_inadmissible)?;
    writer.finish().map_err(Inadmissible::whole)
}

/// A fault on its way out through the containers, each of which adds where it was.
#[derive(Debug)]
struct Refusal(Box<Found>);

#[derive(Debug)]
struct Found {
    fault: Fault,
    steps: Steps,
    detail: Option<Box<str>>,
}

impl Refusal {
    fn within(mut self, step: impl FnOnce() -> String) -> Self {
        self.0.steps.push(step());
        self
    }

    fn into_inadmissible(self) -> Inadmissible {
        let Found { fault, steps, detail } = *self.0;
        if fault == Fault::TooLarge {
            return Inadmissible::whole(fault);
        }
        Inadmissible::at_pointer(fault, &steps, detail)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self(Box::new(Found { fault, steps: Steps::default(), detail: None }))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.fault, f)
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Box::new(Found {
            fault: Fault::Unserializable,
            steps: Steps::default(),
            detail: Some(message.to_string().into()),
        }))
    }
}

/// Writes one value.
struct Values<'a> {
    writer: &'a mut Writer,
}

impl<'a> Values<'a> {
    fn scalar(self) -> Result<&'a mut Writer, Refusal> {
        self.writer.check_size()?;
        self.writer.scalar()?;
        Ok(self.writer)
    }

    fn word(self, word: &str) -> Result<(), Refusal> {
        self.scalar()?.out.extend_from_slice(word.as_bytes());
        Ok(())
    }

    fn open(self, object: bool) -> Result<Contents<'a>, Refusal> {
        self.writer.check_size()?;
        self.writer.open(object)?;
        Ok(Contents { writer: self.writer, index: 0, member: 0, variant: None })
    }

    /// Opens an object of one member, named after a variant, up to that member's value.
    fn variant(self, variant: &'static str) -> Result<Contents<'a>, Refusal> {
        let mut object = self.open(true)?;
        object.name(variant)?;
        Ok(object)
    }

    /// Opens a container within such an object.
    fn variant_container(self, variant: &'static str, object: bool) -> Result<Contents<'a>, Refusal> {
        let Contents { writer, .. } = self.variant(variant)?;
        let contents = Values { writer }.open(object).map_err(|refusal| refusal.within(|| variant.into()))?;
        Ok(Contents { variant: Some(variant), ..contents })
    }
}

impl<'a> Serializer for Values<'a> {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Contents<'a>;
    type SerializeTuple = Contents<'a>;
    type SerializeTupleStruct = Contents<'a>;
    type SerializeTupleVariant = Contents<'a>;
    type SerializeMap = Contents<'a>;
    type SerializeStruct = Contents<'a>;
    type SerializeStructVariant = Contents<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Refusal> {
        self.word(if value { "true" } else { "false" })
    }

    fn serialize_i8(self, value: i8) -> Result<(), Refusal> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Refusal> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Refusal> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Refusal> {
        Ok(number::push_i64(value, &mut self.scalar()?.out)?)
    }

    fn serialize_i128(self, _: i128) -> Result<(), Refusal> {
        Err(Fault::UnsupportedType.into())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Refusal> {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Refusal> {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Refusal> {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Refusal> {
        Ok(number::push_u64(value, &mut self.scalar()?.out)?)
    }

    fn serialize_u128(self, _: u128) -> Result<(), Refusal> {
        Err(Fault::UnsupportedType.into())
    }

    fn serialize_f32(self, _: f32) -> Result<(), Refusal> {
        Err(Fault::UnsupportedType.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Refusal> {
        Ok(number::push_f64(value, &mut self.scalar()?.out)?)
    }

    fn serialize_char(self, value: char) -> Result<(), Refusal> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Refusal> {
        self.scalar()?.string(value)?;
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Refusal> {
        Err(Fault::UnsupportedType.into())
    }

    fn serialize_none(self) -> Result<(), Refusal> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refusal> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refusal> {
        self.word("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refusal> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Refusal> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refusal> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refusal> {
        let mut object = self.variant(variant)?;
        object.member_value(value)?;
        object.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Contents<'a>, Refusal> {
        self.open(false)
    }

    fn serialize_tuple(self, _: usize) -> Result<Contents<'a>, Refusal> {
        self.open(false)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Contents<'a>, Refusal> {
        self.open(false)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Contents<'a>, Refusal> {
        self.variant_container(variant, false)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Contents<'a>, Refusal> {
        self.open(true)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Contents<'a>, Refusal> {
        if name == ARBITRARY_PRECISION {
            return Err(Fault::ArbitraryPrecision.into()); // [DIG-053]
        }
        self.open(true)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Contents<'a>, Refusal> {
        self.variant_container(variant, true)
    }
}

/// The contents of an open container.
struct Contents<'a> {
    writer: &'a mut Writer,
    /// How many elements or members there are so far.
    index: usize,
    /// Which of the writer's members the last one is.
    member: usize,
    /// The variant whose object encloses the container, and ends with it.
    variant: Option<&'static str>,
}

impl Contents<'_> {
    fn separate(&mut self) {
        if self.index > 0 {
            self.writer.out.push(b',');
        }
        self.index += 1;
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        let index = self.index;
        self.separate();
        value
            .serialize(Values { writer: self.writer })
            .map_err(|refusal| self.outside(refusal.within(|| index.to_string())))
    }

    fn name(&mut self, name: &str) -> Result<(), Refusal> {
        self.separate();
        self.member = self.writer.members();
        let start = self.writer.out.len();
        self.writer
            .string(name)
            .and_then(|()| self.writer.name(start, start))
            .map_err(|fault| self.outside(Refusal::from(fault).within(|| name.into())))?;
        self.writer.out.push(b':');
        Ok(())
    }

    fn member_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        value.serialize(Values { writer: self.writer }).map_err(|refusal| {
            let name = self.writer.member_name(self.member);
            self.outside(refusal.within(|| unquoted(name)))
        })?;
        self.writer.end_member();
        Ok(())
    }

    fn close(mut self) -> Result<(), Refusal> {
        self.close_innermost()?;
        if self.variant.take().is_some() {
            self.writer.end_member();
            self.close_innermost()?;
        }
        Ok(())
    }

    fn close_innermost(&mut self) -> Result<(), Refusal> {
        self.writer.close().map_err(|duplicate| {
            let name = self.writer.text(duplicate.name);
            self.outside(Refusal::from(Fault::DuplicateName).within(|| unquoted(name)))
        })
    }

    /// Adds the step of the enclosing variant's object.
    fn outside(&self, refusal: Refusal) -> Refusal {
        match self.variant {
            Some(variant) => refusal.within(|| variant.into()),
            None => refusal,
        }
    }
}

/// What a name stands for, given as it was written.
fn unquoted(name: &[u8]) -> String {
    let name = str::from_utf8(name).unwrap_or_default();
    text::unescaped(name.trim_matches('"')).into_owned()
}

impl SerializeSeq for Contents<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        self.element(value)
    }

    fn end(self) -> Result<(), Refusal> {
        self.close()
    }
}

impl SerializeTuple for Contents<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        self.element(value)
    }

    fn end(self) -> Result<(), Refusal> {
        self.close()
    }
}

impl SerializeTupleStruct for Contents<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        self.element(value)
    }

    fn end(self) -> Result<(), Refusal> {
        self.close()
    }
}

impl SerializeTupleVariant for Contents<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        self.element(value)
    }

    fn end(self) -> Result<(), Refusal> {
        self.close()
    }
}

impl SerializeMap for Contents<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refusal> {
        key.serialize(Names { contents: self })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        self.member_value(value)
    }

    fn end(self) -> Result<(), Refusal> {
        self.close()
    }
}

impl SerializeStruct for Contents<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refusal> {
        self.name(name)?;
        self.member_value(value)
    }

    fn end(self) -> Result<(), Refusal> {
        self.close()
    }
}

impl SerializeStructVariant for Contents<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refusal> {
        self.name(name)?;
        self.member_value(value)
    }

    fn end(self) -> Result<(), Refusal> {
        self.close()
    }
}

/// Writes the name of a map's member.
struct Names<'a, 'b> {
    contents: &'a mut Contents<'b>,
}

/// Keys that others turn into strings: `1` and `"1"` would be one name, and a large integer another number's.
macro_rules! refuse_keys {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, _: $type) -> Result<(), Refusal> {
            Err(Fault::NameNotAString.into()) // [DIG-052]
        }
    )*};
}

impl Serializer for Names<'_, '_> {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Impossible<(), Refusal>;
    type SerializeTuple = Impossible<(), Refusal>;
    type SerializeTupleStruct = Impossible<(), Refusal>;
    type SerializeTupleVariant = Impossible<(), Refusal>;
    type SerializeMap = Impossible<(), Refusal>;
    type SerializeStruct = Impossible<(), Refusal>;
    type SerializeStructVariant = Impossible<(), Refusal>;

    refuse_keys! {
        serialize_bool(bool)
        serialize_i8(i8)
        serialize_i16(i16)
        serialize_i32(i32)
        serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8)
        serialize_u16(u16)
        serialize_u32(u32)
        serialize_u64(u64)
        serialize_u128(u128)
        serialize_f32(f32)
        serialize_f64(f64)
        serialize_bytes(&[u8])
        serialize_unit_struct(&'static str)
    }

    fn serialize_char(self, name: char) -> Result<(), Refusal> {
        self.contents.name(name.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, name: &str) -> Result<(), Refusal> {
        self.contents.name(name)
    }

    fn serialize_none(self) -> Result<(), Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_unit(self) -> Result<(), Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Refusal> {
        self.contents.name(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, name: &T) -> Result<(), Refusal> {
        name.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Refusal> {
        Err(Fault::NameNotAString.into())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Refusal> {
        Err(Fault::NameNotAString.into())
    }
}
