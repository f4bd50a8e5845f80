//! The mutation-approval profile: records, strict JSON and digests, policy, gate, seals and audit.

pub mod digest;
pub mod json;
