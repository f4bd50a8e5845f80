//! What the pages show, and how.

pub(crate) mod beside;
pub(crate) mod block;
pub(crate) mod change;
pub(crate) mod chrome;
pub(crate) mod fold;
pub(crate) mod inbox;
pub(crate) mod json_text;
pub(crate) mod lines;
pub(crate) mod live;
pub(crate) mod name;
pub(crate) mod plan;
pub(crate) mod rows;
pub(crate) mod shown;
pub(crate) mod timeline;
pub(crate) mod words;
