//! JSON Pointers (RFC 6901) in the making.

use std::fmt;

/// Where a value stands in an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pointer(String);

impl Pointer {
    /// The whole object.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// One that is written already.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// A member, by its name.
    pub(crate) fn member(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0, name.replace('~', "~0").replace('/', "~1")))
    }

    /// An item of a sequence.
    pub(crate) fn item(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
