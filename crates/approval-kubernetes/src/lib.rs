//! Kubernetes for the mutation-approval profile.
#![warn(clippy::missing_errors_doc)]

pub mod manifest;
mod pointer;
