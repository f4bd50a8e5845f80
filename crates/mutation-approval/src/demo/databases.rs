//! What the demo mutates: a real file with the databases of some application, in a directory that the demo names.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use approval_core::record::{
    Change, Finding, Outcome, Precondition, PreconditionEnforcement, Severity, Step, StepOutcome, StepReport, Target,
};
use approval_core::{
    Call, Digest, Draft, DraftStep, EffectKey, ExecutionPermit, Executor, FreshnessError, Identified, PlanError,
    Planner, Report, ResolvedPlan,
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The tool that is gated.
pub const TOOL: &str = "add_database";

/// The file that it changes.
pub const FILE: &str = "databases.json";

/// `databases.json` in a directory: an object of databases by name, each with `url` and `password`.
#[derive(Clone, Debug)]
pub struct Databases {
    path: PathBuf,
    stall: bool,
}

/// The arguments of `add_database`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddDatabase {
    /// The database's name: lower-case letters, digits and hyphens.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Its password: never shown, logged or stored in the open.
    pub password: String,
}

impl Databases {
    /// The file in this directory.
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join(FILE), stall: false }
    }

    /// Never answers once the effect has occurred: so that a test can end the process between effect and outcome.
    pub fn stalling(mut self, stall: bool) -> Self {
        self.stall = stall;
        self
    }

    /// The names and addresses, without the passwords.
    pub fn list(&self) -> io::Result<Value> {
        let (_, databases) = self.read()?;
        let listed = databases.into_iter().map(|(name, mut database)| {
            if let Some(members) = database.as_object_mut() {
                members.remove("password");
            }
            (name, database)
        });
        Ok(Value::Object(listed.collect()))
    }

    /// The file's bytes and what they say; a file that doesn't exist yet says nothing.
    fn read(&self) -> io::Result<(Vec<u8>, Map<String, Value>)> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Map::new())),
            Err(error) => return Err(error),
        };
        let databases = serde_json::from_slice(&bytes)?;
        Ok((bytes, databases))
    }

    fn target(&self) -> Target {
        let mut identity = Map::new();
        identity.insert("path".to_owned(), self.path.display().to_string().into());
        Target { name: FILE.to_owned(), identity }
    }

    /// Writes the file anew: the whole of it, or nothing.
    fn write(&self, databases: &Map<String, Value>) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        let mut file = File::create(&beside)?;
        serde_json::to_writer_pretty(&mut file, databases)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        match self.path.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn with(mut databases: Map<String, Value>, add: &AddDatabase) -> Map<String, Value> {
    databases.insert(add.name.clone(), json!({ "url": add.url, "password": add.password }));
    databases
}

fn arguments(arguments: &Map<String, Value>) -> Result<AddDatabase, serde_json::Error> {
    serde_json::from_value(Value::Object(arguments.clone()))
}

fn pointers<'a>(place: &'a str, databases: &'a Map<String, Value>) -> impl Iterator<Item = String> + 'a {
    let secret = databases.iter().filter(|(_, database)| database.get("password").is_some());
    secret.map(move |(name, _)| format!("{place}/{}/password", name.replace('~', "~0").replace('/', "~1")))
}

