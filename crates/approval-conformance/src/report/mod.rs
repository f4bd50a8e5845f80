//! What a run found, for people and for programs.

mod html;
mod json;
mod junit;
mod terminal;

use std::collections::BTreeMap;
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use self::html::html;
pub use self::json::{json, schema};
pub use self::junit::junit;
pub use self::terminal::{Terminal, explain, list};
use crate::check::Level;
use crate::recorder::Message;
use crate::run::Options;
use crate::target::Target;
use crate::verdict::Verdict;
use crate::wire::Revision;
use crate::world::World;

/// What a run found.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `mutation-approval/conformance-report/v0`.
    pub format: String,
    /// The version of this harness.
    pub harness: String,
    /// The target's name.
    pub target: String,
    /// The level that was asked for.
    pub level: Level,
    /// Whether only some checks ran: such a report says nothing of conformance.
    pub partial: bool,
    /// What the server says of itself.
    pub server: ServerReport,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// How long it took.
    pub milliseconds: u64,
    /// What came of it all.
    pub conclusion: Conclusion,
    /// How many checks of each verdict.
    pub counts: BTreeMap<Verdict, usize>,
    /// Checks that were expected to fail, and don't.
    pub stale: Vec<String>,
    /// The harness's own memory, where the system tells.
    pub memory: Option<Memory>,
    /// The checks.
    pub checks: Vec<CheckReport>,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// All that was asked for holds.
    Conformant,
    /// Harness or driver went wrong.
    HarnessFault,
    /// Nothing failed, and not all could be exercised.
    Incomplete,
    /// Something doesn't hold.
    NotConformant,
}

impl Conclusion {
    /// The exit code of the program: 0 conformant, 1 not, 3 incomplete, 4 harness fault. (2 is a wrong command line or file.)
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Conformant => 0,
            Self::HarnessFault => 4,
            Self::Incomplete => 3,
            Self::NotConformant => 1,
        }
    }

    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::HarnessFault => "no result: the harness or the driver went wrong",
            Self::Incomplete => "incomplete: not everything could be exercised",
            Self::NotConformant => "not conformant",
        }
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerReport {
    /// `http` or `stdio`.
    pub transport: Option<String>,
    /// The revisions of MCP that it was asked in.
    pub revisions: Vec<Revision>,
    /// The bindings that it advertises.
    pub bindings: Vec<String>,
    /// Its audience.
    pub audience: Option<String>,
}

/// One check.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The check.
    pub id: String,
    /// Its level.
    pub level: Level,
    /// The revision of MCP, where it ran in each.
    pub revision: Option<Revision>,
    /// The requirements that it tests.
    pub requirements: Vec<String>,
    /// The hostile case of security.md that it tries.
    pub case: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// Why, unless it passed.
    pub message: Option<String>,
    /// Why it is expected to fail, where it is.
    pub expected: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
    /// What was exchanged, where it failed.
    pub messages: Vec<Message>,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// After the first ten checks.
    pub after_first_checks: u64,
    /// At the end.
    pub at_end: u64,
}

impl ServerReport {
    pub(crate) fn of(world: &World) -> Self {
        let advertised = &world.listing().advertised;
        let bindings = advertised.get("bindings").and_then(Value::as_array).into_iter().flatten();
        Self {
            transport: Some(if world.is_http() { "http" } else { "stdio" }.to_owned()),
            revisions: world.target().revisions.clone(),
            bindings: bindings.filter_map(|binding| binding.as_str().map(str::to_owned)).collect(),
            audience: advertised.get("audience").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

impl Report {
    pub(crate) fn new(
        target: &Target,
        options: &Options,
        server: ServerReport,
        checks: Vec<CheckReport>,
        memory: Option<Memory>,
        (started, begun): (OffsetDateTime, Instant),
    ) -> Self {
        let stale: Vec<String> = options.expected.ids().filter(|id| is_stale(id, &checks)).map(str::to_owned).collect();
        let mut counts = BTreeMap::new();
        for check in &checks {
            *counts.entry(check.verdict).or_default() += 1;
        }
        let mut report = Self {
            format: "mutation-approval/conformance-report/v0".to_owned(),
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            target: target.name.clone(),
            level: options.level,
            partial: !options.only.is_empty(),
            server,
            started_at: started.format(&Rfc3339).unwrap_or_default(),
            milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            conclusion: Conclusion::Incomplete,
            counts,
            stale,
            memory,
            checks,
        };
        report.conclusion = report.concluded();
        report
    }

    fn concluded(&self) -> Conclusion {
        let has =
            |verdict: Verdict| self.checks.iter().any(|check| check.verdict == verdict && check.expected.is_none());
        // A fault hides what the check would have said; a failure that was seen stays one.
        if has(Verdict::Fail) || !self.stale.is_empty() {
            return Conclusion::NotConformant;
        }
        if has(Verdict::HarnessFault) {
            return Conclusion::HarnessFault;
        }
        let ran = self
            .checks
            .iter()
            .filter(|check| matches!(check.verdict, Verdict::Pass | Verdict::Warning | Verdict::Fail));
        if has(Verdict::NotTestable) || ran.count() == 0 { Conclusion::Incomplete } else { Conclusion::Conformant }
    }
}

/// A check that is expected to fail, and doesn't: not in any of its revisions.
fn is_stale(id: &str, checks: &[CheckReport]) -> bool {
    let mut found = checks.iter().filter(|check| check.id == id).peekable();
    found.peek().is_some() && found.all(|check| matches!(check.verdict, Verdict::Pass | Verdict::NotApplicable))
}
