//! The records of the profile: what is digested, sealed and stored. [REC-001]
//!
//! Every record is a JSON object whose `type` member names it and its version. They are closed when the server reads them: a
//! member that the type does not know is refused. Their digests are over canonical bytes (see [`crate::json`]). A member
//! without a value is left out. [REC-004] [REC-006]

mod challenge;
mod control;
mod execution;
mod header;
mod intent;
mod kind;
pub(crate) mod optional;
mod plan_state;
mod review;
mod secret;

pub use challenge::{Approver, Challenge, ChallengeType, Decision, DecisionType, Verdict};
pub use control::{
    CoolDown, CoolDownType, Mute, MuteType, Pause, PauseType, Reconciled, Reconciliation, ReconciliationType,
};
pub use execution::{Execution, ExecutionType, Outcome, ResultType, StepOutcome, StepReport, ToolResult};
pub use header::{
    EffectivePolicy, Enforcement, HeaderType, Identity, Isolation, Limits, PlanHeader, PolicyType, RequesterAssurance,
    Rollback, Rule, RuleKind,
};
pub use intent::{Intent, IntentType, Normaliser, Precondition, PreconditionEnforcement, Step, Target, ToolReference};
pub use kind::RecordKind;
pub use plan_state::{Cause, Claim, PlanState, PlanStateType, RequestTag, State};
pub use review::{Change, Finding, Review, ReviewType, Severity, Source, Text, Warning, WarningCode};
pub(crate) use secret::zeroize_value;
pub use secret::{Commitment, SecretLeaf, Secrets, SecretsType};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::digest::Digest;
use crate::json::{Document, Inadmissible, ReadError};

/// Something that is stored as the canonical bytes of a typed JSON object.
pub trait Record: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Which record it is.
    const KIND: RecordKind;

    /// The record's canonical document.
    ///
    /// # Errors
    /// When it holds what strict JSON doesn't admit, or is larger than its kind may be.
    fn document(&self) -> Result<Document, Inadmissible> {
        Document::from_serialize(self, &crate::json::Limits::PLAN)
    }

    /// The digest of the record's canonical bytes.
    ///
    /// # Errors
    /// As [`Record::document`].
    fn digest(&self) -> Result<Digest, Inadmissible> {
        Ok(self.document()?.digest())
    }

    /// Reads a record from its canonical document, closed: an unknown member is refused. [REC-001]
    ///
    /// # Errors
    /// When the document isn't a record of this kind.
    fn read(document: &Document) -> Result<Self, ReadError> {
        document.read()
    }
}

/// The `type` member of one record: a type with one value, so that another record can't be read in its place. [DIG-043]
/// [DIG-044]
macro_rules! record_type {
    ($name:ident, $record:ty, $kind:ident, $value:literal) => {
        #[doc = concat!("The `type` member `", $value, "`.")]
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            #[doc = concat!("`", $value, "`")]
            #[default]
            #[serde(rename = $value)]
            V0,
        }

        impl $crate::record::Record for $record {
            const KIND: $crate::record::RecordKind = $crate::record::RecordKind::$kind;
        }
    };
}
pub(crate) use record_type;
