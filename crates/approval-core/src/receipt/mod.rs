//! Receipts: what was planned, who decided and what came of it, signed, so that anyone with the public keys can check it offline.
//!
//! A receipt is a DSSE envelope (see [`crate::signing`]) around an in-toto Statement v1, whose subject is the plan digest. It
//! holds of the plan the header only: no argument, no document, no salt, no secret; and of a decision all but the comment.
//!
//! It proves that the holder of a key asserted what it says, and no more. It says itself what it asserts ([`Claim`]) and what
//! it doesn't show ([`Limit`]), and both follow from its records: a receipt that claims anything else is refused.
//!
//! | attack | what stops it |
//! |---|---|
//! | an edited receipt | the signature; there is one spelling, so every byte counts |
//! | the decisions of another plan beside this header | [`ReceiptFault::PlanMismatch`]: the header's digest is computed, and everything must name it |
//! | one person's approvals counted as two, the requester's as another's | [`ReceiptFault::RuleNotSatisfied`]: persons are counted anew |
//! | an approval that came too late, or on an old login | [`ReceiptFault::TimeOrder`] |
//! | `applied` where the execution says otherwise | [`ReceiptFault::StateMismatch`] |
//! | a receipt of another installation | [`ReceiptFault::AudienceMismatch`] |
//! | a checkpoint passed off as a receipt, a stolen or outdated key | [`crate::signing`] |

mod claims;
mod examine;
mod fault;
mod issue;
mod report;
mod slice;
mod statement;
mod verify;

pub use claims::{Claim, Limit};
pub use fault::ReceiptFault;
pub use issue::{IssueError, Records, issue};
pub use statement::{
    HexDigest, PlanUrn, PredicateType, Receipt, ReceiptDecision, Statement, StatementType, Subject, SubjectDigest,
};
pub use verify::{Verified, verify};
