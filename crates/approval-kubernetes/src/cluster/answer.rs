//! What the API server answers when it does as it is told.

use serde_json::Value;

/// An answer of success.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Value,
    /// What the server and its admission plugins warn of.
    pub(crate) warnings: Vec<String>,
}

/// The answer to what made an object.
pub(crate) const CREATED: u16 = 201;
