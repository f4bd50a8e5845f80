//! Plan, challenge, execute, through a client that shares no code with us; and what must not work.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use approval_rmcp::EXTENSION_ID;
use clap::ValueEnum as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::agent::{Agent, Answer};
use crate::case::{Case, Client, Transport};
use crate::checks::Checks;
use crate::installation::Installation;
use crate::person::Person;
use crate::server::Fault;

/// The profile's own tools.
const PROFILE_TOOLS: [&str; 4] = ["approval_cancel", "approval_challenge", "approval_execute", "approval_status"];

/// What the wrapped server has.
const GATED: [&str; 2] = ["append_and_fail", "append_note"];
const READ_ONLY: [&str; 2] = ["count_notes", "miscount_notes"];

/// How long a call may wait for a decision, in seconds: less than the longest that any may wait.
const WAIT: u64 = 20;

/// Of the form of a plan's id, and nobody's.
const INVENTED: &str = "019ab12c-0000-7000-8000-000000000001";

/// What is driven, and with what.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The directory of the programs that use the SDKs.
    pub(crate) scripts: PathBuf,
    /// npm's packages.
    pub(crate) modules: Option<PathBuf>,
    /// What the server does wrong.
    pub(crate) fault: Option<Fault>,
}

pub(crate) async fn run(programs: &Programs, cases: &[Case]) -> Result<()> {
    let mut ended = Ok(());
    for case in cases {
        let mut checks = Checks::of(case.to_string());
        let whole = one(&mut checks, *case, programs).await;
        checks.reaches_its_end(whole);
        ended = ended.and(checks.end());
    }
    ended
}

async fn one(checks: &mut Checks, case: Case, programs: &Programs) -> Result<()> {
    let installation = Installation::create()?;
    match case.transport {
        Transport::Stdio => {
            let fault = programs.fault.and_then(|fault| fault.to_possible_value());
            let fault = fault.as_ref().map_or_else(Vec::new, |fault| vec!["--fault", fault.get_name()]);
            let (program, line) = installation.server(&fault)?;
            let way = ("stdio", json!({ "command": program, "args": line }));
            both(checks, case, &installation, programs, way).await
        }
        Transport::Http => {
            ensure!(programs.fault.is_none(), "servers do wrong over stdio only");
            let endpoint = installation.endpoint(&[]).await?;
            let stranger = reqwest::Client::builder().no_proxy().build()?.post(&endpoint.url).body("{}").send().await?;
            checks.same("nobody is answered without a bearer", stranger.status(), StatusCode::UNAUTHORIZED);
            both(checks, case, &installation, programs, ("http", endpoint.told())).await?;
            endpoint.end().await
        }
    }
}

/// A client that opens no pages; and in 2026-07-28, afterwards, one that does.
async fn both(
    checks: &mut Checks,
    case: Case,
    installation: &Installation,
    programs: &Programs,
    (transport, server): (&str, Value),
) -> Result<()> {
    let (command, mut told) = programs.client(case)?;
    told.insert(transport.to_owned(), server);
    drive(checks, case, installation, Agent::connect(command, &told.clone().into()).await?).await?;
    if case.revision == "2026-07-28" {
        let (command, _) = programs.client(case)?;
        told.insert("opens".to_owned(), true.into());
        opens(checks, installation, Agent::connect(command, &told.into()).await?).await?;
    }
    Ok(())
}

impl Programs {
    /// The program that uses an SDK, and what it is told first.
    fn client(&self, case: Case) -> Result<(Command, serde_json::Map<String, Value>)> {
        let mut told = serde_json::Map::from_iter([("revision".to_owned(), case.revision.into())]);
        let sdk = match case.client {
            Client::Python => {
                let mut command = Command::new("python3");
                command.arg(self.scripts.join("client.py"));
                return Ok((command, told));
            }
            Client::TypeScript1 => 1,
            Client::TypeScript2 => 2,
        };
        let modules = self.modules.as_ref().context("npm's packages are needed")?;
        told.insert("sdk".to_owned(), sdk.into());
        told.insert("modules".to_owned(), modules.to_str().context("a path is no text")?.into());
        let mut command = Command::new("node");
        command.arg(self.scripts.join("client.mjs"));
        Ok((command, told))
    }
}

