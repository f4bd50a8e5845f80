//! What core, stores, pages and adapter cost, held against targets. Times are ratios to something else measured in the same
//! run, or what is left of them once that is taken away, since a machine's own speed says nothing.

mod audit;
mod core;
mod cycle;
mod mcp;
mod plan;
mod receipt;
mod report;
mod stores;
mod timing;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use peak_alloc::PeakAlloc;
use tokio::runtime::Runtime;

/// Counts the heap, so that its peak can be held against a target too.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Subcommand)]
enum Measurement {
    /// Strict JSON, canonical bytes and digest, the approved cycle, receipts
    Core {
        /// Fail where a target is missed
        #[arg(long)]
        check: bool,
    },
    /// The adapter for rmcp: what passes the gate, plan, challenge and execution, a thousand clients, memory
    Mcp {
        /// Fail where a target is missed
        #[arg(long)]
        check: bool,
        /// Where servers keep their state: on a disk, since in memory nothing is synced
        #[arg(long, value_name = "DIR", default_value = ".")]
        directory: PathBuf,
        /// Only this part
        #[arg(long)]
        only: Option<mcp::Part>,
    },
    /// The server that `mcp` measures
    #[command(hide = true)]
    McpServer(mcp::Served),
    /// Pages of the approval surface
    Web {
        /// Fail where a target is missed
        #[arg(long)]
        check: bool,
        /// Where SQLite's files are made
        #[arg(long, value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
    /// The approved cycle on durable stores, against bare commits of the same bytes
    Stores {
        /// Fail where a target is missed
        #[arg(long)]
        check: bool,
        /// Measure with a million stored plans and a million audit events too, which takes minutes and several GiB
        #[arg(long)]
        million: bool,
        /// Where SQLite's files are made: on a disk, since in memory nothing is synced
        #[arg(long, value_name = "DIR", default_value = ".")]
        directory: PathBuf,
        /// Only this store
        #[arg(long)]
        store: Option<stores::Kind>,
    },
}

fn main() -> Result<ExitCode> {
    let (report, check) = match Arguments::parse().measurement {
        Measurement::Core { check } => (core::measure(), check),
        Measurement::Mcp { check, directory, only } => (mcp::measure(&directory, only)?, check),
        Measurement::McpServer(served) => {
            Runtime::new()?.block_on(mcp::serve(&served))?;
            return Ok(ExitCode::SUCCESS);
        }
        Measurement::Web { check, directory } => (web::measure(&directory)?, check),
        Measurement::Stores { check, million, directory, store } => {
            (stores::measure(&directory, million, store)?, check)
        }
    };
    report.print();
    Ok(if check && report.missed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
