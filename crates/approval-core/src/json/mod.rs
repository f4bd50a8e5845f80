//! Strict JSON in, canonical bytes out.
//!
//! A digest that a person approves says nothing unless everybody reads the same document behind it. So a document is first
//! *admitted*: I-JSON (RFC 7493) in its strictest reading, refused and never repaired. What is admitted has exactly one
//! canonical form, the one of RFC 8785 (JCS), and a [`Document`] holds that form and nothing else.
//!
//! | attack | what stops it |
//! |---|---|
//! | two members of one name: one reader takes the first, another the last | [`Fault::DuplicateName`], compared after escapes |
//! | `9007199254740993` digests as `…992` | [`Fault::IntegerOutOfRange`] |
//! | `0.1000000000000000055511151231257827` digests as `0.1` | [`Fault::NumberNotCanonical`] |
//! | a lone surrogate, a byte-order mark, bytes that aren't UTF-8 | [`Fault::LoneSurrogate`], [`Fault::ByteOrderMark`], [`Fault::InvalidUtf8`] |
//! | a million brackets, a ten-megabyte number | [`Fault::TooDeep`], [`Fault::NumberTooLong`], in bounded time |
//! | `{"$serde_json::private::Number":"1"}` becomes `1` where a feature of `serde_json` is on | [`Fault::ReservedName`] |
//! | a nested NaN becomes `null` | [`Fault::NotFinite`] |
//!
//! There are two ways in. [`Document::parse`] sees bytes and claims all of the above, and names the fault at the lowest
//! byte offset. [`Document::from_value`] and [`Document::from_serialize`] see what someone else has parsed or built; what
//! that parser lost (a duplicate name, the spelling of a number) can't be seen any more.
//!
//! The rules are those of `spec/v0/digest.md`; ids such as `[DIG-020]` point there.

mod document;
mod fault;
mod limits;
mod number;
mod order;
mod parse;
mod pointer;
mod read;
mod serialize;
mod text;
mod writer;

pub use document::Document;
pub use fault::{Fault, Inadmissible};
pub use limits::Limits;
pub use read::ReadError;
pub(crate) use text::push_string;
