//! Emits the vectors of `spec/v0/vectors`: what the core says about cases that are stated here.
//!
//! Each vector is one case with one reason, made by one line or function here. What it expects is what the core answered
//! when it was made; where a case states its reason, an answer with another one stops the run.

#![expect(
    clippy::indexing_slicing,
    reason = "JSON is indexed by name: a member that is missing reads as null, and a run that can't write one may end"
)]

mod audit;
mod bytes;
mod digests;
mod documents;
mod file;
mod forms;
mod gate;
mod leaves;
mod patch;
mod receipts;
mod records;
mod rich;
mod seals;
mod signatures;
mod spoil;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::file::{Category, compare, write};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Say which files differ from what would be written
    Check {
        /// Where the vectors are
        directory: PathBuf,
    },
    /// Write copies in which some vectors are wrong, and print the names of those
    Spoil {
        /// Where the vectors are
        directory: PathBuf,
        /// Where the copies go
        copies: PathBuf,
        /// Which vectors, and how
        #[arg(long)]
        seed: u64,
    },
    /// Write the files
    Write {
        /// Where the vectors are
        directory: PathBuf,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    match Arguments::parse().chore {
        Chore::Check { directory } => compare(&categories().await?, &directory),
        Chore::Spoil { directory, copies, seed } => {
            spoil::spoil(&directory, &copies, seed).context("spoiling vectors")?;
            Ok(ExitCode::SUCCESS)
        }
        Chore::Write { directory } => {
            write(&categories().await?, &directory)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn categories() -> Result<Vec<Category>> {
    Ok(vec![
        documents::accepted()?,
        documents::refused()?,
        forms::forms()?,
        seals::seals()?,
        seals::tags().await?,
        signatures::key_sets()?,
        signatures::envelopes()?,
        digests::digests().await?,
        leaves::leaves().await?,
        records::records().await?,
        gate::gate().await?,
        audit::audit().await?,
        receipts::receipts().await?,
    ])
}
