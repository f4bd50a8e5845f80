//! A target that does what a test tells it to, and counts what is done to it.

use std::sync::{Mutex, PoisonError};

use approval_core::record::{
    Change, Outcome, Precondition, PreconditionEnforcement, Step, StepOutcome, StepReport, Target, ToolReference,
};
use approval_core::{
    Call, Draft, DraftStep, EffectKey, ExecutionPermit, Executor, FreshnessError, Identified, PlanError, Planner,
    Report, ResolvedPlan,
};
use async_trait::async_trait;
use serde_json::{Map, Value, json};

/// A shelf of named values: planner and executor at once. The tool `put` takes `name`, `value` and, secret, `token`.
#[derive(Debug, Default)]
pub struct FakeTarget {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shelf: Map<String, Value>,
    effects: u32,
    tokens: Vec<Value>,
    identity: String,
    definition: &'static [u8],
    outage: bool,
    refuses: bool,
    previews_otherwise: bool,
    outcome: Option<Outcome>,
    panics: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            shelf: Map::new(),
            effects: 0,
            tokens: Vec::new(),
            identity: "shelf-1".to_owned(),
            definition: b"put",
            outage: false,
            refuses: false,
            previews_otherwise: false,
            outcome: None,
            panics: false,
        }
    }
}

impl FakeTarget {
    /// An empty shelf.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A call of `put`.
    #[must_use]
    pub fn call(&self, name: &str, value: &Value) -> Call {
        let mut arguments = Map::new();
        arguments.insert("name".to_owned(), name.into());
        arguments.insert("value".to_owned(), value.clone());
        let definition = self.look(|state| state.definition);
        Call { tool: "put".to_owned(), definition_digest: approval_core::Digest::of_bytes(definition), arguments }
    }

    /// How many effects there have been.
    #[must_use]
    pub fn effects(&self) -> u32 {
        self.look(|state| state.effects)
    }

    /// What lies under a name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Value> {
        self.look(|state| state.shelf.get(name).cloned())
    }

    /// The tokens that the executor got.
    #[must_use]
    pub fn tokens(&self) -> Vec<Value> {
        self.look(|state| state.tokens.clone())
    }

    /// Somebody else puts a value there.
    pub fn meddle(&self, name: &str, value: Value) {
        self.change(|state| state.shelf.insert(name.to_owned(), value));
    }

    /// The target can't be reached, or can.
    pub fn outage(&self, outage: bool) {
        self.change(|state| state.outage = outage);
    }

    /// The target refuses previews, or doesn't.
    pub fn refuse(&self, refuses: bool) {
        self.change(|state| state.refuses = refuses);
    }

    /// A fresh preview gives something else from now on.
    pub fn preview_otherwise(&self) {
        self.change(|state| state.previews_otherwise = true);
    }

    /// It is another shelf from now on.
    pub fn become_another(&self) {
        self.change(|state| state.identity = "shelf-2".to_owned());
    }

    /// The tool's definition is another from now on.
    pub fn redefine(&self) {
        self.change(|state| state.definition = b"put, redefined");
    }

    /// The executor reports this outcome, whatever happened; an effect occurs unless it is `failed`.
    pub fn report(&self, outcome: Outcome) {
        self.change(|state| state.outcome = Some(outcome));
    }

    /// The executor panics after its effect.
    pub fn panic(&self) {
        self.change(|state| state.panics = true);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn target(&self) -> Target {
        let mut identity = Map::new();
        identity.insert("shelf".to_owned(), self.look(|state| state.identity.clone()).into());
        Target { name: "the shelf".to_owned(), identity }
    }

    fn reachable(&self) -> bool {
        !self.look(|state| state.outage)
    }
}

/// What becomes of each step where the whole comes to this.
fn step_outcome(whole: Outcome) -> StepOutcome {
    match whole {
        Outcome::Applied => StepOutcome::Applied,
        Outcome::Failed => StepOutcome::Failed,
        // There is one step: it broke off.
        Outcome::Partial | Outcome::Unknown => StepOutcome::Unknown,
    }
}

