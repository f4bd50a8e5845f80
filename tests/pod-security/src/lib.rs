//! Pods to be judged by [`approval_kubernetes::findings::pod_security`] and by Kubernetes' own Pod Security admission: the fixtures
//! of the latter, and what they can be turned into.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod edits;
mod fixtures;

pub use edits::Edits;
pub use fixtures::{Fixture, fixtures};