async fn drive(checks: &mut Checks, case: Case, installation: &Installation, mut agent: Agent) -> Result<()> {
    let surface = installation.surface()?;
    checks.same("the revision is agreed on", agent.revision.as_str(), case.revision);
    let extension = agent.capabilities.pointer(&format!("/extensions/{}", EXTENSION_ID.replace('/', "~1")));
    let origin = extension.and_then(|settings| settings.get("approvalOrigin")).cloned();
    checks.same("the extension names the surface", origin, Some(Value::from(surface.as_str())));
    listed(checks, &mut agent).await?;
    passes(checks, &mut agent, case.client).await?;

    let person = Person::at(&surface)?;
    approved(checks, &mut agent, &person, installation).await?;
    rejected(checks, &mut agent, &person, installation).await?;
    fails(checks, &mut agent, &person, installation).await?;
    refused(checks, &mut agent, installation).await?;

    checks.same("all of the effects are the approved ones", installation.effects()?, ["approved", "approved, fails"]);
    let [all, errors] = agent.fitting;
    let fit = format!("{all} structured contents, {errors} of them errors, fit the listed schemas");
    checks.holds(&fit, errors > 0 && all > errors, &agent.fitting);
    agent.leave().await
}

/// Which tools there are, and what they say of themselves. [WIRE-010, WIRE-011, WIRE-012]
async fn listed(checks: &mut Checks, agent: &mut Agent) -> Result<()> {
    agent.list().await?;
    let mut expected = [&GATED[..], &READ_ONLY, &PROFILE_TOOLS].concat();
    expected.sort_unstable();
    checks.same("the server's and the profile's tools are listed", agent.tools.keys().collect::<Vec<_>>(), expected);
    let mark = |name: &&str| agent.tools.get(*name)?.get("_meta")?.get(EXTENSION_ID)?.get("gated").cloned();
    let marked: Vec<_> = GATED.iter().map(mark).collect();
    checks.holds("gated tools are marked", marked.iter().all(|mark| *mark == Some(true.into())), &marked);
    let marked: Vec<_> = READ_ONLY.iter().chain(&PROFILE_TOOLS).filter_map(mark).collect();
    checks.holds("no other tool is", marked.is_empty(), &marked);
    let schemas: Vec<_> = GATED.iter().chain(&PROFILE_TOOLS).map(|name| agent.schema(name)).collect();
    let is_one = schemas.iter().all(|schema| schema.is_some() && schemas.first() == Some(schema));
    checks.holds("gated tools and the profile's have one output schema", is_one, &schemas.len());
    let own = agent.schema("count_notes").and_then(|schema| schema.pointer("/properties/count")).is_some();
    checks.holds("a read-only tool keeps its own", own, &agent.schema("count_notes"));
    Ok(())
}

/// What is read-only runs at once; and the client would complain of structured content that doesn't fit. The first
/// TypeScript SDK does so on errors too; the others look at none, and there the only ones to hold errors against the schema are we.
async fn passes(checks: &mut Checks, agent: &mut Agent, client: Client) -> Result<()> {
    let count = agent.call("count_notes", &json!({})).await?;
    checks.same("a read-only tool runs at once", count.structured, json!({ "count": 0 }));
    let kinds: &[bool] = if client == Client::TypeScript1 { &[false, true] } else { &[false] };
    for &is_error in kinds {
        let complaint = agent.complaint("miscount_notes", &json!({ "is_error": is_error })).await?;
        let what = if is_error { "an error that doesn't fit its schema is" } else { "what doesn't fit its schema is" };
        let is_about_it = complaint.text.to_lowercase().contains("structured content");
        checks.holds(&format!("{what} refused by the client"), is_about_it, &complaint);
    }
    Ok(())
}

