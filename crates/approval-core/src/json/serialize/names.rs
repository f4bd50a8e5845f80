use serde::ser::{Impossible, Serialize, Serializer};

use super::Refusal;
use super::contents::Contents;
use crate::json::fault::Fault;

/// Writes the name of a map's member.
pub(super) struct Names<'a, 'b> {
    pub(super) contents: &'a mut Contents<'b>,
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
