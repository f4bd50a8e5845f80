//! The demo with a person in front of it.

use std::io::{self, Write as _};
use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::agent::{Agent, SECRET};
use super::observed;
use super::world::{ACCOUNT, World, random_word};
use crate::installation::Failure;

/// How long the agent asks to wait at a time, in seconds.
const WAIT: u32 = 20;

pub async fn run(world: World) -> Result<ExitCode, Failure> {
    let server = world.serve(false).await?;
    let agent = Agent::connect(&world, &server).await?;
    say(&format!("The agent changes real files in {}", world.dir.display()))?;
    say(&format!("The installation's state is in   {}", world.state.root().display()))?;

    // Another name each time, so that the demo can be played again in the same directories.
    let plan = agent.add(&format!("billing-{}", random_word()?)).await?;
    let id = plan.text("/planId")?.to_owned();
    say("\nThe agent asks to add a database. Nothing has changed; it got a plan:")?;
    say(&format!("  {}\n  {}", plan.text("/headline")?, plan.text("/planDigest")?))?;
    let refused = agent.execute(&id, None).await?;
    say(&format!("It tries to execute without you:    refused, {}", refused.reason().unwrap_or("?")))?;
    let challenge = agent.challenge(&id).await?;
    let refused = agent.execute(&id, Some(&observed::another_digest(plan.text("/planDigest")?))).await?;
    say(&format!("It tries with a digest of its own:  refused, {}", refused.reason().unwrap_or("?")))?;

    say("\nNow it is your turn. Open the page, log in, read the plan, and decide:")?;
    say(&format!("  page      {}", challenge.text("/url")?))?;
    say(&format!("  account   {ACCOUNT}\n  password  {}", world.password))?;
    loop {
        let status = agent.wait(&id, WAIT).await?;
        match status.text("/state")? {
            "awaiting_approval" => {}
            "approved" => break,
            other => {
                say(&format!("\nThe plan is {other}. Nothing was changed."))?;
                agent.leave().await;
                until_enter().await?;
                server.stop().await?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    say("\nYou approved. The agent executes:")?;
    let done = agent.execute(&id, None).await?;
    say(&format!("  outcome   {}", done.reason().unwrap_or_else(|| done.text("/outcome").unwrap_or("?"))))?;
    let again = agent.execute(&id, None).await?;
    let replayed = again.0.get("replayed").and_then(serde_json::Value::as_bool).unwrap_or(false);
    say(&format!("  again     {} (replayed: {replayed}): the effect happened once", again.text("/outcome")?))?;
    say(&format!("  file      {}", world.file().display()))?;
    agent.leave().await;
    let (events, _) = observed::verified_audit(&world).await?;
    let searched = observed::search(world.state.root())?;
    say(&format!("\nThe audit verifies: {events} events."))?;
    say(&format!("The password `{SECRET}` is in the file, and in none of {searched} files of state and logs."))?;
    until_enter().await?;
    server.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// The pages stay until the person has looked at them.
async fn until_enter() -> io::Result<()> {
    say("\nThe pages are still served. Press Enter to end.")?;
    let mut line = String::new();
    BufReader::new(tokio::io::stdin()).read_line(&mut line).await?;
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
