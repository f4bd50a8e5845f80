//! How one gated tool is planned and run.

use std::fmt;
use std::sync::Arc;

use approval_core::{Executor, Planner};
use rmcp::model::Tool;

use crate::mutation::{Erased, Mutation, Typed};

/// How a gated tool is planned and run.
///
/// With nothing more said, a tool is *opaque*: what it would do can't be previewed, so the approver is shown its arguments
/// and told so, and an error of it counts as `unknown`, since it may have had an effect.
#[derive(Clone, Default)]
pub struct GatedTool {
    pub(crate) planner: Option<Arc<dyn Planner>>,
    pub(crate) executor: Option<Arc<dyn Executor>>,
    pub(crate) mutation: Option<Arc<dyn Erased>>,
    pub(crate) effects_at: Vec<String>,
    pub(crate) secrets_at: Vec<String>,
    pub(crate) errors_are_effect_free: bool,
}

impl GatedTool {
    /// A tool that nothing is known about but its definition.
    #[must_use]
    pub fn opaque() -> Self {
        Self::default()
    }

    /// A tool whose author says beforehand what it would do. It is run by calling the tool itself with the stored arguments,
    /// unless [`executed_by`](Self::executed_by) says otherwise.
    ///
    /// Whatever tool the planner's `identify` returns is replaced by the definition that the server lists at that moment.
    #[must_use]
    pub fn planned_by(planner: Arc<dyn Planner>) -> Self {
        Self { planner: Some(planner), ..Self::default() }
    }

    /// A tool of the gate's own, which the wrapped server doesn't have.
    pub(crate) fn mutation(mutation: impl Mutation) -> Self {
        let mutation = Arc::new(Typed::new(mutation));
        Self { planner: Some(mutation.clone()), mutation: Some(mutation), ..Self::default() }
    }

    /// The definition of a tool of the gate's own.
    pub(crate) fn definition(&self) -> Option<&Tool> {
        self.mutation.as_ref()?.definition()
    }

    /// Runs approved plans by this executor; the tool itself is then never called.
    #[must_use]
    pub fn executed_by(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// For an opaque tool: the arguments (JSON Pointers, RFC 6901) whose values, together, name what it touches.
    ///
    /// Calls with other values there don't wait for each other. Without it, every call of the tool touches the same.
    #[must_use]
    pub fn effects_at(mut self, pointers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.effects_at.extend(pointers.into_iter().map(Into::into));
        self
    }

    /// For an opaque tool: the arguments (JSON Pointers, RFC 6901) whose values nobody is to see, the approver included.
    #[must_use]
    pub fn secrets_at(mut self, pointers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.secrets_at.extend(pointers.into_iter().map(Into::into));
        self
    }

    /// The operator says: where the tool answers with an error, it has had no effect. Its errors are then `failed` instead of
    /// `unknown`. A call that is not answered in time stays `unknown` all the same.
    #[must_use]
    pub fn errors_are_effect_free(mut self) -> Self {
        self.errors_are_effect_free = true;
        self
    }
}

impl<P: Planner + 'static> From<Arc<P>> for GatedTool {
    fn from(planner: Arc<P>) -> Self {
        Self::planned_by(planner)
    }
}

impl From<Arc<dyn Planner>> for GatedTool {
    fn from(planner: Arc<dyn Planner>) -> Self {
        Self::planned_by(planner)
    }
}

impl fmt::Debug for GatedTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatedTool")
            .field("planned", &self.planner.is_some())
            .field("executed", &self.executor.is_some())
            .field("mutation", &self.mutation.is_some())
            .field("effects_at", &self.effects_at)
            .field("secrets_at", &self.secrets_at)
            .field("errors_are_effect_free", &self.errors_are_effect_free)
            .finish()
    }
}
