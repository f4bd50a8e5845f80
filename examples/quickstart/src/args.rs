//! The command line.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use approval_core::Person;
use approval_core::record::Identity;
use approval_web::{Accounts, NewAccount};
use clap::Parser as _;

/// A gated MCP server with one directory of files.
#[derive(Debug, clap::Parser)]
pub(crate) struct Args {
    /// The directory whose files are read and written.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Where keys, plans and accounts are kept.
    #[arg(long, default_value = "quickstart-state")]
    pub(crate) state: PathBuf,
    /// For whom the agent acts, and who approves. Where there is no account yet, one is made, with the password that stands in
    /// QUICKSTART_PASSWORD.
    #[arg(long)]
    person: String,
    /// Where the approval page is served.
    #[arg(long, default_value = "127.0.0.1:8377")]
    pub(crate) page: SocketAddr,
    /// Speaks MCP over streamable HTTP at this address.
    #[arg(long, required_unless_present = "stdio", conflicts_with = "stdio")]
    pub(crate) http: Option<SocketAddr>,
    /// Speaks MCP over standard input and output.
    #[arg(long)]
    stdio: bool,
}

impl Args {
    /// Reads them, and makes the directory where there is none: by its full path, it is the same from wherever it is named.
    pub(crate) fn read() -> Result<Self, Box<dyn Error>> {
        let mut args = Self::parse();
        std::fs::create_dir_all(&args.dir)?;
        args.dir = args.dir.canonicalize()?;
        Ok(args)
    }

    /// The identity of the person's account, which is made where there is none.
    pub(crate) fn account(&self, accounts: &Accounts) -> Result<Identity, Box<dyn Error>> {
        if accounts.find(&self.person)?.is_none() {
            let person = Person::new(self.person.clone());
            let account = NewAccount { name: self.person.clone(), person, groups: Default::default() };
            let password =
                std::env::var("QUICKSTART_PASSWORD").map_err(|_| "set QUICKSTART_PASSWORD for the new account")?;
            accounts.add(&account, &password)?;
        }
        let account = accounts.find(&self.person)?.ok_or("the account is gone")?;
        Ok(account.identity())
    }
}

/// Tells the operator where the agent finds the server, and what it has to present.
#[expect(clippy::print_stderr, reason = "standard error is where the operator of an example looks")]
pub(crate) fn tell(address: SocketAddr, token: &str) {
    eprintln!("MCP: http://{address}/mcp");
    eprintln!("the agent's bearer token: {token}");
}
