//! The approval surface and the guard of an MCP endpoint, with real identity providers: persons log in at a Keycloak, and at a
//! provider that is told to do wrong in each way. Everything goes over HTTP, and the browser is one that does what it is told.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program speaks on its standard streams")]

mod administrator;
mod at_keycloak;
mod at_node;
mod browser;
mod checks;
mod heard;
mod keycloak;
mod node;
mod running;
mod site;
mod visitor;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::heard::Heard;

#[derive(Parser)]
#[command(name = "identity", about = "The approval surface with real identity providers")]
struct Arguments {
    #[command(subcommand)]
    provider: Provider,
}

#[derive(Subcommand)]
enum Provider {
    /// Keycloak, which does right
    Keycloak {
        /// The unpacked distribution
        home: PathBuf,
    },
    /// npm's `oidc-provider`, which does wrong when it is told to
    Node {
        /// The directory of its packages
        modules: PathBuf,
        /// The script that runs it
        script: PathBuf,
    },
}

fn main() -> ExitCode {
    match act(Arguments::parse().provider) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn act(provider: Provider) -> Result<()> {
    let heard = Heard::listen();
    match provider {
        Provider::Keycloak { home } => at_keycloak::run(&home, &heard).await,
        Provider::Node { modules, script } => at_node::run(&modules, &script, &heard).await,
    }
}
