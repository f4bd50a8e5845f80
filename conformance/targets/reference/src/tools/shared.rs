//! A tool that stands behind a pointer, so that another one can stand in its place.

use std::sync::Arc;

use approval_core::{Draft, FreshnessError, PlanError, ResolvedPlan};
use approval_rmcp::{Mutation, StepError, Steps};
use async_trait::async_trait;
use serde_json::Value;

use super::note::Note;
use super::notes::NoteTool;

/// A tool with a preview, of whatever type.
#[derive(Clone)]
pub struct Shared(pub Arc<dyn NoteTool>);

#[async_trait]
impl Mutation for Shared {
    type Arguments = Note;
    type Output = Value;

    fn name(&self) -> String {
        self.0.name()
    }

    fn description(&self) -> String {
        self.0.description()
    }

    fn title(&self) -> Option<String> {
        self.0.title()
    }

    async fn plan(&self, note: &Note) -> Result<Draft, PlanError> {
        self.0.plan(note).await
    }

    async fn revalidate(&self, note: &Note, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        self.0.revalidate(note, plan).await
    }

    async fn execute(&self, note: Note, steps: &Steps<'_>) -> Result<Value, StepError> {
        self.0.execute(note, steps).await
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Shared").field(&self.0.name()).finish()
    }
}
