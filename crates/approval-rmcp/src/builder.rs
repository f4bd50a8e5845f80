//! Putting a gate around a server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use approval_core::Approvals;
use rmcp::ServerHandler;

use crate::answer;
use crate::definition::Digests;
use crate::gated::Gated;
use crate::gated_tool::GatedTool;
use crate::mutation::Mutation;
use crate::names::{ProfileTool, ToolNames, settings};
use crate::requester::{RequesterSource, VerifiedRequester};

/// The prefix of the profile's tools, unless another is chosen.
const PREFIX: &str = "approval_";

/// The longest tool name that MCP recommends.
const LONGEST_NAME: usize = 128;

/// How long a tool may take, unless something else is said.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// A gate in the making. [`Gated::builder`] makes one.
#[derive(Debug)]
pub struct GatedBuilder<H> {
    inner: H,
    approvals: Approvals,
    requesters: Arc<dyn RequesterSource>,
    tools: BTreeMap<String, GatedTool>,
    listed: BTreeSet<String>,
    prefix: String,
    server: Option<String>,
    time_limit: Option<Duration>,
    trusts_annotations: bool,
    fault: Option<BuildError>,
}

/// Why a server can't be gated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The prefix doesn't make names of tools.
    #[error("`{0}` is not a prefix of tool names: letters, digits, `_`, `-` and `.`")]
    Prefix(String),
    /// The server has a tool under one of the profile's names.
    #[error("the server has a tool `{0}` already: choose another prefix")]
    Reserved(String),
    /// Two tools have one name.
    #[error("there is a tool `{0}` already")]
    Duplicate(String),
    /// A mutation doesn't take an object.
    #[error("the arguments of `{0}` are no object: its type must be a struct with named fields")]
    Arguments(String),
}

impl<H: ServerHandler> GatedBuilder<H> {
    pub(crate) fn new(inner: H, approvals: Approvals) -> Self {
        Self {
            inner,
            approvals,
            requesters: Arc::new(VerifiedRequester),
            tools: BTreeMap::new(),
            listed: BTreeSet::new(),
            prefix: PREFIX.to_owned(),
            server: None,
            time_limit: Some(TIME_LIMIT),
            trusts_annotations: true,
            fault: None,
        }
    }

    /// Says for whom an agent acts. Without it, only requests with a verified bearer have a requester.
    #[must_use]
    pub fn requester(mut self, source: impl RequesterSource + 'static) -> Self {
        self.requesters = Arc::new(source);
        self
    }

    /// Gates a tool, read-only or not, and says how it is planned and run: a planner, or a [`GatedTool`].
    #[must_use]
    pub fn tool(mut self, name: impl Into<String>, tool: impl Into<GatedTool>) -> Self {
        self.tools.insert(name.into(), tool.into());
        self
    }

    /// Adds a mutation: a gated tool with a preview, which the wrapped server doesn't have. Where there are none but mutations,
    /// [`MutationsOnly`](crate::MutationsOnly) is wrapped.
    #[must_use]
    pub fn mutation(mut self, mutation: impl Mutation) -> Self {
        let name = mutation.name();
        if self.tools.insert(name.clone(), GatedTool::mutation(mutation)).is_some() {
            self.fault.get_or_insert(BuildError::Duplicate(name));
        }
        self
    }

    /// Gates these tools, as opaque ones, even where they say that they are read-only.
    #[must_use]
    pub fn gate(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        for name in names {
            self.tools.entry(name.into()).or_default();
        }
        self
    }

    /// Gates every tool, whatever it says about itself: for a server whose annotations aren't to be believed.
    #[must_use]
    pub fn gate_read_only(mut self) -> Self {
        self.trusts_annotations = false;
        self
    }

    /// Says which tools the server lists, for one that answers `list_tools` only: before a client has come, [`build`](Self::build)
    /// knows of a server's tools what its `get_tool` says, which without a body of its own says that there is none.
    #[must_use]
    pub fn lists(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.listed.extend(names.into_iter().map(Into::into));
        self
    }

    /// Another prefix of the profile's tools than `approval_`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The name under which approvers and policy know the server. Without it, the name that it gives itself.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server = Some(name.into());
        self
    }

    /// How long a wrapped tool may take before its call is dropped, and what it did is `unknown`; ten minutes without it.
    /// `None` waits for ever.
    #[must_use]
    pub fn time_limit(mut self, limit: Option<Duration>) -> Self {
        self.time_limit = limit;
        self
    }

    /// Puts the gate up.
    ///
    /// # Errors
    /// When the server has a tool under a reserved name or that of a mutation, by its `get_tool` or by [`lists`](Self::lists); when
    /// a mutation takes no object, or the prefix doesn't make names of tools.
    ///
    /// A tool that only `list_tools` tells of, and one that is there later, isn't seen here. Under such a name it is never called,
    /// since the gate's own tool answers to it, and `tools/list` fails where it would be listed.
    pub fn build(self) -> Result<Gated<H>, BuildError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let has = |name: &str| self.listed.contains(name) || self.inner.get_tool(name).is_some();
        for (name, tool) in self.tools.iter().filter(|(_, tool)| tool.mutation.is_some()) {
            if has(name) {
                return Err(BuildError::Duplicate(name.clone()));
            }
            if tool.definition().is_none() {
                return Err(BuildError::Arguments(name.clone()));
            }
        }
        let names = ToolNames::with_prefix(&self.prefix);
        let well_formed = |name: &str| {
            name.len() <= LONGEST_NAME
                && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.'))
        };
        for tool in ProfileTool::ALL {
            let name = names.of(tool);
            if !well_formed(name) {
                return Err(BuildError::Prefix(self.prefix));
            }
            // [WIRE-003]
            if self.tools.contains_key(name) || has(name) {
                return Err(BuildError::Reserved(name.to_owned()));
            }
        }
        let server = self.server.unwrap_or_else(|| self.inner.get_info().server_info.name);
        Ok(Gated {
            settings: settings(&self.approvals, &names),
            output_schema: Arc::new(answer::output_schema()),
            inner: self.inner,
            approvals: self.approvals,
            requesters: self.requesters,
            tools: self.tools,
            names,
            digests: Digests::default(),
            server,
            time_limit: self.time_limit,
            trusts_annotations: self.trusts_annotations,
        })
    }
}
