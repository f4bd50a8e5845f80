//! A check: one thing that is tried, and what has to come of it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scene::Scene;
use crate::verdict::Checked;

/// What it takes to find out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Level {
    /// Messages as agent and as person, and a look at the target: can be done to any server.
    L1,
    /// Somebody with the server's machine: its store, its process, its clock.
    L2,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
        })
    }
}

/// With whom a check shares the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// Nobody: the server is fresh, and is made anew for the next one.
    Alone,
    /// Others run at the same time.
    Shared,
    /// As `Shared`, once in each revision of MCP.
    SharedEach,
}

pub(crate) type Running = Pin<Box<dyn Future<Output = Checked> + Send>>;

/// A check.
pub(crate) struct Check {
    /// Its name, for good.
    pub(crate) id: &'static str,
    /// What it takes.
    pub(crate) level: Level,
    /// With whom it shares the server.
    pub(crate) scope: Scope,
    /// What it tests, by id.
    pub(crate) requirements: &'static [&'static str],
    /// The hostile case of security.md, section 4, that it tries.
    pub(crate) case: Option<&'static str>,
    /// What is done.
    pub(crate) tries: &'static str,
    /// What has to come of it.
    pub(crate) expects: &'static str,
    pub(crate) run: fn(Arc<Scene>) -> Running,
}

impl fmt::Debug for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Check").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An asynchronous function over `&Scene` as what a check runs.
macro_rules! run {
    ($check:path) => {
        |scene| Box::pin(async move { $check(&scene).await })
    };
}

pub(crate) use run;
