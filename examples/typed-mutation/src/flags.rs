//! Feature flags in a JSON file, and the mutation of one of them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use approval_core::record::{Change, Finding, Precondition, PreconditionEnforcement, Severity, Step, Target};
use approval_core::{Draft, DraftStep, EffectKey, PlanError};
use approval_rmcp::{Mutation, StepError, Steps};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// More percentage points at once than this are worth a second look.
const BIG_STEP: u8 = 25;

/// What stands in the file of one flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flag {
    /// Of a hundred users, so many have it.
    percent: u8,
}

/// What the tool takes: the model reads these descriptions.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Wish {
    /// The flag, which has to be there already.
    flag: String,
    /// How many of a hundred users are to have it.
    #[schemars(range(max = 100))]
    percent: u8,
}

/// Sets a flag.
#[derive(Debug)]
pub(crate) struct SetFlag {
    file: PathBuf,
}

impl SetFlag {
    pub(crate) fn in_file(file: PathBuf) -> Self {
        Self { file }
    }

    fn read(&self) -> io::Result<BTreeMap<String, Flag>> {
        Ok(serde_json::from_slice(&std::fs::read(&self.file)?)?)
    }

    /// Puts a flag in the file, which is replaced whole: no reader ever sees half of it.
    fn write(&self, flag: &str, reviewed: &Value, set: Flag) -> Result<(), StepError> {
        let mut flags = self.read()?;
        // The precondition once more, as close to the write as a file allows.
        if flags.get(flag).map(|flag| Value::from(flag.percent)).as_ref() != Some(reviewed) {
            return Err(StepError::without_effect("changed", "somebody else has changed the flag"));
        }
        flags.insert(flag.to_owned(), set);
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, serde_json::to_string_pretty(&flags)? + "\n")?;
        Ok(std::fs::rename(beside, &self.file)?)
    }
}

#[async_trait]
impl Mutation for SetFlag {
    type Arguments = Wish;
    type Output = Value;

    fn name(&self) -> String {
        "set_flag".to_owned()
    }

    fn description(&self) -> String {
        "Sets how many of a hundred users have a feature.".to_owned()
    }

    /// Reads the flag, and says what would change, what is worth a second look, and what must still hold when it runs.
    async fn plan(&self, Wish { flag, percent }: &Wish) -> Result<Draft, PlanError> {
        if *percent > 100 {
            return Err(PlanError::Invalid(format!("{percent} % of all users are too many")));
        }
        let flags = self.read().map_err(|error| PlanError::Unavailable(error.to_string()))?;
        let before = flags.get(flag).ok_or_else(|| PlanError::Invalid(format!("there is no flag `{flag}`")))?;

        let file = self.file.display().to_string();
        let target = Target { identity: Map::from_iter([("file".to_owned(), file.clone().into())]), name: file };
        let headline = format!("give the feature `{flag}` to {percent} % of all users");
        let mut draft = Draft::new(target, headline, vec![EffectKey::new(flag)]);
        if percent.saturating_sub(before.percent) > BIG_STEP {
            let text = format!("{} more users of a hundred get it at once", percent - before.percent);
            draft.findings.push(Finding { code: "big-step".to_owned(), severity: Severity::Warn, text });
        }
        draft.changes.push(Change {
            object: flag.clone(),
            before: Some(before.percent.into()),
            after: Some((*percent).into()),
        });
        let step = Step {
            action: "set".to_owned(),
            object: flag.clone(),
            body: Some((*percent).into()),
            preconditions: vec![Precondition {
                kind: "percent".to_owned(),
                expected: before.percent.into(),
                enforcement: PreconditionEnforcement::BeforeWrite,
            }],
            preview_digest: None,
        };
        draft.steps.push(DraftStep { step, description: format!("set `{flag}` to {percent} %"), preview: None });
        Ok(draft)
    }

    /// Runs the plan as it was approved. That the call would still be planned so, the gate has just asked.
    async fn execute(&self, Wish { flag, percent }: Wish, steps: &Steps<'_>) -> Result<Value, StepError> {
        let reviewed = steps.next().and_then(|step| step.preconditions.first());
        let reviewed = reviewed.map(|condition| condition.expected.clone()).unwrap_or_default();
        steps.run(async { self.write(&flag, &reviewed, Flag { percent }) }).await?;
        Ok(serde_json::json!({ "flag": flag, "percent": percent }))
    }
}