fn name_of(arguments: &Map<String, Value>) -> Result<String, PlanError> {
    let name = arguments.get("name").and_then(Value::as_str);
    name.map(str::to_owned).ok_or_else(|| PlanError::Invalid("`name` is not a text".to_owned()))
}

#[async_trait]
impl Planner for FakeTarget {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        if !self.reachable() {
            return Err(PlanError::Unavailable("the shelf can't be reached".to_owned()));
        }
        if self.look(|state| state.refuses) {
            return Err(PlanError::Refused("the shelf takes nothing".to_owned()));
        }
        let name = name_of(&call.arguments)?;
        let before = self.value(&name);
        let after = call.arguments.get("value").cloned().unwrap_or(Value::Null);
        let mut draft = Draft::new(
            self.target(),
            format!("put a value on the shelf at `{name}`"),
            vec![EffectKey::new(format!("shelf/{name}"))],
        );
        draft.steps.push(DraftStep {
            step: Step {
                action: "put".to_owned(),
                object: name.clone(),
                body: Some(after.clone()),
                preconditions: vec![Precondition {
                    kind: "value".to_owned(),
                    expected: before.clone().unwrap_or(Value::Null),
                    enforcement: PreconditionEnforcement::BeforeWrite,
                }],
                preview_digest: None,
            },
            description: format!("put the value at `{name}`"),
            preview: Some(json!({ "name": name, "value": after })),
        });
        draft.changes.push(Change { object: name, before, after: Some(after) });
        if call.arguments.contains_key("token") {
            draft.secrets.push("/arguments/token".to_owned());
        }
        Ok(draft)
    }

    async fn identify(&self, _: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        if !self.reachable() {
            return Err(FreshnessError::Unavailable("the shelf can't be reached".to_owned()));
        }
        let definition_digest = approval_core::Digest::of_bytes(self.look(|state| state.definition));
        let tool = ToolReference { name: "put".to_owned(), definition_digest };
        Ok(Identified { tool, target: self.target() })
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        if !self.reachable() {
            return Err(FreshnessError::Unavailable("the shelf can't be reached".to_owned()));
        }
        if self.look(|state| state.refuses) {
            return Err(FreshnessError::Refused("the shelf takes nothing".to_owned()));
        }
        for (number, step) in plan.intent().steps.iter().enumerate() {
            let live = self.value(&step.object).unwrap_or(Value::Null);
            if step.preconditions.iter().any(|condition| condition.expected != live) {
                return Err(FreshnessError::Precondition(format!("`{}` has another value now", step.object)));
            }
            let mut preview = json!({ "name": step.object, "value": step.body });
            if self.look(|state| state.previews_otherwise) {
                preview = json!({ "name": step.object, "value": "something else" });
            }
            let digest = plan.preview_digest(number, &preview).ok();
            if digest != step.preview_digest {
                return Err(FreshnessError::Preview(format!("`{}` would become something else", step.object)));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Executor for FakeTarget {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let outcome = self.look(|state| state.outcome).unwrap_or(Outcome::Applied);
        let mut steps = Vec::new();
        for number in 0..permit.plan().intent().steps.len() {
            let Ok(Some(step)) = permit.start(number) else {
                steps.push(StepReport { outcome: StepOutcome::Skipped, code: None });
                continue;
            };
            if outcome != Outcome::Failed {
                self.change(|state| {
                    state.shelf.insert(step.object.clone(), step.body.clone().unwrap_or(Value::Null));
                    state.effects += 1;
                    state.tokens.extend(permit.plan().intent().arguments.get("token").cloned());
                });
            }
            steps.push(StepReport { outcome: step_outcome(outcome), code: None });
        }
        #[expect(clippy::panic, reason = "a test wants to see what becomes of a panic")]
        if self.look(|state| state.panics) {
            panic!("told to");
        }
        let token = permit.plan().intent().arguments.get("token").cloned();
        Report { outcome, steps, tool_result: Some(json!({ "put": true, "echo": token })) }
    }
}
