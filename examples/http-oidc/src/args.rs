//! The command line.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::Uri;
use clap::Parser as _;

/// A gated MCP server with one directory of files, for the people of an OpenID Connect provider.
#[derive(Debug, clap::Parser)]
pub(crate) struct Args {
    /// The directory whose files are read and written.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Where keys and plans are kept.
    #[arg(long, default_value = "http-oidc-state")]
    pub(crate) state: PathBuf,
    /// The file of the providers. It belongs to its owner alone (mode 600).
    #[arg(long)]
    pub(crate) providers: PathBuf,
    /// The URL at which agents find the server: the audience that their tokens must have.
    #[arg(long)]
    pub(crate) resource: Uri,
    /// Where MCP is served.
    #[arg(long, default_value = "127.0.0.1:8000")]
    pub(crate) http: SocketAddr,
    /// Where the approval pages are served.
    #[arg(long, default_value = "127.0.0.1:8377")]
    pub(crate) page: SocketAddr,
    /// The URL at which people find the pages, where a proxy stands before them.
    #[arg(long)]
    pub(crate) surface: Option<String>,
}

impl Args {
    /// Reads them, and makes the directory where there is none.
    pub(crate) fn read() -> Result<Self, Box<dyn Error>> {
        let mut args = Self::parse();
        std::fs::create_dir_all(&args.dir)?;
        args.dir = args.dir.canonicalize()?;
        Ok(args)
    }

    /// Tells the operator that agents are answered.
    #[expect(clippy::print_stderr, reason = "standard error is where the operator of an example looks")]
    pub(crate) fn tell(&self) {
        eprintln!("MCP: {}", self.resource);
    }

    /// By which host the endpoint is called.
    pub(crate) fn host(&self) -> Option<String> {
        self.resource.authority().map(|authority| authority.to_string())
    }
}