/// A plan that is approved: it runs once, and not before. [WIRE-T-001, WIRE-T-010, WIRE-T-021, WIRE-T-030, WIRE-T-031]
async fn approved(checks: &mut Checks, agent: &mut Agent, person: &Person, installation: &Installation) -> Result<()> {
    let plan = agent.call("append_note", &json!({ "text": "approved" })).await?;
    checks.holds("a gated call is answered with a plan", plan.text("kind") == "plan" && !plan.is_error, &plan);
    checks.holds("and changes nothing", installation.files()?.is_empty(), &installation.files()?);
    let handle = json!({ "planId": plan.text("planId"), "planDigest": plan.text("planDigest") });
    let (by_id, waiting) = (
        json!({ "planId": plan.text("planId") }),
        |seconds: u64| json!({ "planId": plan.text("planId"), "waitSeconds": seconds }),
    );

    let refusal = agent.call("approval_execute", &handle).await?;
    checks.holds("it can't run before it is before somebody", refusal.is_refusal("approval_required"), &refusal);
    let challenge = agent.call("approval_challenge", &handle).await?;
    let url = challenge.text("url").to_owned();
    let expected = format!("{}/plans/{}", installation.surface()?, plan.text("planId"));
    checks.same("the challenge's address is on the configured surface", url.as_str(), expected.as_str());
    let refusal = agent.call("approval_execute", &handle).await?;
    checks.holds("it can't run while nobody has decided", refusal.is_refusal("approval_pending"), &refusal);
    let status = agent.call("approval_status", &by_id).await?;
    checks.holds("its status is awaiting_approval", status.is_in("awaiting_approval"), &status);
    let begin = now();
    let status = agent.call("approval_status", &waiting(1)).await?;
    let waited = begin.elapsed();
    let has_waited = status.is_in("awaiting_approval") && waited >= Duration::from_secs(1);
    checks.holds("its status waits as long as it is asked to", has_waited, &(waited, &status));

    let page = person.read(&url).await?;
    let is_hidden = page.status != StatusCode::OK && !page.text.contains(plan.text("planDigest"));
    checks.holds("nothing is shown before the login", is_hidden, &page);
    person.log_in().await?;
    let (page, answer) = person.try_to_decide(&url, "approve", "another password").await?;
    let is_shown = page.text.contains(plan.text("planDigest")) && page.text.contains("approved");
    checks.holds("the page shows the plan and its digest", is_shown, &page);
    let status = agent.call("approval_status", &by_id).await?;
    let is_open = answer.status.is_client_error() && status.is_in("awaiting_approval");
    checks.holds("another password decides nothing", is_open, &(answer.status, &status));

    agent.send("approval_status", &waiting(WAIT)).await?;
    let begin = now();
    person.decide(&url, "approve").await?;
    let status = agent.answer("approval_status").await?;
    let is_told = status.is_in("approved") && begin.elapsed() < Duration::from_secs(WAIT);
    checks.holds("whoever waits is told of the approval", is_told, &(begin.elapsed(), &status));
    checks.holds("which alone changes nothing", installation.files()?.is_empty(), &installation.files()?);

    let other = json!({ "planId": plan.text("planId"), "planDigest": format!("sha256:{}", "0".repeat(64)) });
    let refusal = agent.call("approval_execute", &other).await?;
    checks.holds("another digest is refused", refusal.is_refusal("approval_hash_mismatch"), &refusal);
    checks.holds("which changes nothing", installation.files()?.is_empty(), &installation.files()?);

    let execution = agent.call("approval_execute", &handle).await?;
    let is_applied = !execution.is_error && execution.text("outcome") == "applied" && !is_replayed(&execution);
    checks.holds("the approved plan runs", is_applied, &execution);
    let inner = execution.structured.pointer("/toolResult/structuredContent").cloned();
    checks.same("the tool's own answer is in it", inner, Some(json!({ "count": 1 })));
    checks.same("and has its effect once", installation.effects()?, ["approved"]);
    let again = agent.call("approval_execute", &handle).await?;
    checks.holds("again, it is answered with the record", is_replay_of(&again, &execution), &again);
    checks.same("and has no second effect", installation.effects()?, ["approved"]);
    Ok(())
}

/// A plan that is rejected never runs.
async fn rejected(checks: &mut Checks, agent: &mut Agent, person: &Person, installation: &Installation) -> Result<()> {
    let plan = decided(agent, person, "append_note", "rejected", "reject").await?;
    let refusal = agent.call("approval_execute", &plan).await?;
    checks.holds("a rejected plan can't run", refusal.is_refusal("approval_rejected"), &refusal);
    checks.same("and has no effect", installation.effects()?, ["approved"]);
    let refusal = agent.call("append_note", &json!({ "text": "rejected" })).await?;
    checks.holds("the same isn't planned again", refusal.is_refusal("recently_rejected"), &refusal);
    Ok(())
}

/// A tool that fails after its effect: an error that fits the schema, and no second effect. [WIRE-T-032]
async fn fails(checks: &mut Checks, agent: &mut Agent, person: &Person, installation: &Installation) -> Result<()> {
    let plan = decided(agent, person, "append_and_fail", "approved, fails", "approve").await?;
    let execution = agent.call("approval_execute", &plan).await?;
    let is_unknown = execution.is_error && execution.text("outcome") == "unknown" && !is_replayed(&execution);
    checks.holds("what a failed tool did is not known", is_unknown, &execution);
    let effects = ["approved", "approved, fails"];
    checks.same("although it had its effect", installation.effects()?, effects);
    let again = agent.call("approval_execute", &plan).await?;
    checks.holds("it isn't called again", is_replay_of(&again, &execution), &again);
    checks.same("so there is no second effect of it", installation.effects()?, effects);
    Ok(())
}

