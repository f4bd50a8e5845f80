//! What the core costs, held against targets. Times are ratios to something else measured in the same run, since a
//! machine's own speed says nothing.

mod audit;
mod core;
mod cycle;
mod plan;
mod receipt;
mod report;
mod timing;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use peak_alloc::PeakAlloc;

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
}

fn main() -> ExitCode {
    let Measurement::Core { check } = Arguments::parse().measurement;
    let report = core::measure();
    report.print();
    if check && report.missed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
