#![doc = include_str!("lib.md")]
#![warn(clippy::missing_errors_doc)]

mod answer;
mod arguments;
mod builder;
mod core_methods;
mod definition;
mod flow;
mod gated;
mod gated_tool;
mod guidance;
#[cfg(feature = "http")]
mod http_service;
#[cfg(feature = "http")]
mod http_sessions;
mod mutation;
mod names;
mod opaque;
mod profile_tools;
mod repeated;
mod requester;
mod result;
mod run;
mod serve;
mod timer;
mod wait;

pub use answer::{
    Answer, ChallengeAnswer, ExecutionAnswer, Next, NextArguments, Omitted, PlanAnswer, RefusalAnswer, StatusAnswer,
    output_schema,
};
pub use builder::{BuildError, GatedBuilder};
pub use gated::Gated;
pub use gated_tool::GatedTool;
#[cfg(feature = "http")]
pub use http_service::streamable_http;
#[cfg(feature = "http")]
pub use http_sessions::OwnSessions;
pub use mutation::{Mutation, MutationsOnly, StepError, Steps, still_holds};
pub use names::{EXTENSION_ID, PROFILE_VERSION, ToolNames};
pub use requester::{ConfiguredRequester, RequesterSource, VerifiedRequester};
pub use serve::ServeError;
pub use timer::TokioTimer;
