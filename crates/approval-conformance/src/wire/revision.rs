//! Revisions of MCP.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A revision of MCP that the harness speaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Revision {
    /// With `initialize` and sessions.
    #[serde(rename = "2025-11-25")]
    V2025_11_25,
    /// Without: each request says what it speaks.
    #[serde(rename = "2026-07-28")]
    V2026_07_28,
}

impl Revision {
    /// Both, the older first.
    pub const ALL: [Self; 2] = [Self::V2025_11_25, Self::V2026_07_28];

    /// As MCP writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
