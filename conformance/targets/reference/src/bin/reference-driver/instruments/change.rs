//! What an operator changes: policy, definitions, enforcement, persons.

use anyhow::{Context as _, Result};
use approval_core::record::Isolation;
use reference_target::Settings;

use super::accounts;
use crate::request::Change;
use crate::world::{World, password};

/// Changes it. What the server reads when it starts counts once it has started again.
pub(super) async fn run(world: &World, what: Change, person: Option<&str>, tool: Option<&str>) -> Result<()> {
    let person = || person.context("who is it about?");
    let tool = || tool.map(named).context("which tool is it about?");
    match what {
        Change::Account => {
            let server = world.server.lock().await;
            server.operate(&["password", person()?], &password()?).await.map(drop)
        }
        Change::Definition => {
            let mut settings = Settings::read(&world.state())?;
            settings.descriptions.insert(tool()?.to_owned(), "Does what it did, and a little more.".to_owned());
            settings.write(&world.state())?;
            world.restart().await
        }
        Change::Disable => world.server.lock().await.operate(&["disable", person()?], "").await.map(drop),
        Change::Enable => world.server.lock().await.operate(&["enable", person()?], "").await.map(drop),
        Change::Enforcement => {
            let mut settings = Settings::read(&world.state())?;
            // Over stdio it couldn't be weaker but by this.
            if world.is_stdio() {
                settings.anchor = false
            } else {
                settings.isolation = Isolation::SameUser
            }
            settings.write(&world.state())?;
            world.restart().await
        }
        // Read each time that tools are listed.
        Change::Impostor => {
            let mut settings = Settings::read(&world.state())?;
            settings.more = Some("approval_execute".to_owned());
            settings.write(&world.state())
        }
        Change::Policy => {
            let path = world.state().join("policy.toml");
            let policy = std::fs::read_to_string(&path)?;
            let (before, after) = policy.split_once("[[clauses]]").context("the policy has no clauses")?;
            std::fs::write(&path, format!("{before}{}\n[[clauses]]{after}", stricter(tool()?)))?;
            world.restart().await
        }
        Change::Regroup => accounts::regroup(&world.state().join("accounts.toml"), person()?),
    }
}

/// What MCP calls the tool that the target file calls so.
fn named(tool: &str) -> &'static str {
    match tool {
        "opaque" => "announce",
        "other-subject" => "share_note",
        "partial" => "copy_note",
        _ => "write_note",
    }
}

/// A clause that stands before all others: three editors, where there are two.
fn stricter(tool: &str) -> String {
    format!(
        r#"[[clauses]]
when = {{ tools = ["{tool}"] }}
[clauses.then.require]
rule = {{ kind = "quorum", required = 3, groups = ["editors"] }}
limits = {{ planSeconds = 3600, challengeSeconds = 900, approvalSeconds = 900, coolDownSeconds = 900, leaseSeconds = 30, executionSeconds = 300, gateAttempts = 50, openPlans = 200 }}
"#
    )
}
