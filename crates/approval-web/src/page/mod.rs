//! What the pages show, and how.

pub(crate) mod block;
pub(crate) mod change;
pub(crate) mod fold;
pub(crate) mod json_text;
pub(crate) mod name;
pub(crate) mod shown;
