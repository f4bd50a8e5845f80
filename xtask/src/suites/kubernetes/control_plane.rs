//! etcd, kube-apiserver and kube-controller-manager in one program: built once for each state of its sources, and run.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::cache::tool_directory;
use crate::command::{answer, stream};
use crate::context::Context;
use crate::suites::LIMIT;
use crate::tools::appear_whole;

/// The Go module.
const SOURCE: &str = "tests/control-plane";
const PROGRAM: &str = "control-plane";

/// How long it may take to start on a slow machine, and to end.
const START: Duration = Duration::from_secs(150);
const END: Duration = Duration::from_secs(30);

/// What came of building it.
pub(super) enum Built {
    Failed(String),
    Program(PathBuf),
    /// There is no Go here, or its modules can't be fetched.
    Unavailable(String),
}

/// The program, built unless there is one of these sources by this Go already.
pub(super) fn build(context: &Context) -> Result<Built> {
    let source = context.root.join(SOURCE);
    let version = match answer(go(&source).args(["env", "GOVERSION"])) {
        Ok(version) => version.trim().to_owned(),
        Err(error) => return Ok(Built::Unavailable(format!("{error:#}"))),
    };
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    for file in sources(&source)? {
        file.file_name().hash(&mut hasher);
        fs::read(&file).with_context(|| format!("reading `{}`", file.display()))?.hash(&mut hasher);
    }
    let name = format!("{PROGRAM}-{:016x}", hasher.finish());
    let directory = tool_directory(&context.metadata.target_directory)?.join(name);
    if !directory.is_dir() {
        // What fails from here on is ours.
        println!("fetching the modules of {SOURCE}");
        if let Err(error) = answer(go(&source).args(["mod", "download"])) {
            return Ok(Built::Unavailable(format!("{error:#}")));
        }
    }
    let mut failure = None;
    let made = appear_whole(&directory, |unfinished| {
        let mut command = go(&source);
        // No debug information: it would be most of the build.
        command
            .args([
                "build",
                "-trimpath",
                "-buildvcs=false",
                "-tags=grpcnotrace",
                "-gcflags=all=-dwarf=false",
                "-ldflags=-s -w",
                "-o",
            ])
            .arg(unfinished.join(PROGRAM))
            .arg(".");
        let output = stream(&mut command, LIMIT)?;
        if !output.succeeded() {
            failure = Some(output.ending());
            bail!("the build failed");
        }
        Ok(())
    });
    match (made, failure) {
        (_, Some(failure)) => Ok(Built::Failed(failure)),
        (made, None) => made.map(|()| Built::Program(directory.join(PROGRAM))),
    }
}

/// Go, as it is here: another version of it is not fetched, and the module is taken as it is.
fn go(source: &Path) -> Command {
    let mut command = Command::new("go");
    command.current_dir(source).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly").env("GOTOOLCHAIN", "local");
    // The compiler's own garbage collector would be a fifth of the time of a first build.
    command.env("GOGC", "off").env("GOMEMLIMIT", "3GiB").env("GOWORK", "off");
    command
}

fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("reading `{}`", directory.display()))?;
    let mut files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    if files.is_empty() {
        bail!("`{}` is empty", directory.display());
    }
    Ok(files)
}

/// A control plane that runs. It ends with this process too: its standard input does.
pub(super) struct ControlPlane {
    process: Child,
    /// What it says, until it has ended.
    lines: Receiver<String>,
    kubeconfigs: TempDir,
}

impl ControlPlane {
    /// Starts one, and waits until it is ready.
    pub(super) fn start(program: &Path, users: &[&str]) -> Result<Self> {
        let kubeconfigs = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.arg("-kubeconfigs").arg(kubeconfigs.path());
        command.args(users.iter().flat_map(|user| ["-user", user]));
        // What its controllers say about ends of connections is of no use to anybody.
        let log = fs::File::create(kubeconfigs.path().join("log"))?;
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let output = process.stdout.take().context("its output is not there")?;
        let (sender, lines) = mpsc::channel();
        let running = Self { process, lines, kubeconfigs };
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
                // Nobody listens any more: then nobody has to hear it.
                let _ = sender.send(line);
            }
        });
        match running.lines.recv_timeout(START) {
            Ok(line) if line.starts_with("READY ") => {
                println!("control plane: {line}");
                Ok(running)
            }
            Ok(line) => bail!("the control plane says `{line}`"),
            Err(_) => bail!("the control plane did not start: {}", running.last_words()),
        }
    }

    /// The directory with a kubeconfig for each user.
    pub(super) fn kubeconfigs(&self) -> &Path {
        self.kubeconfigs.path()
    }

    /// Ends it, and says what was wrong with its end.
    pub(super) fn stop(mut self) -> Result<Result<(), String>> {
        answer(Command::new("kill").args(["-TERM", &self.process.id().to_string()]))?;
        loop {
            match self.lines.recv_timeout(END) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Ok(Err(format!("it still runs after {END:?}"))),
            }
        }
        let status = self.process.wait()?;
        Ok(if status.success() { Ok(()) } else { Err(format!("{status}: {}", self.last_words())) })
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.kubeconfigs.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("; ")
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Where it has ended, there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
