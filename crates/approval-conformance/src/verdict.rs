//! What came of a check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::driver::DriverError;
use crate::wire::WireError;

/// What came of a check.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The server does otherwise than a MUST says.
    Fail,
    /// Harness or driver went wrong: nothing is said of the server.
    HarnessFault,
    /// The target declares nothing that this is about.
    NotApplicable,
    /// It is declared, and could not be exercised: counts against the server.
    NotTestable,
    /// The server does as it must.
    Pass,
    /// The server does otherwise than a SHOULD says.
    Warning,
}

impl Verdict {
    /// All, as reports list them: the worst first.
    pub const ALL: [Self; 6] =
        [Self::HarnessFault, Self::Fail, Self::NotTestable, Self::Warning, Self::NotApplicable, Self::Pass];

    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::HarnessFault => "harness fault",
            Self::NotApplicable => "not applicable",
            Self::NotTestable => "not testable",
            Self::Pass => "pass",
            Self::Warning => "warning",
        }
    }
}

/// Why a check stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The server does otherwise than it must.
    Fail(String),
    /// No fault of the server's.
    Fault(String),
    /// Nothing of the kind is declared.
    NotApplicable(String),
    /// It can't be exercised.
    NotTestable(String),
}

/// What a check ends with.
pub(crate) type Checked<T = ()> = Result<T, Stop>;

impl Stop {
    pub(crate) fn fail(what: impl Into<String>) -> Self {
        Self::Fail(what.into())
    }
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        Self::Fail(error.to_string())
    }
}

impl From<DriverError> for Stop {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Fault(_) => Self::Fault(error.to_string()),
            DriverError::Unsupported(_) => Self::NotTestable(error.to_string()),
        }
    }
}

/// Fails the check with `what` unless `holds`.
pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Stop::Fail(what())) }
}
