#![doc = include_str!("lib.md")]
#![warn(clippy::missing_errors_doc)]

mod cluster;
mod compare;
mod executor;
pub mod findings;
mod image;
mod kubernetes;
mod live;
pub mod manifest;
mod normaliser;
mod object;
mod operation;
mod planner;
mod pointer;
pub mod policy;
mod quoted;
mod secret;
pub mod tool;
mod workload;

pub use cluster::{ApiStatus, Cluster, ConnectError, Endpoint};
pub use image::{DEFAULT_REGISTRY, Image, WrongImage};
pub use kubernetes::Kubernetes;
pub use object::{ObjectReference, WrongName};
pub use planner::{FIELD_MANAGER, MARKER};
