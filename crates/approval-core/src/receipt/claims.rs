//! What a receipt asserts, and what it doesn't show: both follow from its records.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Receipt;
use super::examine::is_approved;
use crate::record::{Cause, Isolation, Outcome, RequesterAssurance, Rollback, State, Verdict};

/// What a receipt asserts. It has no more claims than its records bear out. [RCPT-010]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// As many persons as the rule asks for approved this digest.
    Approved,
    /// The plan was claimed, and the outcome of the attempt was recorded.
    Executed,
    /// The plan ended without an attempt.
    NotExecuted,
    /// The plan was made for this requester, under this policy.
    Planned,
    /// An operator recorded what the attempt did.
    Reconciled,
    /// A person rejected this digest.
    Rejected,
    /// A person took their approval of this digest back.
    Withdrawn,
}

/// What a receipt doesn't show. [RCPT-011]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// That anything of it is true: it is the word of the key's holder.
    Assertion,
    /// What the plan says: intent and review are here by their digests only.
    Content,
    /// That the target is as the outcome says: it is what the server was told.
    Effect,
    /// That the requester is who they are said to be: the server's configuration says so, and no token was verified.
    Environment,
    /// That the approvers were in the groups that the rule names.
    Groups,
    /// That persons are who their issuers say.
    Identity,
    /// That the store was not put back to an older copy: nothing would have noticed.
    Rollback,
    /// That the agent did not approve by itself: it may have run as the server's own operating-system user.
    SameUser,
    /// That it happened when it says: all times are the server's and the issuers' own.
    Time,
    /// What the attempt did: its outcome leaves that open, and nobody has said.
    Unresolved,
}

impl Claim {
    /// Every claim.
    pub const ALL: [Self; 7] = [
        Self::Approved,
        Self::Executed,
        Self::NotExecuted,
        Self::Planned,
        Self::Reconciled,
        Self::Rejected,
        Self::Withdrawn,
    ];

    /// The claims that a receipt's records bear out, in the order of their names.
    pub(super) fn of(receipt: &Receipt<'_>) -> impl Iterator<Item = Self> {
        let holds = move |claim: &Self| match claim {
            Self::Approved => is_approved(receipt),
            Self::Executed => receipt.execution.is_some(),
            Self::NotExecuted => receipt.execution.is_none(),
            Self::Planned => true,
            Self::Reconciled => receipt.reconciliation.is_some(),
            Self::Rejected => receipt.state == State::Rejected && decided(receipt, Verdict::Reject),
            Self::Withdrawn => receipt.cause == Some(Cause::Withdrawn) && decided(receipt, Verdict::Withdraw),
        };
        Self::ALL.into_iter().filter(holds)
    }

    /// The claim in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Approved => {
                "as many persons as the rule asks for approved this digest, each before the challenge ran out"
            }
            Self::Executed => "the plan was claimed once, and this outcome was recorded",
            Self::NotExecuted => "the plan ended without an attempt, and can't be executed any more",
            Self::Planned => "this plan was made for this requester, under this policy",
            Self::Reconciled => "an operator recorded what the attempt did",
            Self::Rejected => "a person rejected this digest",
            Self::Withdrawn => "a person took their approval of this digest back",
        }
    }
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 10] = [
        Self::Assertion,
        Self::Content,
        Self::Effect,
        Self::Environment,
        Self::Groups,
        Self::Identity,
        Self::Rollback,
        Self::SameUser,
        Self::Time,
        Self::Unresolved,
    ];

    /// The limits that a receipt's records have, in the order of their names.
    pub(super) fn of(receipt: &Receipt<'_>) -> impl Iterator<Item = Self> {
        let executed = receipt.execution.as_deref();
        let enforcement = executed.map_or(receipt.header.enforcement, |execution| execution.enforcement);
        let holds = move |limit: &Self| match limit {
            Self::Assertion | Self::Content | Self::Identity | Self::Time => true,
            Self::Effect => executed.is_some(),
            Self::Environment => enforcement.requester_assurance == RequesterAssurance::Environment,
            Self::Groups => !receipt.header.policy.rule.groups.is_empty() && !receipt.decisions.is_empty(),
            Self::Rollback => enforcement.rollback == Rollback::None,
            Self::SameUser => enforcement.isolation == Isolation::SameUser,
            Self::Unresolved => {
                executed.is_some_and(|execution| matches!(execution.outcome, Outcome::Partial | Outcome::Unknown))
                    && receipt.reconciliation.is_none()
            }
        };
        Self::ALL.into_iter().filter(holds)
    }

    /// The limit in a sentence that goes on from “it does not show”.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Assertion => "that any of this is true: it is the word of whoever held the signing key",
            Self::Content => "what the plan says: what will run and what was shown are here by their digests only",
            Self::Effect => "that the target is as the outcome says: it is what the server was told",
            Self::Environment => "that the requester is who they are said to be: no token was verified",
            Self::Groups => "that the approvers were in the groups that the rule names",
            Self::Identity => "that persons are who their issuers say",
            Self::Rollback => "that the store was not put back to an older copy: nothing would have noticed",
            Self::SameUser => "that the agent did not approve by itself: it may have run as the server's own user",
            Self::Time => "that it happened when it says: all times are the server's and the issuers' own",
            Self::Unresolved => "what the attempt did: its outcome leaves that open, and nobody has said",
        }
    }
}

fn decided(receipt: &Receipt<'_>, verdict: Verdict) -> bool {
    receipt.decisions.last().is_some_and(|decision| decision.verdict == verdict)
}
