//! What an answer ought to be, by the harness's own reading of the specification: strict JSON, canonical bytes, digests, schemas.

mod audit;
mod digest;
mod forms;
mod receipt;
mod schemas;
mod signed;
mod strict;
#[cfg(test)]
mod vectors;

pub(crate) use self::audit::{Audit, verify as verify_audit};
pub(crate) use self::digest::{digest, digest_of};
pub(crate) use self::forms::{is_digest, is_plan_id, timestamp};
pub(crate) use self::receipt::{Receipt, verify as verify_receipt};
use self::schemas::own;
pub(crate) use self::schemas::{Schemas, complaints};
pub(crate) use self::signed::KeySet;
pub(crate) use self::strict::read;
