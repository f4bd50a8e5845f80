//! The target file's form.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Revision;

/// A target file, read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What reports call it.
    pub name: String,
    /// The revisions of MCP that it speaks: both where they are left out.
    #[serde(default = "both")]
    pub revisions: Vec<Revision>,
    /// How an agent reaches it.
    #[serde(default)]
    pub server: ServerFile,
    /// Who acts as the world.
    pub driver: DriverFile,
    /// Who is who.
    pub persons: Persons,
    /// What is gated. The first stands for all where a check needs no more than a gated tool.
    #[serde(rename = "tool")]
    pub tools: Vec<Tool>,
    /// Calls that get no plan.
    #[serde(default, rename = "call")]
    pub calls: Vec<Call>,
    /// A read-only tool that passes.
    pub ungated: Option<Ungated>,
    /// Where the file stands: commands are relative to it.
    #[serde(skip)]
    pub directory: PathBuf,
}

/// How an agent reaches the server; what the driver's `start` says stands in place of this.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerFile {
    /// Over streamable HTTP.
    pub url: Option<String>,
    /// Over standard input and output. `{{person}}` is the requester.
    pub command: Option<Vec<String>>,
    /// Seconds after which an answer is missing.
    #[serde(default = "answer_seconds")]
    pub answer_seconds: u64,
    /// It stands in front of another server, whose tools it lists.
    #[serde(default)]
    pub wraps: bool,
}

impl Default for ServerFile {
    fn default() -> Self {
        Self { url: None, command: None, answer_seconds: answer_seconds(), wraps: false }
    }
}

/// The driver.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverFile {
    /// What to start, in the target file's directory.
    pub command: Vec<String>,
    /// Who uses the pages: the driver, or the harness.
    #[serde(default)]
    pub pages: Pages,
    /// Seconds after which an answer of the driver is missing.
    #[serde(default = "driver_seconds")]
    pub answer_seconds: u64,
}

/// Who uses the approval surface's pages.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Pages {
    /// The driver does.
    #[default]
    Driver,
    /// The harness: the pages are forms with a password (section 6 of the driver protocol).
    Forms,
}

/// Who is who.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Persons {
    /// For whom the agent acts.
    pub requester: String,
    /// Somebody else who may ask.
    pub other_requester: Option<String>,
    /// Who may approve what asks for others than the requester.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// Who has an account and may neither ask nor decide.
    pub stranger: Option<String>,
    /// A second account of the first approver's: one person, who logs in by two names.
    pub twin: Option<String>,
}

/// One use of a gated tool.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// What checks and driver call it.
    #[serde(rename = "use")]
    pub use_of: String,
    /// The tool's name in `tools/list`.
    pub name: String,
    /// The arguments of a call. `{{unique}}` is another text each time, so that another object is touched.
    pub arguments: Map<String, Value>,
    /// What to put in their place for the same object with other content.
    #[serde(default)]
    pub altered: Map<String, Value>,
    /// Who must approve.
    #[serde(default)]
    pub rule: Rule,
    /// How many persons.
    #[serde(default = "one")]
    pub required: u32,
    /// The limits, as far as they are declared.
    #[serde(default)]
    pub limits: Limits,
    /// Whether the requester may read what was read from the target; undeclared where it is left out.
    pub requester_reads_target: Option<bool>,
    /// Where an argument takes any text (JSON Pointer).
    pub text: Option<String>,
    /// Where an argument is a secret leaf.
    pub secret: Option<String>,
    /// Where an argument takes any number.
    pub number: Option<String>,
    /// Where an argument takes any JSON.
    pub any: Option<String>,
    /// Nothing is known of it but its definition.
    #[serde(default)]
    pub opaque: bool,
    /// Its plans have changes: values before and after.
    #[serde(default)]
    pub previewed: bool,
    /// Its plans have a finding of severity `high`.
    #[serde(default)]
    pub high: bool,
    /// What of the driver's `drift` can be done to it.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// Whether the driver's `hold` can be done to it.
    #[serde(default)]
    pub holds: bool,
}

/// Who must approve.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Somebody else than the requester.
    OtherSubject,
    /// Several others.
    Quorum,
    /// The requester.
    #[default]
    SameSubject,
}

impl Rule {
    /// As a header writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherSubject => "other-subject",
            Self::Quorum => "quorum",
            Self::SameSubject => "same-subject",
        }
    }
}

/// Limits of a plan's policy (profile.md, 3.2).
pub type Limits = BTreeMap<String, u32>;

/// What can happen to the target.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// Somebody else changed the object.
    Moved,
    /// A dry run gives something else.
    Previewed,
    /// The target refuses a dry run.
    Refused,
    /// Another target has the name.
    Replaced,
    /// All of it is over.
    Restored,
    /// The target is out of reach.
    Unreachable,
}

/// A call that gets no plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// What it is called.
    #[serde(rename = "use")]
    pub use_of: String,
    /// The tool's name.
    pub name: String,
    /// The arguments.
    pub arguments: Map<String, Value>,
    /// The reason with which it is refused.
    pub refusal: String,
}

/// A tool that passes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ungated {
    /// The tool's name.
    pub name: String,
    /// The arguments of a call that succeeds.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

fn both() -> Vec<Revision> {
    Revision::ALL.to_vec()
}

fn answer_seconds() -> u64 {
    10
}

fn driver_seconds() -> u64 {
    30
}

fn one() -> u32 {
    1
}
