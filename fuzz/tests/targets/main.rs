//! One property, at least, of every parser of bytes that come from outside.

mod json;
mod texts;
