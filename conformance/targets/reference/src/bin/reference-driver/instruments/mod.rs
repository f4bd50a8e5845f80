//! What only somebody with the server's machine can do.

pub(crate) mod accounts;
mod change;
mod store;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use crate::answer::members;
use crate::request::{Death, Operation, PutBack};
use crate::world::World;

/// Does it.
pub(crate) async fn run(operation: Operation, world: &World) -> Result<Map<String, Value>> {
    match operation {
        Operation::AdvanceClock { seconds } => {
            let mut clock = world.clock.lock().await;
            *clock += seconds;
            world.control.set_clock(*clock)?;
        }
        Operation::Audit => {
            let audit = String::from_utf8(operate(world, &["audit"]).await?)?;
            return Ok(members([("lines", audit.lines().collect())]));
        }
        Operation::Change { what, person, tool } => {
            change::run(world, what, person.as_deref(), tool.as_deref()).await?
        }
        Operation::FailAnchor { on } => world.control.fail_anchor(on)?,
        Operation::FailStore { on } => world.control.fail_store(on)?,
        Operation::Keep => blocking(world, store::keep).await?,
        Operation::Kill { when: Death::Now } => world.server.lock().await.kill().await?,
        Operation::Kill { when } => world.notes.kill_at_effect(when),
        Operation::Mute { person, on } => {
            operate(world, &[if on { "mute" } else { "unmute" }, &person]).await?;
        }
        Operation::Pause { on } => {
            operate(world, &[if on { "pause" } else { "resume" }]).await?;
        }
        Operation::Prune { plan_id } => {
            operate(world, &["prune", &plan_id]).await?;
        }
        Operation::PutBack { what: PutBack::PlanState, plan_id } => {
            let plan = plan_id.context("whose plan state is put back?")?;
            blocking(world, move |store, kept| store::put_back_state(store, kept, &plan)).await?;
        }
        Operation::PutBack { what: PutBack::Store, .. } => {
            let mut server = world.server.lock().await;
            server.end().await?;
            blocking(world, store::put_back).await?;
            server.start().await?;
        }
        Operation::Receipt { plan_id } => {
            let receipt = String::from_utf8(operate(world, &["receipt", &plan_id]).await?)?;
            let keys = String::from_utf8(operate(world, &["keys"]).await?)?;
            return Ok(members([("receipt", receipt.into()), ("keys", keys.trim_end().into())]));
        }
        Operation::Reconcile { plan_id, finding } => {
            operate(world, &["reconcile", &plan_id, &finding]).await?;
        }
        Operation::Restart => world.restart().await?,
        Operation::Tamper { plan_id, case, record, other } => {
            let tamper = move |store: &_, _: &_| store::tamper(store, &plan_id, case, &record, other.as_deref());
            blocking(world, tamper).await?;
        }
        Operation::Vectors { file, content } => {
            let server = world.server.lock().await;
            let answers = server.operate(&["vectors", &file], &content.to_string()).await?;
            return Ok(members([("answers", serde_json::from_slice(&answers)?)]));
        }
        other => anyhow::bail!("this is no instrument: {other:?}"),
    }
    Ok(Map::new())
}

/// As an operator, by the server's own program.
async fn operate(world: &World, words: &[&str]) -> Result<Vec<u8>> {
    world.server.lock().await.operate(words, "").await
}

/// Something with the files of store and copy, which blocks.
async fn blocking<F>(world: &World, act: F) -> Result<()>
where
    F: FnOnce(&std::path::Path, &std::path::Path) -> Result<()> + Send + 'static,
{
    let (store, kept) = (world.state().join("store.sqlite3"), world.kept());
    spawn_blocking(move || act(&store, &kept)).await?
}
