//! Mutations whose author says beforehand what they would do.

mod fresh;
mod server;
mod steps;
mod typed;

use approval_core::{Draft, FreshnessError, PlanError, ResolvedPlan};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use fresh::still_holds;
pub use server::MutationsOnly;
pub use steps::{StepError, Steps};
pub(crate) use typed::{Erased, Typed};

/// A mutation with arguments of a type: one tool, gated, with a preview.
///
/// `plan` reads and `execute` writes. What a person approves is the draft that `plan` returned, as it is stored; `execute` gets
/// exactly that plan, once, after the gate has verified everything again.
///
/// The arguments are read from the JSON object of the call, by whose schema clients see what the tool takes. Members that the
/// type doesn't know are refused, since a person would be shown what nobody obeys.
///
/// ```
/// use approval_core::record::{Change, Step, Target};
/// use approval_core::{Draft, DraftStep, EffectKey, PlanError};
/// use approval_rmcp::{Mutation, StepError, Steps};
/// # use std::collections::BTreeMap;
/// # use std::sync::Mutex;
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Rename {
///     /// Whose name changes.
///     user: String,
///     name: String,
/// }
///
/// struct Directory(/* … */ Mutex<BTreeMap<String, String>>);
///
/// # impl Directory {
/// #     async fn name(&self, user: &str) -> Result<String, PlanError> {
/// #         self.0.lock().unwrap().get(user).cloned().ok_or_else(|| PlanError::Invalid(format!("no user `{user}`")))
/// #     }
/// #     async fn set(&self, user: &str, name: String) -> std::io::Result<()> {
/// #         self.0.lock().unwrap().insert(user.to_owned(), name);
/// #         Ok(())
/// #     }
/// # }
/// #[async_trait::async_trait]
/// impl Mutation for Directory {
///     type Arguments = Rename;
///     type Output = ();
///
///     fn name(&self) -> String {
///         "rename_user".to_owned()
///     }
///
///     fn description(&self) -> String {
///         "Changes the name of a user.".to_owned()
///     }
///
///     async fn plan(&self, Rename { user, name }: &Rename) -> Result<Draft, PlanError> {
///         let before = self.name(user).await?;
///         let target = Target { name: "directory".to_owned(), identity: Default::default() };
///         let mut draft = Draft::new(target, format!("rename `{user}`"), vec![EffectKey::new(user)]);
///         draft.changes.push(Change { object: user.clone(), before: Some(before.into()), after: Some(name.clone().into()) });
///         draft.steps.push(DraftStep {
///             step: Step {
///                 action: "rename".to_owned(),
///                 object: user.clone(),
///                 body: Some(name.clone().into()),
///                 preconditions: Vec::new(),
///                 preview_digest: None,
///             },
///             description: format!("set the name of `{user}`"),
///             preview: None,
///         });
///         Ok(draft)
///     }
///
///     async fn execute(&self, Rename { user, name }: Rename, steps: &Steps<'_>) -> Result<(), StepError> {
///         steps.run(async { Ok(self.set(&user, name).await?) }).await
///     }
/// }
/// ```
#[async_trait]
pub trait Mutation: Send + Sync + 'static {
    /// What the tool takes: an object.
    type Arguments: DeserializeOwned + JsonSchema + Send + Sync;

    /// What the tool answers once all of it has run; to the agent it is the execution's `toolResult`. One that can't be written as
    /// JSON changes nothing about the outcome: `toolResult` says so in its place.
    type Output: Serialize + Send;

    /// The tool's name. It may not change while the server runs.
    fn name(&self) -> String;

    /// What the tool does, for the model.
    fn description(&self) -> String;

    /// What the tool is called, for persons.
    fn title(&self) -> Option<String> {
        None
    }

    /// What a call would do. Reads, and mutates nothing: that nothing runs before a person has approved it rests on this. [PLAN-008]
    ///
    /// # Errors
    /// When the call can't be planned.
    async fn plan(&self, arguments: &Self::Arguments) -> Result<Draft, PlanError>;

    /// Looks at the target again, right before an approved plan runs. Unless something else is said, the call is planned anew, and
    /// what it would do now has to be what was reviewed: see [`still_holds`].
    ///
    /// # Errors
    /// When that isn't so, or the target can't be reached.
    async fn revalidate(&self, arguments: &Self::Arguments, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        still_holds(plan, &self.plan(arguments).await.map_err(fresh::error)?)
    }

    /// Runs the approved plan: its steps in order, each by [`Steps::run`], and nothing outside of that.
    ///
    /// # Errors
    /// The first step that didn't end well. What became of the plan follows from how far the steps went: see [`Steps`].
    async fn execute(&self, arguments: Self::Arguments, steps: &Steps<'_>) -> Result<Self::Output, StepError>;
}
