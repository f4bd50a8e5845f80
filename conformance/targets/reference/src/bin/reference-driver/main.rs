//! The driver of the reference: hosts the notes that it writes, and does to it what the protocol of drivers asks for.
//!
//! `reference-driver [--stdio] [--server PROGRAM [--server-argument TEXT]…]` reads requests from standard input and answers on standard output.

mod answer;
mod driver;
mod instruments;
mod notes;
mod ports;
mod request;
mod server;
mod world;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use driver::Driver;
use server::Program;

/// The driver of the reference.
#[derive(Clone, Debug, clap::Parser)]
struct Args {
    /// The server speaks MCP over standard input and output, and the harness starts it.
    #[arg(long)]
    stdio: bool,
    /// The server's program. Default: `reference`, beside this one.
    #[arg(long)]
    server: Option<PathBuf>,
    /// What stands before all other arguments of the server's program, each time it is started.
    #[arg(long)]
    server_argument: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Args { stdio, server, server_argument } = Args::parse();
    let program = match server {
        Some(program) => program,
        None => std::env::current_exe()?.with_file_name("reference"),
    };
    let program = program.canonicalize().with_context(|| format!("the server `{}`", program.display()))?;
    serve(Arc::new(Driver::new(Program { path: program, arguments: server_argument }, stdio))).await
}

/// Answers each request as soon as it can: a later one may be what an earlier one waits for.
async fn serve(driver: Arc<Driver>) -> Result<()> {
    let (answers, mut answered) = mpsc::unbounded_channel::<String>();
    let writer = tokio::spawn(async move {
        let mut out = stdout();
        while let Some(line) = answered.recv().await {
            out.write_all(line.as_bytes()).await?;
            out.flush().await?;
        }
        Ok::<_, std::io::Error>(())
    });
    let mut lines = BufReader::new(stdin()).lines();
    let mut under_way = JoinSet::new();
    while let Some(line) = lines.next_line().await? {
        let (driver, answers) = (Arc::clone(&driver), answers.clone());
        under_way.spawn(async move {
            let answer = driver.answer(&line).await;
            // Whoever doesn't listen any more has ended.
            let _ = answers.send(format!("{answer}\n"));
        });
    }
    under_way.shutdown().await;
    driver.end().await?;
    drop(answers);
    Ok(writer.await??)
}
