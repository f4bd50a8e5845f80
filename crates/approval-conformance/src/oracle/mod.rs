//! What an answer ought to be, by the harness's own reading of the specification: strict JSON, canonical bytes, digests, schemas.

mod digest;
mod forms;
mod schemas;
mod strict;

pub(crate) use self::digest::{digest, digest_of};
pub(crate) use self::forms::{is_challenge_id, is_digest, is_plan_id, timestamp};
pub(crate) use self::schemas::{Schemas, complaints};
pub(crate) use self::strict::read;
