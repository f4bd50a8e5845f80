//! The adapter for rmcp: what a gate adds to a call that passes it, what plan, challenge and execution take beyond what they
//! have to, many clients at once, and memory.

mod clients;
mod handlers;
mod installation;
mod memory;
mod overhead;
mod person;
mod phases;
mod server;
mod wire;

use std::path::Path;

use anyhow::Result;
use tokio::runtime::Runtime;

pub(crate) use server::{Served, serve};

use crate::report::Report;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    Clients,
    Memory,
    Overhead,
    Phases,
}

/// Measures all of it, or one part. Servers' files are made in `directory`.
pub(crate) fn measure(directory: &Path, only: Option<Part>) -> Result<Report> {
    let mut report = Report::default();
    let wanted = |part| only.is_none_or(|only| only == part);
    // Others who use the processors at the same time are in every figure.
    if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
        report.note(format!("the machine's load before: {}", load.split(' ').take(3).collect::<Vec<_>>().join(" ")));
    }
    if wanted(Part::Overhead) {
        overhead::measure(&mut report)?;
    }
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        if wanted(Part::Phases) {
            phases::measure(&mut report, directory).await?;
        }
        if wanted(Part::Clients) {
            clients::measure(&mut report, directory).await?;
        }
        if wanted(Part::Memory) {
            memory::measure(&mut report, directory).await?;
        }
        anyhow::Ok(())
    })?;
    Ok(report)
}
