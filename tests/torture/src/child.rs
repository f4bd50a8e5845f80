//! The server that is killed.

use anyhow::Result;
use approval_core::Timestamp;
use approval_core::record::Verdict;
use approval_testkit::Room;
use serde_json::json;

use crate::Fault;
use crate::steps::{Steps, say};
use crate::world::{Place, World};

/// How many plans it makes at most; each takes it a second of its own time.
pub(crate) const PLANS: u64 = 200;

/// Makes plans, has them decided, and executes them, until it is killed. What it says is acknowledged.
pub(crate) async fn serve(place: &Place, now: Timestamp, stop: u64, plans: u64, fault: Option<Fault>) -> Result<()> {
    let mut world = World::open(place, now, &Steps::new(stop)).await?;
    world.executor.fault = fault;
    say(format_args!("begun"));
    for number in 0..plans {
        let call = world.target.call(&format!("{now} {number}"), &json!(number));
        let plan = world.approvals.plan(&Room::alice(), call, &world.target).await?;
        let id = plan.header.plan_id;
        say(format_args!("planned {id}"));
        if number % 4 == 3 {
            world.decide(&plan, Verdict::Reject).await?;
            say(format_args!("rejected {id}"));
            continue;
        }
        world.decide(&plan, Verdict::Approve).await?;
        say(format_args!("approved {id}"));
        match fault {
            Some(Fault::EarlyAcknowledgement) => say(format_args!("applied {id}")),
            Some(Fault::EffectBeforeClaim) => world.executor.act(id)?,
            Some(Fault::EffectTwice) | None => {}
        }
        if number % 4 == 1 {
            // Of two who execute it at once, one finds that the other does, or has.
            let (one, other) = tokio::join!(world.execute(id), world.execute(id));
            one.or(other)?;
        } else {
            world.execute(id).await?;
        }
        say(format_args!("applied {id}"));
        if number % 8 == 7 {
            world.approvals.checkpoint().await?;
        }
    }
    Ok(())
}
