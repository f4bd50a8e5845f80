//! The generated part of the specification: a schema for each record and result, examples that the real service made, and
//! counter-examples that the schemas must refuse. `specification` writes them; `specification --check` holds what is there
//! against what the code gives, and prints a line for each thing it looked at.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program speaks on its standard streams")]

mod counter;
mod examples;
mod files;
mod judge;
mod records;
mod schemas;
mod tables;
mod wire;
mod world;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::files::Files;
use crate::judge::Judge;

#[derive(Parser)]
#[command(name = "specification", about = "Writes the schemas and examples of the specification")]
struct Arguments {
    /// Write nothing: say what differs
    #[arg(long)]
    check: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let specification = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/v0");
    let schemas = schemas::all();
    let mut examples = records::examples().await?;
    let wire = wire::wire().await?;
    examples.extend(wire.examples);
    let schemas = schemas.into_iter().chain(wire.schemas).collect();

    let mut judge = Judge::default();
    judge.check("every kind of record has a schema", &records::without_schema(&schemas));
    let counters = counter::examples(&schemas, &examples);
    examples::hold(&schemas, &examples, &counters, &mut judge)?;
    tables::hold(&specification.join("profile.md"), &schemas, &mut judge)?;

    let mut files = Files::default();
    files.schemas(&schemas)?;
    files.examples(&examples, "")?;
    files.examples(&counters, "refused/")?;
    files.transcript(&wire.transcript)?;
    if arguments.check {
        files.compare(&specification, &mut judge)?;
    } else {
        files.write(&specification)?;
    }
    Ok(judge.verdict())
}
