use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::names::Names;
use super::{Refusal, Values};
use crate::json::fault::Fault;
use crate::json::text;
use crate::json::writer::Writer;

/// The contents of an open container.
///
/// A value's own serialisation may be wrong: it may name no member, or go on after an error. What it then writes isn't
/// canonical, so such a container never closes.
pub(super) struct Contents<'a> {
    writer: &'a mut Writer,
    /// How many elements or members there are so far.
    index: usize,
    /// Which of the writer's members the last one is.
    member: usize,
    /// The variant whose object encloses the container, and ends with it.
    variant: Option<&'static str>,
    expects: Expects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// An element, a name, or the end.
    Next,
    /// Nothing: there was an error.
    Nothing,
    /// The value of the member just named.
    Value,
}

impl<'a> Contents<'a> {
    /// The contents of the container that was just opened.
    pub(super) fn new(writer: &'a mut Writer) -> Self {
        Self { writer, index: 0, member: 0, variant: None, expects: Expects::Next }
    }

    /// Opens a container as the value of the only member, which is named after a variant. The two close together.
    pub(super) fn inner(self, variant: &'static str, object: bool) -> Result<Self, Refusal> {
        let contents =
            Values { writer: self.writer }.open(object).map_err(|refusal| refusal.within(|| variant.into()))?;
        Ok(Self { variant: Some(variant), ..contents })
    }

    /// Writes one more element.
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        let index = self.index;
        self.next(Expects::Next)?;
        value
            .serialize(Values { writer: self.writer })
            .map_err(|refusal| self.failed(refusal.within(|| index.to_string())))
    }

    /// Writes the name of one more member.
    pub(super) fn name(&mut self, name: &str) -> Result<(), Refusal> {
        self.next(Expects::Value)?;
        self.member = self.writer.members();
        let start = self.writer.out.len();
        self.writer
            .string(name)
            .and_then(|()| self.writer.name(start, start))
            .map_err(|fault| self.failed(Refusal::from(fault).within(|| name.into())))?;
        self.writer.out.push(b':');
        Ok(())
    }

    /// Writes the value of the member just named.
    pub(super) fn member_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        if self.expects != Expects::Value {
            return Err(self.misused());
        }
        value.serialize(Values { writer: self.writer }).map_err(|refusal| {
            let name = unquoted(self.writer.member_name(self.member));
            self.failed(refusal.within(|| name))
        })?;
        self.writer.end_member();
        self.expects = Expects::Next;
        Ok(())
    }

    /// Closes the container, and the variant's object around it.
    pub(super) fn close(mut self) -> Result<(), Refusal> {
        if self.expects != Expects::Next {
            return Err(self.misused());
        }
        self.close_innermost()?;
        if self.variant.take().is_some() {
            self.writer.end_member();
            self.close_innermost()?;
        }
        Ok(())
    }

    /// Makes room for an element or a member, after which something else is expected.
    fn next(&mut self, expects: Expects) -> Result<(), Refusal> {
        if self.expects != Expects::Next {
            return Err(self.misused());
        }
        self.expects = expects;
        if self.index > 0 {
            self.writer.out.push(b',');
        }
        self.index += 1;
        Ok(())
    }

    fn close_innermost(&mut self) -> Result<(), Refusal> {
        self.writer.close().map_err(|duplicate| {
            let name = unquoted(self.writer.text(duplicate.name));
            self.failed(Refusal::from(Fault::DuplicateName).within(|| name))
        })
    }

    fn misused(&mut self) -> Refusal {
        self.failed(Refusal::custom("its members or elements come out of turn"))
    }

    /// Takes note of an error, and adds the step of the enclosing variant's object.
    fn failed(&mut self, refusal: Refusal) -> Refusal {
        self.expects = Expects::Nothing;
        match self.variant {
            Some(variant) => refusal.within(|| variant.into()),
            None => refusal,
        }
    }
}

/// What a name stands for, given as it was written.
fn unquoted(name: &[u8]) -> String {
    // One quote on either side: what comes before the last one may be a quote too, escaped.
    let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name);
    text::unescaped(str::from_utf8(name).unwrap_or_default()).into_owned()
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
        key.serialize(Names { contents: self }).map_err(|refusal| self.failed(refusal))
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
