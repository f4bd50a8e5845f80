//! Puts every server with one fault through the checks that must find it, as `conformance/mutants.toml` has it.
//!
//! One line for each: `ok NAME` where all of these checks fail, one of them for the reason that is named there; `not ok NAME: why`
//! otherwise. And the control: without a fault all of them pass. Where all mutants run, a check that kills none is not ok either.

mod judge;
mod list;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use approval_conformance::report::Report;
use approval_conformance::target::Target;
use approval_conformance::{Expected, Level, Options, run};
use clap::Parser;
use futures_util::stream::{StreamExt as _, iter};

use judge::{Findings, control_of, judge};
use list::{List, Mutant};

/// Servers with one fault each against the checks that must find it.
#[derive(Debug, Parser)]
struct Args {
    /// These mutants only, parted by commas; `control` is the server without a fault.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// All checks with each mutant, and not only those that must find it.
    #[arg(long)]
    whole: bool,
    /// How many servers at a time.
    #[arg(long, default_value_t = 6)]
    at_once: usize,
}

/// The server without a fault.
const CONTROL: &str = "control";

/// What `mutant` calls no fault.
const NO_FAULT: &str = "none";

/// After so many seconds an answer is missing: some faults are that nothing comes.
const ANSWER_SECONDS: u64 = 8;

/// Among so many servers without a fault the checks of the control are shared.
const CONTROLS: usize = 3;

/// How many checks of one server at a time.
const AT_ONCE: usize = 8;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let list = List::read(&root.join("conformance/mutants.toml"))?;
    let programs = Programs::build(&root)?;
    let is_wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let unknown = args.only.iter().find(|only| *only != CONTROL && !list.mutants.iter().any(|it| it.name == **only));
    ensure!(unknown.is_none(), "there is no mutant `{}`", unknown.cloned().unwrap_or_default());

    let mut findings = Findings::default();
    let parts = if is_wanted(CONTROL) { list.checks_in(CONTROLS) } else { Vec::new() };
    let control = parts.into_iter().map(Server::Control);
    let mutants = list.mutants.iter().filter(|mutant| is_wanted(&mutant.name)).map(Server::Mutant);
    let (programs, is_whole) = (&programs, args.whole);
    let put_through = |server| async move {
        let (fault, checks) = match server {
            Server::Control(ref checks) => (NO_FAULT, checks.clone()),
            Server::Mutant(mutant) => (mutant.name.as_str(), if is_whole { Vec::new() } else { Mutant::runs(mutant) }),
        };
        (server, programs.put_through(fault, checks).await)
    };
    // The control takes longest: it begins first.
    let mut running = iter(control.chain(mutants).map(put_through)).buffer_unordered(args.at_once.max(1));
    while let Some((server, report)) = running.next().await {
        let report = report?;
        match server {
            Server::Control(_) => findings.tell_of(CONTROL, control_of(&report), &report),
            Server::Mutant(mutant) => {
                findings.tell_of(&mutant.name, judge(mutant, &report), &report);
                findings.killers(&report);
            }
        }
    }
    findings.end(&list, args.only.is_empty());
    Ok(if findings.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is put through checks.
enum Server<'a> {
    /// Without a fault: some of the checks that mutants name.
    Control(Vec<String>),
    Mutant(&'a Mutant),
}

/// What is started for a mutant.
struct Programs {
    target: PathBuf,
    driver: PathBuf,
    mutant: PathBuf,
}

impl Programs {
    /// Builds them: beside this one.
    fn build(root: &Path) -> Result<Self> {
        // One by one: together they would be built with other features, and once more.
        for package in ["reference-target", "approval-mutants"] {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.current_dir(root).args(["build", "--quiet", "--bins", "--package", package]);
            ensure!(cargo.status().context("cargo")?.success(), "cargo can't build what is started");
        }
        let beside = std::env::current_exe()?;
        Ok(Self {
            target: root.join("conformance/targets/reference/target.toml"),
            driver: beside.with_file_name("reference-driver"),
            mutant: beside.with_file_name("mutant"),
        })
    }

    /// The server with this fault, put through these checks.
    async fn put_through(&self, fault: &str, only: Vec<String>) -> Result<Report> {
        let mut target = Target::read(&self.target)?;
        let command = [self.driver.as_path(), Path::new("--server"), &self.mutant];
        let command = command.iter().map(|word| word.display().to_string());
        target.driver.command = command.chain([format!("--server-argument={fault}")]).collect();
        target.name = fault.to_owned();
        target.server.answer_seconds = ANSWER_SECONDS;
        let options = Options { level: Level::L2, only, expected: Expected::default(), at_once: AT_ONCE };
        Ok(run(target, &options, |_| {}).await?)
    }
}
