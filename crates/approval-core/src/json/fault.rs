use std::fmt;

use super::pointer::{Steps, quoted};

/// Why a document isn't admitted. The list is closed: a new fault is a new version of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The value holds a number of a `serde_json` that was built with `arbitrary_precision`, whose numbers are texts.
    ArbitraryPrecision,
    /// The text begins with U+FEFF.
    ByteOrderMark,
    /// An object has two members of one name, after escapes are decoded.
    DuplicateName,
    /// A number is integral and beyond ±(2⁵³−1).
    IntegerOutOfRange,
    /// The bytes aren't UTF-8.
    InvalidUtf8,
    /// An escape names half of a surrogate pair.
    LoneSurrogate,
    /// A map has a key that isn't a string.
    NameNotAString,
    /// The outermost value isn't an object.
    NotAnObject,
    /// A number is too large for a double, or is infinite or NaN.
    NotFinite,
    /// A decimal's canonical form has another value.
    NumberNotCanonical,
    /// A number token has more than 40 bytes.
    NumberTooLong,
    /// A member name begins with `$serde_json::private::`.
    ReservedName,
    /// The text isn't JSON.
    Syntax,
    /// More than 64 containers are open at once.
    TooDeep,
    /// The document, or its canonical form, has more bytes than the limit.
    TooLarge,
    /// The document has more values than the limit.
    TooManyNodes,
    /// Something other than white space follows the object.
    TrailingData,
    /// The value's own serialisation reported an error.
    Unserializable,
    /// The value holds bytes, a 128-bit integer or a 32-bit float, which have no agreed form.
    UnsupportedType,
}

impl Fault {
    /// All faults, in the order of their codes.
    pub const ALL: [Self; 19] = [
        Self::ArbitraryPrecision,
        Self::ByteOrderMark,
        Self::DuplicateName,
        Self::IntegerOutOfRange,
        Self::InvalidUtf8,
        Self::LoneSurrogate,
        Self::NameNotAString,
        Self::NotAnObject,
        Self::NotFinite,
        Self::NumberNotCanonical,
        Self::NumberTooLong,
        Self::ReservedName,
        Self::Syntax,
        Self::TooDeep,
        Self::TooLarge,
        Self::TooManyNodes,
        Self::TrailingData,
        Self::Unserializable,
        Self::UnsupportedType,
    ];

    /// The stable code, for programs and for the audit.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ArbitraryPrecision => "arbitrary_precision",
            Self::ByteOrderMark => "byte_order_mark",
            Self::DuplicateName => "duplicate_name",
            Self::IntegerOutOfRange => "integer_out_of_range",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::LoneSurrogate => "lone_surrogate",
            Self::NameNotAString => "name_not_a_string",
            Self::NotAnObject => "not_an_object",
            Self::NotFinite => "not_finite",
            Self::NumberNotCanonical => "number_not_canonical",
            Self::NumberTooLong => "number_too_long",
            Self::ReservedName => "reserved_name",
            Self::Syntax => "syntax",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::TooManyNodes => "too_many_nodes",
            Self::TrailingData => "trailing_data",
            Self::Unserializable => "unserializable",
            Self::UnsupportedType => "unsupported_type",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ArbitraryPrecision => {
                "a number of a `serde_json` built with `arbitrary_precision`; send bytes instead, or build without that feature"
            }
            Self::ByteOrderMark => "a byte-order mark",
            Self::DuplicateName => "a second member of the same name",
            Self::IntegerOutOfRange => "an integral number beyond ±9007199254740991; send it as a string",
            Self::InvalidUtf8 => "bytes that aren't UTF-8",
            Self::LoneSurrogate => "half of a surrogate pair",
            Self::NameNotAString => "a member name that isn't a string",
            Self::NotAnObject => "the outermost value isn't an object",
            Self::NotFinite => "a number that isn't finite",
            Self::NumberNotCanonical => "a number whose canonical form has another value; send it as a string",
            Self::NumberTooLong => "a number of more than 40 bytes",
            Self::ReservedName => "a member name that begins with `$serde_json::private::`",
            Self::Syntax => "not JSON",
            Self::TooDeep => "more than 64 nested containers",
            Self::TooLarge => "more bytes than the limit",
            Self::TooManyNodes => "more values than the limit",
            Self::TrailingData => "something after the end of the object",
            Self::Unserializable => "a value that can't be serialised",
            Self::UnsupportedType => "a value of a type that has no canonical form",
        })
    }
}

/// Why a document isn't admitted, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}{place}{detail}", detail = Detail(detail.as_deref()))]
pub struct Inadmissible {
    fault: Fault,
    place: Place,
    detail: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Bytes of the received text before the fault.
    Byte(usize),
    /// The JSON Pointer of the value at fault.
    Pointer(Box<str>),
    /// The document as a whole.
    Whole,
}

impl Inadmissible {
    /// A fault of the document as a whole.
    pub(super) fn whole(fault: Fault) -> Self {
        Self { fault, place: Place::Whole, detail: None }
    }

    /// A fault at a byte of the text received.
    pub(super) fn at_byte(fault: Fault, offset: usize) -> Self {
        Self { fault, place: Place::Byte(offset), detail: None }
    }

    /// A fault at a value, with what its own serialisation said.
    pub(super) fn at_pointer(fault: Fault, pointer: &Steps, detail: Option<Box<str>>) -> Self {
        Self { fault, place: Place::Pointer(pointer.to_string().into()), detail }
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The stable code of the fault.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// Where in the bytes received, if bytes were received and the fault isn't the document's size.
    ///
    /// Which byte that is for which fault is laid down in `spec/v0/digest.md`.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        match self.place {
            Place::Byte(offset) => Some(offset),
            Place::Pointer(_) | Place::Whole => None,
        }
    }

    /// Where in the value received, as a JSON Pointer (RFC 6901), if a value was received.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        match &self.place {
            Place::Pointer(pointer) => Some(pointer),
            Place::Byte(_) | Place::Whole => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(offset) => write!(f, ", at byte {offset}"),
            Self::Pointer(pointer) => write!(f, ", at {}", quoted(pointer)),
            Self::Whole => Ok(()),
        }
    }
}

struct Detail<'a>(Option<&'a str>);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn codes_are_distinct_and_in_order() {
        assert!(Fault::ALL.is_sorted_by(|a, b| a.code() < b.code() && a < b));
    }
}
