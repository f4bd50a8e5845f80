//! `user`: local accounts, at the operator's terminal.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use approval_core::state_dir::StateDir;
use approval_core::{Approvals, Group, OsEntropy, Person};
use approval_web::{Accounts, NewAccount, SHORTEST_PASSWORD};
use clap::{Args, Subcommand};

use crate::State;
use crate::installation::{self, Failure, Installation};

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    Add(AddArgs),
    /// Make an account of no use, until it is enabled again.
    Disable(NamedArgs),
    /// Make a disabled account good again.
    Enable(NamedArgs),
    List(ListArgs),
    Passwd(PasswdArgs),
}

/// Make an account; the password is typed at the terminal.
#[derive(Debug, Args)]
pub struct AddArgs {
    #[command(flatten)]
    state: State,
    /// What is typed at the login.
    name: String,
    /// The person for whom the account stands; by default its name.
    #[arg(long)]
    person: Option<String>,
    /// A group of the person; may be given more than once.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    #[command(flatten)]
    password: Password,
}

/// Which account.
#[derive(Debug, Args)]
pub struct NamedArgs {
    #[command(flatten)]
    state: State,
    /// The account's name.
    name: String,
}

/// List the accounts.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    state: State,
}

/// Set the password of an account; it is typed at the terminal.
#[derive(Debug, Args)]
pub struct PasswdArgs {
    #[command(flatten)]
    state: State,
    /// The account's name.
    name: String,
    #[command(flatten)]
    password: Password,
}

/// Where a new password comes from: never from an argument, which others on the machine can read.
#[derive(Debug, Args)]
struct Password {
    /// Read the password from the first line of a file instead of the terminal.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub async fn run(command: UserCommand) -> Result<ExitCode, Failure> {
    match command {
        UserCommand::Add(args) => add(args).await,
        UserCommand::Disable(args) => set_disabled(args, true).await,
        UserCommand::Enable(args) => set_disabled(args, false).await,
        UserCommand::List(args) => list(&args),
        UserCommand::Passwd(args) => passwd(args).await,
    }
}

async fn add(args: AddArgs) -> Result<ExitCode, Failure> {
    let state = StateDir::create(installation::state_dir(&args.state)?)?;
    state.ensure_key(&OsEntropy)?;
    let installation = Installation::at(state)?;
    let account = NewAccount {
        person: Person::new(args.person.unwrap_or_else(|| args.name.clone())),
        name: args.name,
        groups: args.groups.into_iter().map(Group::new).collect(),
    };
    // The audit first: a change that it can't tell of is not made.
    let approvals = installation.operator().await?;
    installation.accounts.add(&account, &args.password.read(&account.name)?)?;
    told(&approvals, &account.name).await?;
    writeln!(io::stdout(), "made the account `{}` for `{}`", account.name, account.person)?;
    Ok(ExitCode::SUCCESS)
}

async fn set_disabled(args: NamedArgs, disabled: bool) -> Result<ExitCode, Failure> {
    let installation = Installation::open(&args.state)?;
    let approvals = installation.operator().await?;
    installation.accounts.set_disabled(&args.name, disabled)?;
    told(&approvals, &args.name).await?;
    writeln!(io::stdout(), "the account `{}` is {}", args.name, if disabled { "disabled" } else { "enabled" })?;
    Ok(ExitCode::SUCCESS)
}

async fn passwd(args: PasswdArgs) -> Result<ExitCode, Failure> {
    let installation = Installation::open(&args.state)?;
    let approvals = installation.operator().await?;
    installation.accounts.set_password(&args.name, &args.password.read(&args.name)?)?;
    told(&approvals, &args.name).await?;
    writeln!(io::stdout(), "the account `{}` has a new password", args.name)?;
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let state = StateDir::open(installation::state_dir(&args.state)?)?;
    let mut out = io::stdout().lock();
    for account in Accounts::open(state.accounts()).list()?.iter() {
        let groups: Vec<&str> = account.groups.iter().map(Group::as_str).collect();
        let disabled = if account.disabled { "  (disabled)" } else { "" };
        writeln!(out, "{}  {}  [{}]{disabled}", account.name, account.person, groups.join(", "))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The audit tells of every change of an account.
async fn told(approvals: &Approvals, account: &str) -> Result<(), Failure> {
    approvals.note_account_change(account, &installation::operator_name()).await?;
    approvals.close().await;
    Ok(())
}

impl Password {
    fn read(&self, account: &str) -> io::Result<String> {
        if let Some(file) = &self.password_file {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", file.display()));
            let text = fs::read_to_string(file).map_err(named)?;
            return Ok(text.lines().next().unwrap_or_default().to_owned());
        }
        let prompt = format!("Password for `{account}`, of at least {SHORTEST_PASSWORD} characters: ");
        let password = rpassword::prompt_password(prompt).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("there is no terminal to ask for a password: {error}; use --password-file"),
            )
        })?;
        if rpassword::prompt_password("Again: ")? == password {
            Ok(password)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the two passwords are not the same"))
        }
    }
}
