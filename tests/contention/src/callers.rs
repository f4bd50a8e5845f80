//! A process with callers.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use approval_core::PlanId;

use crate::answers::{Answers, Line};
use crate::run::LATER;
use crate::world::{Place, World};
use crate::{Fault, run};

/// Waits until all processes are there; then so many callers execute all plans in their order, each without waiting for the
/// others.
pub(crate) async fn call(place: &Place, callers: u64, fault: Option<Fault>) -> Result<()> {
    let world = Arc::new(World::open(place, LATER, fault).await?);
    let plans = Arc::new(place.read_plans()?);
    println!("{}", run::READY);
    io::stdout().flush()?;
    if io::stdin().lock().lines().next().is_none() {
        bail!("nobody is there any more who would say when to begin");
    }
    let heard: Arc<Mutex<BTreeMap<PlanId, Answers>>> = Arc::default();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (world, plans, heard) = (Arc::clone(&world), Arc::clone(&plans), Arc::clone(&heard));
            tokio::spawn(async move {
                for plan in plans.iter() {
                    let answer = world.execute(*plan).await;
                    heard.lock().unwrap_or_else(PoisonError::into_inner).entry(*plan).or_default().take(answer);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.context("a caller broke off")?;
    }
    let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    for (plan, answers) in heard {
        println!("{}", Line { plan, answers });
    }
    Ok(())
}
