//! From a value to the canonical text, as a serde serializer. [DIG-050]
//!
//! It never goes through `serde_json`'s own serializer or `to_value`: those turn NaN into `null`, take numbers for keys,
//! let one of two colliding members win, and give some names a meaning.
//!
//! The recursion is the value's own: each container that it opens is counted, and the 65th is refused before its contents
//! are asked for, so the stack stays small whatever the value is.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

use self::contents::Contents;
use super::fault::{Fault, Inadmissible};
use super::limits::Limits;
use super::number;
use super::pointer::Steps;
use super::writer::Writer;

mod contents;
mod names;

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
            fault: Fault::Unserializable, // [DIG-054]
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
        Ok(Contents::new(self.writer))
    }

    /// Opens an object of one member, named after a variant, up to that member's value.
    fn variant(self, variant: &'static str) -> Result<Contents<'a>, Refusal> {
        let mut object = self.open(true)?;
        object.name(variant)?;
        Ok(object)
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
        Err(Fault::UnsupportedType.into()) // [DIG-054]
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
        Err(Fault::UnsupportedType.into()) // [DIG-054]
    }

    fn serialize_f32(self, _: f32) -> Result<(), Refusal> {
        Err(Fault::UnsupportedType.into()) // [DIG-054]
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

    /// Ids, digests and times come this way: many in a record, so their text is not given memory of its own.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Refusal> {
        self.scalar()?.displayed(value)?;
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Refusal> {
        Err(Fault::UnsupportedType.into()) // [DIG-054]
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
        self.variant(variant)?.inner(variant, false)
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
        self.variant(variant)?.inner(variant, true)
    }
}