#[async_trait]
impl Planner for Databases {
    async fn plan(&self, call: &Call) -> Result<Draft, PlanError> {
        let add = arguments(&call.arguments).map_err(|error| PlanError::Invalid(error.to_string()))?;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if add.name.is_empty() || !add.name.chars().all(is_name) {
            let what = format!("`{}` is not a name of lower-case letters, digits and hyphens", add.name);
            return Err(PlanError::Invalid(what));
        }
        let (bytes, before) = self.read().map_err(|error| PlanError::Unavailable(error.to_string()))?;
        if before.contains_key(&add.name) {
            return Err(PlanError::Refused(format!("there is a database `{}` already", add.name)));
        }
        let after = with(before.clone(), &add);
        let headline = format!("Add the database `{}` to `{FILE}`", add.name);
        let key = EffectKey::new(format!("file:{}", self.path.display()));
        let mut draft = Draft::new(self.target(), headline, vec![key]);
        if !add.url.contains("sslmode=") {
            draft.findings.push(Finding {
                code: "unencrypted-connection".to_owned(),
                severity: Severity::Warn,
                text: "The address does not ask for an encrypted connection.".to_owned(),
            });
        }
        draft.secrets.extend(["/arguments/password".to_owned(), "/steps/0/body/password".to_owned()]);
        draft.secrets.extend(pointers("/steps/0/preview", &after));
        draft.secrets.extend(pointers("/changes/0/before", &before));
        draft.secrets.extend(pointers("/changes/0/after", &after));
        draft.steps.push(DraftStep {
            step: Step {
                action: "write".to_owned(),
                object: FILE.to_owned(),
                body: Some(Value::Object(call.arguments.clone())),
                preconditions: vec![Precondition {
                    kind: "content-digest".to_owned(),
                    expected: Digest::of_bytes(&bytes).to_string().into(),
                    enforcement: PreconditionEnforcement::BeforeWrite,
                }],
                preview_digest: None,
            },
            description: format!("Write `{FILE}` with the new entry."),
            preview: Some(Value::Object(after.clone())),
        });
        draft.changes.push(Change {
            object: FILE.to_owned(),
            before: (!bytes.is_empty()).then_some(Value::Object(before)),
            after: Some(Value::Object(after)),
        });
        Ok(draft)
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        // The adapter holds the definition against the one that the server lists now.
        Ok(Identified { tool: plan.intent().tool.clone(), target: self.target() })
    }

    async fn revalidate(&self, plan: &ResolvedPlan) -> Result<(), FreshnessError> {
        let (bytes, before) = self.read().map_err(|error| FreshnessError::Unavailable(error.to_string()))?;
        if !holds(plan, &bytes) {
            return Err(FreshnessError::Precondition(format!("`{FILE}` was changed by somebody else")));
        }
        let add = arguments(&plan.intent().arguments).map_err(|error| FreshnessError::Preview(error.to_string()))?;
        let preview = plan.preview_digest(0, &Value::Object(with(before, &add)));
        let reviewed = plan.intent().steps.first().and_then(|step| step.preview_digest);
        if preview.ok() == reviewed {
            Ok(())
        } else {
            Err(FreshnessError::Preview(format!("`{FILE}` would become something else")))
        }
    }
}

/// Whether the file is as it was when the plan was made.
fn holds(plan: &ResolvedPlan, bytes: &[u8]) -> bool {
    let digest = Value::from(Digest::of_bytes(bytes).to_string());
    plan.intent().steps.iter().flat_map(|step| &step.preconditions).all(|condition| condition.expected == digest)
}

#[async_trait]
impl Executor for Databases {
    async fn execute(&self, permit: ExecutionPermit) -> Report {
        let outcome = match permit.start(0) {
            Ok(Some(_)) => self.add(permit.plan()),
            Ok(None) | Err(_) => Err(StepOutcome::Skipped),
        };
        if self.stall && outcome.is_ok() {
            std::future::pending::<()>().await;
        }
        let (whole, step, text) = match outcome {
            Ok(()) => (Outcome::Applied, StepOutcome::Applied, "added"),
            Err(StepOutcome::Unknown) => (Outcome::Unknown, StepOutcome::Unknown, "writing the file failed midway"),
            Err(step) => (Outcome::Failed, step, "nothing was written"),
        };
        Report {
            outcome: whole,
            steps: vec![StepReport { outcome: step, code: None }],
            tool_result: Some(json!({
                "content": [{ "type": "text", "text": text }],
                "isError": whole != Outcome::Applied,
            })),
        }
    }
}

impl Databases {
    fn add(&self, plan: &ResolvedPlan) -> Result<(), StepOutcome> {
        let (bytes, before) = self.read().map_err(|_| StepOutcome::Failed)?;
        if !holds(plan, &bytes) {
            return Err(StepOutcome::Failed);
        }
        let add = arguments(&plan.intent().arguments).map_err(|_| StepOutcome::Failed)?;
        self.write(&with(before, &add)).map_err(|error| {
            tracing::error!(%error, "the file was not written");
            StepOutcome::Unknown
        })
    }
}
