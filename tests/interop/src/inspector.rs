//! MCP Inspector's command line: one call for each start, the way in which people look at a server.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use approval_rmcp::EXTENSION_ID;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::checks::Checks;
use crate::installation::{Endpoint, Installation};
use crate::person::Person;

/// Its program, below npm's packages.
const PROGRAM: &str = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";

/// What it calls the revisions.
const ERAS: [&str; 2] = ["legacy", "modern"];

/// With what it ends where a tool's answer is an error.
const TOOL_IS_ERROR: i32 = 5;

const PATIENCE: Duration = Duration::from_secs(60);

/// What one start came to.
#[derive(Debug)]
struct Said {
    result: Value,
    status: Option<i32>,
}

/// The Inspector, before one server.
#[derive(Debug)]
struct Inspector<'a> {
    modules: &'a Path,
    installation: &'a Installation,
    /// How it gets to the server: options, and what comes after them.
    options: Vec<String>,
    line: Vec<String>,
}

pub(crate) async fn run(modules: &Path, http: bool) -> Result<()> {
    let mut ended = Ok(());
    for era in ERAS {
        let mut checks = Checks::of(format!("inspector/{era}/stdio"));
        let whole = over_stdio(&mut checks, modules, era).await;
        checks.reaches_its_end(whole);
        ended = ended.and(checks.end());
        if http {
            let mut checks = Checks::of(format!("inspector/{era}/http"));
            let whole = over_http(&mut checks, modules, era).await;
            checks.reaches_its_end(whole);
            ended = ended.and(checks.end());
        }
    }
    ended
}

/// It starts the server for each call: so nobody can decide, and a plan stays what it is.
async fn over_stdio(checks: &mut Checks, modules: &Path, era: &str) -> Result<()> {
    let installation = Installation::create()?;
    let (program, server) = installation.server(&[])?;
    let line = [vec!["--".to_owned(), program], server].concat();
    let options = vec!["--protocol-era".to_owned(), era.to_owned()];
    let inspector = Inspector { modules, installation: &installation, options, line };
    let handle = plan(checks, &inspector).await?;
    let refusal = inspector.call("approval_execute", &handle).await?;
    checks.holds("another start refuses to run it", refusal.is_refusal("approval_required"), &refusal);
    checks.holds("nothing was changed", installation.files()?.is_empty(), &installation.files()?);
    Ok(())
}

/// The server is there all the time: a person decides between two starts.
async fn over_http(checks: &mut Checks, modules: &Path, era: &str) -> Result<()> {
    let installation = Installation::create()?;
    let endpoint = installation.endpoint(&[]).await?;
    let inspector = Inspector { modules, installation: &installation, options: options(&endpoint, era), line: vec![] };
    let handle = plan(checks, &inspector).await?;
    let challenge = inspector.call("approval_challenge", &handle).await?;
    let url = challenge.text("/structuredContent/url");
    checks.holds("the challenge's address is on the surface", url.starts_with(&installation.surface()?), &challenge);
    let refusal = inspector.call("approval_execute", &handle).await?;
    checks.holds("it can't run while nobody has decided", refusal.is_refusal("approval_pending"), &refusal);
    let person = Person::at(&installation.surface()?)?;
    person.log_in().await?;
    person.decide(url, "approve").await?;
    let execution = inspector.call("approval_execute", &handle).await?;
    let is_applied = execution.status == Some(0) && execution.text("/structuredContent/outcome") == "applied";
    checks.holds("the approved plan runs", is_applied, &execution);
    checks.same("and has its effect once", installation.effects()?, ["inspected"]);
    endpoint.end().await
}

fn options(endpoint: &Endpoint, era: &str) -> Vec<String> {
    let bearer = format!("Authorization: Bearer {}", endpoint.token);
    let options = ["--protocol-era", era, "--transport", "http", "--server-url", &endpoint.url, "--header", &bearer];
    options.map(ToOwned::to_owned).to_vec()
}

/// Lists the tools, calls one that is read-only, and has one planned that isn't: the plan's handle.
async fn plan(checks: &mut Checks, inspector: &Inspector<'_>) -> Result<Value> {
    let listed = inspector.start(&["--method", "tools/list"]).await?;
    let tools = listed.result.get("tools").and_then(Value::as_array).context("it lists no tools")?;
    let named = |name: &str| tools.iter().find(|tool| tool.get("name").and_then(Value::as_str) == Some(name));
    let is_marked = |name: &str| named(name).and_then(|tool| tool.get("_meta")?.get(EXTENSION_ID)).is_some();
    let is_honest = is_marked("append_note") && named("count_notes").is_some() && !is_marked("count_notes");
    checks.holds("it lists gated tools as such, and no others", is_honest, &tools);
    checks.holds("it lists the profile's tools", named("approval_execute").is_some(), &tools);
    let count = inspector.call("count_notes", &json!({})).await?;
    let is_counted = count.status == Some(0) && count.result.pointer("/structuredContent/count") == Some(&json!(0));
    checks.holds("a read-only tool runs at once", is_counted, &count);
    let plan = inspector.call("append_note", &json!({ "text": "inspected" })).await?;
    let is_plan = plan.status == Some(0) && plan.text("/structuredContent/kind") == "plan";
    checks.holds("a gated tool is answered with a plan", is_plan, &plan);
    let files = inspector.installation.files()?;
    checks.holds("which changes nothing", files.is_empty(), &files);
    let part = |name: &str| plan.text(&format!("/structuredContent/{name}")).to_owned();
    Ok(json!({ "planId": part("planId"), "planDigest": part("planDigest") }))
}

impl Inspector<'_> {
    async fn call(&self, tool: &str, arguments: &Value) -> Result<Said> {
        let arguments = arguments.to_string();
        self.start(&["--method", "tools/call", "--tool-name", tool, "--tool-args-json", &arguments]).await
    }

    /// Starts it, with a home directory of its own: it writes there.
    async fn start(&self, method: &[&str]) -> Result<Said> {
        let mut command = Command::new("node");
        command.arg(self.modules.join(PROGRAM)).args(["--cli", "--quiet", "--format", "json"]).args(method);
        command.args(&self.options).args(&self.line).env("HOME", self.installation.home()).kill_on_drop(true);
        let Output { status, stdout, stderr } = timeout(PATIENCE, command.stdin(std::process::Stdio::null()).output())
            .await
            .context("it doesn't end")??;
        let said: Value = serde_json::from_slice(&stdout).unwrap_or_default();
        let result = said.get("result").cloned().unwrap_or_default();
        ensure!(result.is_object(), "it ended with {status}: {}", String::from_utf8_lossy(&stderr).trim());
        Ok(Said { result, status: status.code() })
    }
}

impl Said {
    fn text(&self, pointer: &str) -> &str {
        self.result.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A refusal with this reason, which the Inspector takes for an error.
    fn is_refusal(&self, reason: &str) -> bool {
        self.status == Some(TOOL_IS_ERROR) && self.text("/structuredContent/reason") == reason
    }
}
