//! The adapter for rmcp: what a gate adds to a call that passes it, what plan, challenge and execution take beyond what they
//! have to, many clients at once, and memory.

mod clients;
mod handlers;
mod installation;
mod memory;
mod overhead;
mod phases;
mod server;
mod wire;

use std::path::Path;

use anyhow::Result;
use tokio::runtime::Runtime;

pub(crate) use server::{Served, serve};

use crate::report::Report;

/// Measures all of it. Servers' files are made in `directory`.
pub(crate) fn measure(directory: &Path) -> Result<Report> {
    let mut report = Report::default();
    overhead::measure(&mut report)?;
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        phases::measure(&mut report, directory).await?;
        clients::measure(&mut report, directory).await?;
        memory::measure(&mut report, directory).await
    })?;
    Ok(report)
}
