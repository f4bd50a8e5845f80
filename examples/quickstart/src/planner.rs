//! What a call of `write_file` would change.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use approval_core::record::{Change, Precondition, PreconditionEnforcement, Step, Target};
use approval_core::{
    Call, Digest, Draft, DraftStep, EffectKey, FreshnessError, Identified, PlanError, Planner, ResolvedPlan,
};
use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::files::path_in;

/// Reads the file that would be written, and looks at it again before it is.
#[derive(Debug)]
pub(crate) struct FilePlanner {
    dir: PathBuf,
}

impl FilePlanner {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn target(&self) -> Target {
        let name = self.dir.display().to_string();
        Target { identity: Map::from_iter([("directory".to_owned(), name.clone().into())]), name }
    }

    /// The content of a file; `None` where there is none.
    async fn content(&self, name: &str) -> Result<Option<String>, String> {
        let path = path_in(&self.dir, name).ok_or("not the name of a file in the directory")?;
        match tokio::fs::read_to_string(path).await {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What a content is compared by.
fn mark(content: Option<&str>) -> Value {
    content.map_or(Value::Null, |content| Digest::of_bytes(content.as_bytes()).to_string().into())
}

#[async_trait]
impl Planner for FilePlanner {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        let text = |member: &str| match call.arguments.get(member) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(PlanError::Invalid(format!("`{member}` is not a text"))),
        };
        let (name, after) = (text("name")?, text("content")?);
        let before = self.content(&name).await.map_err(PlanError::Invalid)?;
        let mut draft = Draft::new(self.target(), format!("write the file `{name}`"), vec![EffectKey::new(&name)]);
        let step = Step {
            action: "write".to_owned(),
            object: name.clone(),
            body: Some(after.clone().into()),
            preconditions: vec![Precondition {
                kind: "content-digest".to_owned(),
                expected: mark(before.as_deref()),
                enforcement: PreconditionEnforcement::BeforeWrite,
            }],
            preview_digest: None,
        };
        draft.steps.push(DraftStep { step, description: format!("write `{name}`"), preview: None });
        draft.changes.push(Change { object: name, before: before.map(Value::from), after: Some(after.into()) });
        Ok(draft)
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        Ok(Identified { tool: plan.intent().tool.clone(), target: self.target() })
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        for step in &plan.intent().steps {
            let now = self.content(&step.object).await.map_err(FreshnessError::Unavailable)?;
            if step.preconditions.iter().any(|condition| condition.expected != mark(now.as_deref())) {
                return Err(FreshnessError::Precondition(format!("`{}` has another content now", step.object)));
            }
        }
        Ok(())
    }
}