/// What is refused without anybody's decision. [WIRE-040, WIRE-042, WIRE-T-040]
async fn refused(checks: &mut Checks, agent: &mut Agent, installation: &Installation) -> Result<()> {
    let before = installation.effects()?;
    let plan = agent.call("append_note", &json!({ "text": "cancelled" })).await?;
    let handle = json!({ "planId": plan.text("planId") });
    let status = agent.call("approval_cancel", &handle).await?;
    checks.holds("a plan is taken back", status.is_in("cancelled"), &status);
    let refusal = agent.call("approval_execute", &handle).await?;
    checks.holds("and can't run then", refusal.is_refusal("plan_cancelled"), &refusal);
    let refusal = agent.call("approval_execute", &json!({ "planId": INVENTED })).await?;
    checks.holds("an invented plan isn't found", refusal.is_refusal("plan_not_found"), &refusal);
    let refusal = agent.call("approval_execute", &json!({ "planId": INVENTED, "force": true })).await?;
    checks.holds("an argument too many is refused", refusal.is_refusal("payload_invalid"), &refusal);
    let complaint = agent.complaint("no_such_tool", &json!({})).await?;
    checks.same("an unknown tool is an error of the protocol", complaint.code, json!(-32602));
    checks.same("none of it has an effect", installation.effects()?, before);
    Ok(())
}

/// A client that opens pages is asked to during the call, and sends it again by itself: what it says of the page decides nothing.
/// [WIRE-M-001, WIRE-M-002, WIRE-M-005, WIRE-M-006]
async fn opens(checks: &mut Checks, installation: &Installation, mut agent: Agent) -> Result<()> {
    agent.list().await?;
    let person = Person::at(&installation.surface()?)?;
    person.log_in().await?;
    let before = installation.effects()?;

    agent.send("append_note", &json!({ "text": "opened, rejected" })).await?;
    let url = agent.opens().await?;
    let is_there = url.starts_with(&format!("{}/plans/", installation.surface()?));
    checks.holds("a client that opens pages is asked to, on the configured surface", is_there, &url);
    person.decide(&url, "reject").await?;
    let refusal = agent.answer("append_note").await?;
    checks.holds("a page that was opened and rejected is refused", refusal.is_refusal("approval_rejected"), &refusal);
    checks.same("which has no effect", installation.effects()?, before.clone());

    agent.send("append_note", &json!({ "text": "opened, approved" })).await?;
    let url = agent.opens().await?;
    checks.same("a page that was opened alone has no effect", installation.effects()?, before.clone());
    person.decide(&url, "approve").await?;
    let execution = agent.answer("append_note").await?;
    let is_applied = !execution.is_error && execution.text("outcome") == "applied" && !is_replayed(&execution);
    checks.holds("the call that the client sent again runs", is_applied, &execution);
    let after = [before, vec!["opened, approved".to_owned()]].concat();
    checks.same("and has its effect once", installation.effects()?, after);
    agent.leave().await
}

/// Plans a note, puts it before the person, and has them decide: the plan's handle.
async fn decided(agent: &mut Agent, person: &Person, tool: &str, text: &str, verdict: &str) -> Result<Value> {
    let plan = agent.call(tool, &json!({ "text": text })).await?;
    if plan.text("kind") != "plan" {
        bail!("`{tool}` gives no plan: {plan:?}");
    }
    let handle = json!({ "planId": plan.text("planId"), "planDigest": plan.text("planDigest") });
    let challenge = agent.call("approval_challenge", &handle).await?;
    person.decide(challenge.text("url"), verdict).await?;
    Ok(handle)
}

fn is_replayed(execution: &Answer) -> bool {
    execution.structured.get("replayed") == Some(&true.into())
}

/// The same execution, told again.
fn is_replay_of(again: &Answer, execution: &Answer) -> bool {
    let mut expected = execution.structured.clone();
    if let Some(members) = expected.as_object_mut() {
        members.insert("replayed".to_owned(), true.into());
    }
    again.structured == expected && again.is_error == execution.is_error
}

#[expect(clippy::disallowed_methods, reason = "how long a real server lets a real client wait is what is looked at")]
fn now() -> Instant {
    Instant::now()
}
