//! The tools with a preview, which write notes.

use std::collections::BTreeMap;
use std::sync::Arc;

use approval_core::record::{Change, Finding, Precondition, PreconditionEnforcement, Severity, Step, Target};
use approval_core::{Draft, DraftStep, EffectKey, PlanError};
use approval_rmcp::{Mutation, StepError, Steps};
use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::names::is_name;
use super::note::Note;
use crate::notebook::{Found, Notebook, Trouble};

/// The tool that only keepers may ask for.
pub const ARCHIVE: &str = "archive_note";

/// The precondition that the service itself enforces.
const VERSION: &str = "etag";

/// A tool with a preview, of whatever type.
pub trait NoteTool: Mutation<Arguments = Note, Output = Value> {}

impl<M: Mutation<Arguments = Note, Output = Value>> NoteTool for M {}

/// Writes a note: under its name, or under that of a copy too.
#[derive(Clone, Debug)]
pub struct Notes {
    notebook: Notebook,
    name: &'static str,
    description: String,
    /// What is written after the note's name, for each step.
    suffixes: &'static [&'static str],
}

impl Notes {
    /// All of them: which rule holds for which, the policy says.
    #[must_use]
    pub fn all(notebook: &Notebook, descriptions: &BTreeMap<String, String>) -> Vec<Arc<dyn NoteTool>> {
        let tool = |name: &'static str, description: &str, suffixes: &'static [&'static str]| {
            let description = descriptions.get(name).map_or(description, String::as_str).to_owned();
            let tool: Arc<dyn NoteTool> = Arc::new(Self { notebook: notebook.clone(), name, description, suffixes });
            tool
        };
        vec![
            tool("write_note", "Writes a note, in place of what is there under its name.", &[""]),
            tool("share_note", "Writes a note that others read: somebody else has to approve.", &[""]),
            tool("copy_note", "Writes a note, and then a copy of it.", &["", ".copy"]),
            tool(ARCHIVE, "Writes a note of the archive, for which its keepers may ask.", &[""]),
        ]
    }

    fn target(&self, found: &Found) -> Target {
        let identity = [("url", self.notebook.url()), ("service", &found.service)];
        let identity = identity.map(|(member, value)| (member.to_owned(), value.into()));
        Target { name: "notes".to_owned(), identity: Map::from_iter(identity) }
    }
}

#[async_trait]
impl Mutation for Notes {
    type Arguments = Note;
    type Output = Value;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn description(&self) -> String {
        self.description.clone()
    }

    /// Reads what is there, asks the service what would be there, and says what must still hold when it runs.
    async fn plan(&self, note: &Note) -> Result<Draft, PlanError> {
        if !is_name(&note.name) {
            return Err(PlanError::Invalid("`name` is not the name of a note".to_owned()));
        }
        if note.shelf.as_deref() == Some("paper") {
            return Err(PlanError::Unsupported("what is on paper can't be written from here".to_owned()));
        }
        let content = note.content();
        let mut draft = None;
        for suffix in self.suffixes {
            let name = format!("{}{suffix}", note.name);
            let found = self.notebook.read(&name).await.map_err(unplanned)?;
            let preview = self.notebook.preview(&name, &content).await.map_err(unplanned)?;
            let draft = draft.get_or_insert_with(|| {
                let headline = format!("write the note `{}`", note.name);
                Draft::new(self.target(&found), headline, Vec::new())
            });
            add_step(draft, name, &content, found, preview);
        }
        let mut draft = draft.ok_or_else(|| PlanError::Invalid("nothing to write".to_owned()))?;
        if note.password.is_some() {
            draft.secrets.push("/arguments/password".to_owned());
        }
        draft.findings.extend(note.shelf.as_deref().and_then(finding));
        Ok(draft)
    }

    /// Writes each note where it is still of the version that was reviewed: the service looks at that as it writes.
    async fn execute(&self, note: Note, steps: &Steps<'_>) -> Result<Value, StepError> {
        let content = note.content();
        let mut written = Vec::new();
        while let Some(step) = steps.next() {
            let etag = step.preconditions.iter().find(|condition| condition.kind == VERSION);
            let etag = etag.and_then(|condition| condition.expected.as_str());
            let write = async { self.notebook.write(&step.object, &content, etag).await.map_err(unwritten) };
            written.push(steps.run(write).await?);
        }
        Ok(json!({ "written": written }))
    }
}

/// One more note that is written.
fn add_step(draft: &mut Draft, name: String, content: &Map<String, Value>, found: Found, preview: Value) {
    let number = draft.steps.len();
    let secret_in = |note: Option<&Value>| note.is_some_and(|note| note.get("password").is_some());
    let places = [
        (content.contains_key("password"), format!("/steps/{number}/body/password")),
        (secret_in(preview.get("note")), format!("/steps/{number}/preview/note/password")),
        (secret_in(found.note.as_ref()), format!("/changes/{number}/before/password")),
        (content.contains_key("password"), format!("/changes/{number}/after/password")),
    ];
    draft.secrets.extend(places.into_iter().filter(|(is_there, _)| *is_there).map(|(_, place)| place));
    draft.effect_keys.push(EffectKey::new(format!("note/{name}")));
    let step = Step {
        action: "write".to_owned(),
        object: name.clone(),
        body: Some(content.clone().into()),
        preconditions: vec![Precondition {
            kind: VERSION.to_owned(),
            expected: found.etag.map_or(Value::Null, Value::from),
            enforcement: PreconditionEnforcement::OnWrite,
        }],
        preview_digest: None,
    };
    draft.steps.push(DraftStep { step, description: format!("write `{name}`"), preview: Some(preview) });
    draft.changes.push(Change { object: name, before: found.note, after: Some(content.clone().into()) });
}

/// What is worth a second look.
fn finding(shelf: &str) -> Option<Finding> {
    let (code, severity, text) = match shelf {
        "public" => ("public-shelf", Severity::High, "everybody can read what stands on the shelf `public`"),
        "full" => ("full-shelf", Severity::Warn, "the shelf `full` has hardly any room left"),
        _ => return None,
    };
    Some(Finding { code: code.to_owned(), severity, text: text.to_owned() })
}

fn unplanned(trouble: Trouble) -> PlanError {
    match trouble {
        Trouble::Changed => PlanError::Unavailable("the note changed while it was looked at".to_owned()),
        Trouble::Refused(text) => PlanError::Refused(text),
        Trouble::Unavailable(text) => PlanError::Unavailable(text),
    }
}

/// What the service refuses it has not done; of whatever else comes to pass nobody knows.
fn unwritten(trouble: Trouble) -> StepError {
    match trouble {
        Trouble::Changed => StepError::without_effect("changed", "somebody else has changed the note"),
        Trouble::Refused(text) => StepError::without_effect("refused", text),
        Trouble::Unavailable(text) => StepError::unknown("unavailable", text),
    }
}
